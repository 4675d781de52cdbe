"""The explorer's data against the artefacts that they are made of, and the page in a browser."""

import base64
import json
import subprocess
import sys
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from experiments.stages import explorer
from results.explorer import ASSETS, write_site
from tests.experiments.conftest import ROOT
from tests.human_eval import browser as browsers

HOSTILE = "<img src=x onerror='window.pwned=1'>"


def test_numbers_come_back_from_base64_and_fractions_are_rounded():
    values = np.array([0.4, 254.6, 3.0])
    assert list(np.frombuffer(base64.b64decode(explorer.packed(values, np.uint8)), np.uint8)) == [0, 255, 3]
    places = np.array([[0.25, np.nan]])
    back = np.frombuffer(base64.b64decode(explorer.packed(places, np.float32)), np.float32)
    assert back[0] == 0.25
    assert np.isnan(back[1])


def test_a_thumbnail_is_the_part_of_the_image_around_the_place():
    image = np.zeros((100, 100, 3), np.uint8)
    image[60:100, 70:100] = 250
    held = BytesIO()
    Image.fromarray(image).save(held, "WEBP", quality=95)
    bright = explorer._thumbnail(held.getvalue(), np.array([0.9, 0.95], np.float32), 0.2)
    dark = explorer._thumbnail(held.getvalue(), np.array([0.1, 0.1], np.float32), 0.2)
    assert np.asarray(Image.open(BytesIO(bright)).convert("L")).mean() > 230
    assert np.asarray(Image.open(BytesIO(dark)).convert("L")).mean() < 10


def parsed(folder):
    text = (folder / explorer.DATA).read_text()
    return json.loads(text.removeprefix("window.EVOSCOPE=").rstrip(";\n"))


@pytest.fixture(scope="module")
def site(tmp_path_factory, shared_store):
    """The explorer of a smoke job: its data as they lie in the store, and the page."""
    outputs = tmp_path_factory.mktemp("explorer")
    asked = ["experiment=explorer", "scale=smoke", f"store={shared_store}", f"outputs={outputs}", "threads=1"]
    subprocess.run([sys.executable, "run.py", *asked, "progress=false"], cwd=ROOT, check=True)
    data = next((shared_store / "explorer_data").glob("*/" + explorer.DATA)).parent
    page = next(outputs.rglob("explorer/index.html"))
    return data, page


@pytest.mark.slow
def test_the_page_holds_what_the_map_and_the_stimuli_hold(site):
    data, page = site
    head = parsed(data)
    table = pd.read_parquet(data / explorer.TABLE)
    assert {path.name for path in page.parent.iterdir()} >= {*ASSETS, explorer.DATA, explorer.TABLE}
    for run in head["runs"]:
        rows = table[table["run"] == run["name"]]
        last = run["looks"][-1]
        xy = np.frombuffer(base64.b64decode(last["xy"]), "<f4").reshape(-1, 2)
        assert np.array_equal(xy, rows[["x", "y"]].to_numpy(), equal_nan=True)
        assert len(rows) == run["neurons"]
        images = np.frombuffer(base64.b64decode(last["images"]), "<u2")
        assert images[images != explorer.NONE].max() < head["images"]["count"]
        for name, near in zip(run["others"], last["near"], strict=True):
            found = np.frombuffer(base64.b64decode(near), "<i4")
            other = table[table["run"] == name]
            names = (other["layer"] + "#" + other["channel"].astype(str)).to_numpy()
            told = rows[f"nearest_{name}"].to_numpy()
            assert [names[at] if at >= 0 else "" for at in found] == list(told)


