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

from evoscope.artefacts import load
from evoscope.evolution.summary import layer_costs
from evoscope.figure_data import Alignment
from experiments.stages import explorer
from experiments.stages.concept_places import ConceptPlaces
from experiments.stages.importance import ClassImportance
from experiments.stages.reversal import Reversals
from human_eval.design import load_study
from results.explorer import ASSETS, write_site
from results.report import views_of
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


def networks(head):
    return [run for run in head["runs"] if run["kind"] == "neurons"]


def numbers(text, kind, *shape):
    return np.frombuffer(base64.b64decode(text), kind).reshape(-1, *shape)


def stored(store, stage, kind):
    return [load(kind, path.parent) for path in (store / stage).glob("*/manifest.json")]


@pytest.fixture(scope="module")
def site(tmp_path_factory, shared_store):
    """The explorer of a smoke job: its data as they lie in the store, and the page."""
    outputs = tmp_path_factory.mktemp("explorer")
    asked = ["experiment=explorer", "scale=smoke", f"store={shared_store}", f"outputs={outputs}", "threads=1"]
    asked += ["explorer.importance=true", "explorer.concepts=true"]
    subprocess.run([sys.executable, "run.py", *asked, "progress=false"], cwd=ROOT, check=True)
    page = next(outputs.rglob("explorer/index.html"))
    return page.parent, page


@pytest.mark.slow
def test_the_page_holds_what_the_map_and_the_stimuli_hold(site):
    data, page = site
    head = parsed(data)
    table = pd.read_parquet(data / explorer.TABLE)
    assert {path.name for path in page.parent.iterdir()} >= {*ASSETS, explorer.DATA, explorer.TABLE}
    assert set(views_of(page.parent.parent)) == {("concept_scenes", run["label"]) for run in head["runs"]}
    for run in networks(head):
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


@pytest.mark.slow
def test_classes_are_shown_as_importance_and_reversal_hold_them(site, shared_store):
    head = parsed(site[0])
    found = stored(shared_store, "importance", ClassImportance)
    counts = [each.counts for each in stored(shared_store, "reversal", Reversals)]
    costs = [layer_costs(each, "test").round(4) for each in counts]
    for run in networks(head):
        names = [run["layers"][row] for row in numbers(run["layer"], "<u2")]
        for judged in run["judged"]:
            where = (judged["class"], *judged["epochs"])
            own = [
                each
                for each in found
                if (each.class_name, each.before, each.after) == where
                and [each.neurons.layers[row] for row in each.neurons.layer] == names
            ]
            scores = numbers(judged["score"], "u1")
            assert any(np.array_equal(scores, np.rint(254 * each.score)) for each in own)
            shown = pd.DataFrame(judged["cost"], run["layers"], costs[0].columns)
            assert any(shown.equals(each.reindex(run["layers"])) for each in costs)
            bins = numbers(judged["bin"], "u1")
            for layer in run["layers"]:
                here = np.array([name == layer for name in names])
                assert scores[here & (bins == 0)].min() >= scores[here & (bins == 3)].max()
    assert sum(bool(run["judged"]) for run in head["runs"]) == 3


@pytest.mark.slow
def test_concept_vectors_are_shown_at_their_places(site, shared_store):
    head = parsed(site[0])
    found = stored(shared_store, "concept_places", ConceptPlaces)
    shown = [run for run in head["runs"] if run["kind"] == "vectors"]
    assert len(shown) == 3
    for run in shown:
        name, look = run["name"].removesuffix(" concept vectors"), run["looks"][0]
        own = next(each for each in found if (each.run, len(each.frame)) == (name, run["neurons"]))
        xy = own.frame[["x", "y"]].to_numpy(np.float32)
        assert np.array_equal(numbers(look["xy"], "<f4", 2), xy, equal_nan=True)
        auc = numbers(look["auc"], "u1", len(head["told"]))
        for row, name in enumerate(own.frame["concept"]):
            known = head["concepts"].index(name) if name else explorer.NONE
            assert numbers(look["concept"], "<u2")[row] == known
            assert not name or auc[row, head["told"].index(known)] >= round(0.7 * 255)
    # Of networks that hardly tell their classes some have no candidates.
    kinds = {name.partition(", ")[2] for run in shown for name in run["layers"]}
    assert kinds >= {"SVD +", "SVD −", "refined"}
    assert any(classes for run in shown for classes in run["classes"])


needs_browser = pytest.mark.skipif(not (browsers.DRIVER and browsers.CHROMIUM), reason="no chromium and chromedriver")