needs_browser = pytest.mark.skipif(
    not (browsers.DRIVER and browsers.CHROMIUM), reason="no chromium and chromedriver"
)


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_the_page_shows_plays_finds_and_remembers(site, phone):
    data, page = site
    head, table = parsed(data), pd.read_parquet(data / explorer.TABLE)
    browser = browsers.Browser(phone=phone)
    try:
        row = table[(table["run"] == "convnext") & table["x"].notna()].iloc[5]
        link = f"#run=convnext&epoch={row.epoch}&neuron={row.layer}%23{row.channel}&colour=layer"
        browser.open(page.as_uri() + link)
        browser.wait("return !!document.querySelector('#neuron .patch[data-image]')")
        assert browser.run("return document.getElementById('neuron').dataset.neuron") == row.neuron
        assert browser.run("return document.getElementById('colour').value") == "layer"
        # The first patch is the neuron's first stimulus.
        run = next(run for run in head["runs"] if run["name"] == "convnext")
        images = np.frombuffer(base64.b64decode(run["looks"][-1]["images"]), "<u2").reshape(
            run["neurons"], -1
        )
        at = int(np.flatnonzero((table[table["run"] == "convnext"]["neuron"] == row.neuron).to_numpy())[0])
        shown = browser.run("return Number(document.querySelector('#neuron .patch').dataset.image)")
        assert shown == images[at, 0]
        browser.wait(
            "return document.querySelector('#neuron .patch').style.backgroundImage.startsWith('url')"
        )
        # Half-way between two epochs a point lies half-way.
        point = "EXPLORER.pointOf(arguments[0])"
        browser.run("EXPLORER.atTime(0.5)")
        browser.wait("return EXPLORER.maps[0].share === 0.5")
        now = browser.run(f"return EXPLORER.maps[0].now({point})", row.neuron)
        looks = [
            np.frombuffer(base64.b64decode(look["xy"]), "<f4").reshape(-1, 2)[at] for look in run["looks"]
        ]
        assert np.allclose(now, (looks[0] + looks[1]) / 2, atol=1e-5)
        # A pixel of its colour lies where the page says that it is drawn.
        drawn = browser.run(
            "const m = EXPLORER.maps[0], p = EXPLORER.pointOf(arguments[0]); Object.assign(m.view, {x: m.now(p)[0],"
            " y: m.now(p)[1]}); m.draw(); const held = new Uint8Array(4); const [x, y] = m.toPage(m.now(p));"
            " m.gl.readPixels(Math.round(x * m.ratio), m.canvas.height - Math.round(y * m.ratio), 1, 1, m.gl.RGBA,"
            " m.gl.UNSIGNED_BYTE, held); return held[3]",
            row.neuron,
        )
        assert drawn > 100
        browser.run("document.getElementById('query').value = 'no such thing'")
        browser.run("document.getElementById('search').requestSubmit()")
        assert "no such thing" in browser.run("return document.getElementById('told').textContent")
        browser.click("#play")
        browser.wait("return EXPLORER.state.playing && EXPLORER.state.time > 0.6")
        browser.click("#compare")
        browser.wait("return EXPLORER.maps.length === 2 && EXPLORER.maps[1].count > 0")
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        assert browser.run(
            "return performance.getEntriesByType('resource').every((e) => e.name.startsWith('file:'))"
        )
    finally:
        browser.close()


@pytest.mark.slow
@needs_browser
def test_names_are_shown_as_text(tmp_path):
    none = explorer.packed([explorer.NONE], np.uint16)
    look = {
        "epoch": 0,
        "accuracy": 0.5,
        "xy": explorer.packed([[0.0, 0.0]], np.float32),
        "coverage": explorer.packed([255], np.uint8),
        "status": explorer.packed([0], np.uint8),
        "concept": explorer.packed([0], np.uint16),
        "auc": explorer.packed([200], np.uint8),
        "images": none,
        "places": explorer.packed([[0, 0]], np.uint8),
        "near": [],
    }
    run = {
        "name": HOSTILE,
        "label": HOSTILE,
        "colour": "#123456",
        "base": True,
        "layers": [HOSTILE],
        "neurons": 1,
    }
    arrays = {name: explorer.packed([0], np.uint16) for name in ("layer", "channel", "concept")}
    head = {
        "title": HOSTILE,
        "patch": 0.3,
        "concepts": [HOSTILE],
        "images": {"count": 0, "chunk": 1},
        "runs": [{**run, **arrays, "looks": [look], "others": []}],
    }
    script = tmp_path / explorer.DATA
    script.write_text(f"window.EVOSCOPE={json.dumps(head)};")
    page = write_site(tmp_path / "site", [script])
    browser = browsers.Browser()
    try:
        browser.open(page.as_uri())
        browser.wait("return !!window.EXPLORER")
        browser.run("EXPLORER.choose(0)")
        text = browser.run("return document.body.textContent")
        assert text.count("onerror") >= 4
        assert browser.run("return window.pwned === undefined && !document.querySelector('img')")
    finally:
        browser.close()