# What the page complains of, from before its first script.
LISTENER = (
    "window.problems = []; const told = (text) => problems.push(String(text));"
    "addEventListener('error', (event) => told(event.message || event.target.src), true);"
    "addEventListener('unhandledrejection', (event) => told(event.reason));"
    "addEventListener('securitypolicyviolation', (event) => told(event.violatedDirective));"
    "console.error = console.warn = (...words) => told(words.join(' '));"
)


@pytest.fixture
def opened(site):
    """Opens the page at an address, on a desktop or a phone; nothing that it does may raise or be blocked."""
    browser = None

    def visit(address, phone=False):
        nonlocal browser
        browser = browsers.Browser(phone=phone)
        browser.command("Page.addScriptToEvaluateOnNewDocument", {"source": LISTENER})
        browser.open(site[1].as_uri() + address)
        browser.wait("return !!window.EXPLORER && EXPLORER.maps[0].count > 0")
        return browser

    try:
        yield visit
        assert browser.run("return problems") == []
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        local = "every((each) => each.name.startsWith('file:'))"
        assert browser.run(f"return performance.getEntriesByType('resource').{local}")
    finally:
        browser.close()


def mouse(browser, kind, x, y, shift=False):
    held = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
    where = {"type": kind, "x": x, "y": y, "modifiers": 8 * shift, **held}
    browser.command("Input.dispatchMouseEvent", where)


def on_page(browser, name):
    """Where the page says that a point is drawn on its first map, in pixels of the window."""
    script = (
        "const m = EXPLORER.maps[0], box = m.canvas.getBoundingClientRect(), at = m.toPage(m.now(EXPLORER.pointOf("
        "arguments[0]))); return [at[0] + box.left, at[1] + box.top]"
    )
    return browser.run(script, name)


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_the_page_shows_plays_finds_and_remembers(site, opened, phone):
    data, _ = site
    head, table = parsed(data), pd.read_parquet(data / explorer.TABLE)
    row = table[(table["run"] == "convnext") & table["x"].notna()].iloc[5]
    browser = opened(f"#run=convnext&epoch={row.epoch}&neuron={row.layer}%23{row.channel}&colour=layer", phone)
    browser.wait("return !!document.querySelector('#neuron .patch[data-image]')")
    assert browser.run("return document.getElementById('neuron').dataset.neuron") == row.neuron
    assert browser.run("return document.getElementById('colour').value") == "layer"
    # The first patch is the neuron's first stimulus.
    run = next(run for run in head["runs"] if run["name"] == "convnext")
    images = numbers(run["looks"][-1]["images"], "<u2").reshape(run["neurons"], -1)
    at = int(np.flatnonzero((table[table["run"] == "convnext"]["neuron"] == row.neuron).to_numpy())[0])
    assert browser.run("return Number(document.querySelector('#neuron .patch').dataset.image)") == images[at, 0]
    browser.wait("return document.querySelector('#neuron .patch').style.backgroundImage.startsWith('url')")
    # Half-way between two epochs a point lies half-way.
    browser.run("const s = document.getElementById('slider'); s.value = 0.5; s.dispatchEvent(new Event('input'))")
    browser.wait("return EXPLORER.maps[0].share === 0.5")
    now = browser.run("return EXPLORER.maps[0].now(EXPLORER.pointOf(arguments[0]))", row.neuron)
    looks = [numbers(look["xy"], "<f4", 2)[at] for look in run["looks"]]
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


@pytest.mark.slow
@needs_browser
def test_hover_brush_and_keys_reach_what_lies_there(site, opened):
    table = pd.read_parquet(site[0] / explorer.TABLE)
    row = table[(table["run"] == "vgg16") & table["x"].notna()].iloc[0]
    browser = opened("")
    browser.run(
        "const p = EXPLORER.pointOf(arguments[0]), m = EXPLORER.maps[0]; const [x, y] = m.now(p);"
        "Object.assign(m.view, {x, y, width: m.view.width / 400}); m.draw()",
        row.neuron,
    )
    x, y = on_page(browser, row.neuron)
    mouse(browser, "mouseMoved", x, y)
    shown = browser.wait("return document.getElementById('neuron').dataset.neuron")
    # Of points at one place any may be shown.
    same = "return EXPLORER.maps[0].now(EXPLORER.pointOf(arguments[0])).map(Math.fround)"
    assert browser.run(same, shown) == pytest.approx(browser.run(same, row.neuron), abs=1e-3)
    browser.click("#compare")
    browser.wait("return EXPLORER.maps.length === 2 && EXPLORER.maps[1].count > 0")
    left, top, right, bottom = browser.run(
        "const b = EXPLORER.maps[0].canvas.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]"
    )
    mouse(browser, "mousePressed", left + 2, top + 2, shift=True)
    mouse(browser, "mouseMoved", (left + right) / 2, bottom - 2, shift=True)
    mouse(browser, "mouseReleased", (left + right) / 2, bottom - 2, shift=True)
    chosen = browser.wait("return EXPLORER.state.selected.size")
    expected = browser.run(
        "const m = EXPLORER.maps[0], b = m.canvas.getBoundingClientRect();"
        "return m.within([2, 2], [b.width / 2, b.height - 2]).length"
    )
    assert chosen == expected
    # Selected points are large in both maps.
    large = (
        "return EXPLORER.maps.map((m) => [...EXPLORER.state.selected].filter((p) => Math.abs(m.sizes[p]) > 8).length)"
    )
    browser.wait("return EXPLORER.maps.every((m) => !m.stale)")
    assert browser.run(large)[0] == chosen
    assert browser.run(large)[1] > 0
    # The keys move the map and choose the point nearest to its middle.
    browser.run(
        "const m = EXPLORER.maps[0], [x, y] = m.now(EXPLORER.pointOf(arguments[0])); Object.assign(m.view, {x, y});"
        "EXPLORER.choose(-1); m.canvas.focus()",
        row.neuron,
    )
    before = browser.run("return EXPLORER.maps[0].view.x")
    browser.keys("\ue012", "+", "\ue007")  # left, closer, choose
    assert browser.run("return EXPLORER.maps[0].view.x") < before
    browser.wait("return EXPLORER.state.chosen >= 0")


@pytest.mark.slow
@needs_browser
def test_classes_and_concept_vectors_have_cards(site, opened):
    head = parsed(site[0])
    judged = next(run for run in head["runs"] if run["judged"])
    case, top = judged["judged"][0], judged["judged"][0]["top"][0]
    browser = opened(f"#class={case['class']}&colour=cost")
    text = browser.run("return document.querySelector('#neuron details[open]').textContent")
    assert f"{judged['label']}, epochs" in text
    assert f"{100 * case['mean'][0]:.1f} points".replace("-", "−") in text
    browser.click("#neuron details[open] .near")
    name = browser.run("return document.getElementById('neuron').dataset.neuron")
    layer, channel = (numbers(judged[key], "<u2")[top] for key in ("layer", "channel"))
    assert name == f"{judged['name']}/{judged['layers'][layer]}#{channel}"
    assert "of=" in browser.run("return location.hash")
    assert case["class"] in browser.run("return document.querySelector('#neuron table').textContent")
    # The curve of any concept.
    browser.run(
        "const s = document.querySelector('#neuron .concepts'); s.value = '0'; s.dispatchEvent(new Event('change'))"
    )
    label = browser.run("return document.querySelector('#neuron svg').getAttribute('aria-label')")
    areas = [
        numbers(look["auc"], "u1", len(head["told"]))[top, head["told"].index(0)] / 255 for look in judged["looks"]
    ]
    assert label == f"AUC per epoch: {', '.join(f'{each:.2f}' if each else 'unknown' for each in areas)}"
    vectors = next(run for run in head["runs"] if run["kind"] == "vectors")
    place = next(row for row, each in enumerate(vectors["classes"]) if each)
    layer, channel = (numbers(vectors[key], "<u2")[place] for key in ("layer", "channel"))
    browser.run("EXPLORER.find(arguments[0])", f"{vectors['name']}/{vectors['layers'][layer]}#{channel}")
    assert vectors["classes"][place] in browser.run("return document.getElementById('neuron').textContent")
    images = numbers(vectors["looks"][0]["images"], "<u2").reshape(vectors["neurons"], -1)
    shown = browser.run(
        "return [...document.querySelectorAll('#neuron .patches')[0].children].map((p) => Number(p.dataset.image))"
    )
    assert shown == images[place].tolist()


@pytest.mark.slow
@needs_browser
def test_a_region_goes_to_the_figure_and_the_study_and_back(site, opened, run_py, tmp_path, shared_store):
    table = pd.read_parquet(site[0] / explorer.TABLE)
    placed = table[table["x"].notna() & (table["run"] == "vgg16")]
    layer = placed["layer"].value_counts().idxmax()
    names = placed.loc[placed["layer"] == layer, "neuron"].head(7).tolist()
    browser = opened("")
    browser.run("EXPLORER.select(arguments[0].map(EXPLORER.pointOf))", names)
    browser.run("document.getElementById('region').value = arguments[0]; EXPLORER.keep()", HOSTILE)
    browser.run(
        "window.saved = []; URL.createObjectURL = (blob) => { blob.text().then((text) => saved.push(text));"
        " return '#'; }; document.getElementById('save').click()"
    )
    text = browser.wait("return window.saved[0]")
    file = tmp_path / "regions.json"
    file.write_text(text, encoding="utf-8")
    (region,) = json.loads(text)["regions"]
    assert (region["name"], len(region["neurons"])) == (HOSTILE, 7)
    where = f"regions={file}", "scale=smoke"
    done = run_py("experiment=unified_space", "only=[fig_alignment]", *where)
    assert done.returncode == 0, done.stderr
    alignments = stored(shared_store, "chosen_alignment", Alignment)
    found = next(each for each in alignments if HOSTILE in set(each.regions["title"]))
    members = found.members["run"] + "/" + found.members["layer"] + "#" + found.members["channel"].astype(str)
    assert found.regions["title"].tolist() == [HOSTILE]
    assert set(members) < set(names)
    assert "chosen by hand" in next(tmp_path.rglob("fig_alignment.md")).read_text()
    done = run_py("experiment=human_eval", "study.kinds=[alignability]", *where)
    assert done.returncode == 0, done.stderr
    study = load_study(next(tmp_path.rglob("human_eval/*/alignability")))
    (trial,) = [each for each in study.trials if (each.condition, each.role) == ("hand_picked", "main")]
    epoch = region["neurons"][0]["epoch"]
    ids = {f"vgg16@{epoch}/{name.partition('/')[2]}" for name in names}
    assert len(ids & set(trial.sources)) == 5
    assert trial.sources[trial.answer] not in ids
    # And back into another visit of the page.
    browser.run("location.reload()")
    browser.wait("return !!window.EXPLORER && !EXPLORER.state.regions.length")
    browser.run(
        "const held = new DataTransfer(), input = document.getElementById('load');"
        "held.items.add(new File([arguments[0]], 'regions.json')); input.files = held.files;"
        "input.dispatchEvent(new Event('change'))",
        text,
    )
    browser.wait("return EXPLORER.state.regions.length === 1")
    chosen = browser.run("return [...EXPLORER.state.selected].sort((a, b) => a - b)")
    assert chosen == sorted(browser.run("return arguments[0].map(EXPLORER.pointOf)", names))
    assert browser.run("return document.getElementById('regions').textContent").startswith(HOSTILE)


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
    judged = {"class": HOSTILE, "pair": HOSTILE, "epochs": [0, 0], "images": 9, "accuracy": 0.9, "top": [0]}
    judged |= {"cost": [[-0.5, 0, 0, 0, 0]], "mean": [-0.5, 0, 0, 0, 0]}
    judged |= {"score": explorer.packed([200], np.uint8), "bin": explorer.packed([0], np.uint8)}
    run = {"name": HOSTILE, "label": HOSTILE, "colour": "#123456", "base": True, "layers": [HOSTILE], "neurons": 1}
    arrays = {name: explorer.packed([0], np.uint16) for name in ("layer", "channel", "concept")}
    head = {
        "title": HOSTILE,
        "patch": 0.3,
        "concepts": [HOSTILE],
        "images": {"count": 0, "chunk": 1},
        "told": [0],
        "runs": [
            {**run, **arrays, "looks": [look], "others": [], "kind": kind, "classes": [HOSTILE], "judged": cases}
            for kind, cases in (("neurons", [judged]), ("vectors", []))
        ],
    }
    script = tmp_path / explorer.DATA
    script.write_text(f"window.EVOSCOPE={json.dumps(head)};")
    page = write_site(tmp_path / "site", [script])
    browser = browsers.Browser()
    try:
        browser.open(page.as_uri())
        browser.wait("return !!window.EXPLORER")
        views = ("choose(0)", "choose(1)", "showClasses(arguments[0])", "colourBy('importance')")
        for view in (*views, "find(arguments[0])"):
            browser.run(f"EXPLORER.{view}", HOSTILE)
            assert browser.run("return document.getElementById('neuron').textContent").count("onerror") >= 2
        assert browser.run("return window.pwned === undefined && !document.querySelector('img')")
    finally:
        browser.close()
