"""Results are kept by data and scale, none that other code had a hand in; docs/repro.md leads from each to its command,
and the numbers in it follow from the tables.
"""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from evoscope.errors import EvoscopeError
from results import keep as keep_module
from results import registry
from results.keep import DOCUMENT, HEAD, SEE, claims_of, command, document, duration, jobs, keep, main, measured
from results.ledger.claim import collect
from results.ledger.write import CLAIMS
from results.page_style import with_interval
from results.registry import RECORD
from results.report import galleries

DRAWN = ("fig_training", "table_reversal", "table_training", "table_metrics")
ROW = re.compile(r"^\| (\w+) \| `(\w+)` \| (.+?) \| `(.+?)` \| ", re.MULTILINE)


@pytest.fixture(scope="module")
def folder(exhibits, about, tmp_path_factory):
    to = tmp_path_factory.mktemp("drawn")
    registry.draw(DRAWN, exhibits, about, to)
    return to


@pytest.fixture(scope="module")
def evidence(folder):
    return collect([folder])[0]


def test_results_are_kept_by_data_and_scale(folder, tmp_path, monkeypatch):
    paper = tmp_path / "paper"
    kept, left = keep([folder], paper)
    assert (paper / "concept_scenes-laptop" / "tables" / "table_reversal.csv").is_file()
    assert (paper / "concept_scenes-laptop" / "figures" / "fig_training.png").is_file()
    assert (paper / "claims.md") in kept
    assert all(path.suffix == ".svg" and path.stat().st_size > keep_module.LARGE for path in left)
    assert [len(items) for items in galleries([paper]).values()] == [len(DRAWN)]
    with pytest.raises(EvoscopeError, match="no drawn results"):
        keep([tmp_path / "empty"], paper)
    monkeypatch.setattr(keep_module, "LIMIT", 1000)
    with pytest.raises(EvoscopeError, match="MB"):
        keep([folder], paper)


@pytest.mark.parametrize(("lossless", "error"), [(700_000, 0), (1, 6)])
def test_photographs_keep_their_colours_size_and_origin(lossless, error, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(keep_module, "LARGE", 10_000)
    monkeypatch.setattr(keep_module, "LOSSLESS", lossless)
    paper = tmp_path / "paper"
    (paper / "concept_scenes-laptop" / "figures").mkdir(parents=True)
    (paper / "concept_scenes-laptop" / "figures" / "fig_training.png").write_text("of an earlier time")
    keep([folder], paper)
    (kept,) = paper.rglob("fig_training.[pw]*")
    assert kept.suffix == ".webp"
    with Image.open(folder / "fig_training.png") as before, Image.open(kept) as after:
        assert (after.mode, after.size) == ("RGB", before.size)
        one, two = (np.asarray(image.convert("RGB"), dtype=float) for image in (before, after))
    assert len(np.unique(two.reshape(-1, 3), axis=0)) > 256
    assert np.sqrt(np.mean((one - two) ** 2)) <= error
    (items,) = galleries([paper]).values()
    (item,) = (each for each in items if each.id == "fig_training")
    assert item.origin == next(each.origin for each in galleries([folder])[item.place] if each.id == item.id)
    assert f"{kept.relative_to(paper)}" in (paper / "report.html").read_text()


def test_a_film_is_kept_as_it_is_with_its_origin(tmp_path):
    first, second = (Image.new("RGB", (8, 6), colour) for colour in ("red", "blue"))
    origin = b"Data=concept_scenes; Protocol=corrected; Scale=laptop; Seed=0"
    film = tmp_path / "drawn" / "animation.webp"
    film.parent.mkdir()
    first.save(film, "webp", save_all=True, append_images=[second], xmp=origin)
    paper = tmp_path / "paper"
    keep([film.parent], paper)
    kept = paper / "concept_scenes-laptop" / "figures" / "animation.webp"
    assert kept.read_bytes() == film.read_bytes()
    for name in ("README.md", "report.html"):
        assert "concept_scenes-laptop/figures/animation.webp" in (paper / name).read_text()


def test_what_is_drawn_no_more_goes_and_nothing_else(folder, tmp_path):
    tables = tmp_path / "concept_scenes-laptop" / "tables"
    tables.mkdir(parents=True)
    for name in ("table_gone.csv", "table_gone.md", "notes.txt"):
        (tables / name).write_text("x")
    keep([folder], tmp_path)
    assert not list(tables.glob("table_gone*"))
    assert (tables / "notes.txt").is_file()


def test_results_of_the_desk_are_kept_by_network_and_seed(exhibits, about, tmp_path):
    for key, seed in (("imagenette-desk-corrected-efficientnet_lite0-0a1b2c3d", 0), ("x", 1)):
        own = replace(about, data="imagenette", scale="desk", seed=seed, key=key)
        registry.draw(["table_metrics"], exhibits, own, tmp_path / f"drawn{seed}")
        keep([tmp_path / f"drawn{seed}"], tmp_path / "paper")
    found = {path.parent.parent.name for path in (tmp_path / "paper" / "desk").rglob("table_metrics.csv")}
    assert found == {"efficientnet_lite0-imagenette-0", "all-imagenette-1"}
    (evidence,) = collect([tmp_path / "paper"])
    assert (evidence.where, set(evidence.rows("table_metrics", "corrected")["seed"])) == (
        "imagenette, desk", {0, 1}
    )  # fmt: skip


def recorded(folder, to, **stages):
    """A copy of drawn results whose record names stages of other code."""
    shutil.copytree(folder, to)
    record = {name: {"stamp": "a", "files": {}, "other_code": stages.get(name, [])} for name in DRAWN}
    (to / RECORD).write_text(json.dumps(record))
    return to


def test_results_of_other_code_are_refused_before_anything_is_copied(folder, tmp_path, capsys, monkeypatch):
    paper = tmp_path / "paper"
    mixed = recorded(folder, tmp_path / "mixed", table_reversal=["reversal", "reversal_table"])
    with pytest.raises(EvoscopeError) as problem:
        keep([mixed], paper)
    text = str(problem.value)
    assert f"{mixed / 'table_reversal'} (reversal, reversal_table)" in text
    assert "table_training" not in text
    assert text.endswith(".")
    assert "\n" not in text
    assert not paper.exists()
    monkeypatch.setattr(keep_module, "PAPER", paper)
    assert main(["paper", str(mixed)]) == 1
    assert text in capsys.readouterr().err


def test_what_is_replaced_by_a_later_folder_or_not_recorded_is_not_refused(folder, tmp_path):
    mixed = recorded(folder, tmp_path / "mixed", table_reversal=["reversal"])
    pure = recorded(folder, tmp_path / "pure")
    assert keep([mixed, pure], tmp_path / "first")
    for text in ("{", "[]", '{"table_reversal": 3}', '{"table_reversal": {"stamp": "a", "files": {}}}'):
        (mixed / RECORD).write_text(text)
        assert keep([mixed], tmp_path / "second")


def test_the_command_line_keeps_and_documents(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(keep_module, "DOCUMENT", tmp_path / "repro.md")
    assert main(["repro", str(tmp_path)]) == 0
    assert (tmp_path / "repro.md").read_text().startswith(HEAD)
    monkeypatch.setattr(keep_module, "PAPER", tmp_path / "paper")
    (tmp_path / "repro.md").unlink()
    assert main(["paper", str(folder)]) == 0
    assert "E3b" in (tmp_path / "repro.md").read_text()
    assert (tmp_path / "paper" / "report.html").is_file()
    for words in ([], ["paper"], ["other"]):
        with pytest.raises(SystemExit, match="2"):
            main(words)
    assert "usage: python -m results.keep" in capsys.readouterr().err


def test_the_committed_document_is_of_the_present_results():
    text = DOCUMENT.read_text()
    found = {name: (paper, shows, line) for paper, name, shows, line in ROW.findall(text)}
    wanted = {each.id: (each.paper, each.shows, command(each)) for each in registry.entries().values()}
    assert found == wanted, "write it again: python -m results.keep repro"
    assert text.startswith(HEAD)


def test_a_document_without_results_or_jobs_still_names_every_command(tmp_path):
    text = document(tmp_path, [tmp_path])
    assert len(ROW.findall(text)) == len(registry.entries().values())
    assert text.count(f"| {SEE} | – |") == len(registry.entries().values())


def test_every_claim_that_is_tested_leads_to_a_result():
    reached = {claim.id for entry in registry.entries().values() for claim in claims_of(entry)}
    assert reached == {claim.id for claim in CLAIMS if claim.stated}


@pytest.mark.parametrize("name", ["table_reversal", "fig_reversal", "table_training", "fig_metrics"])
def test_numbers_are_those_of_the_ledger(name, evidence):
    text = measured(registry.entry(name), evidence)
    expected = [
        f"{claim.id} {judged.text} {with_interval(judged.effect.effect, judged.effect.low, judged.effect.high)}"
        for claim in claims_of(registry.entry(name))
        if (judged := claim.judge(evidence, "corrected")).effect
    ]
    assert text == (", ".join(expected) or SEE)
    assert (text == SEE) == (name not in ("table_reversal", "fig_reversal"))
    assert measured(registry.entry("fig_scenes"), evidence) == SEE


def job(folder, name, **changes):
    told = {"task": "scenes", "overrides": ["experiment=scenes"], "state": "done", "computed": 2, "cached": 1}
    told |= {"outputs": [f"{name}/fig_scenes.png"], "seconds": 20.4} | changes
    (folder / name).mkdir()
    (folder / name / "status.json").write_text(json.dumps(told))


def test_time_is_that_of_the_plain_call_that_computed_most(tmp_path):
    stem = "concept_scenes-laptop-corrected"
    job(tmp_path, f"{stem}-1", seconds=200.0, computed=1)
    job(tmp_path, f"{stem}-2")
    job(tmp_path, f"{stem}-3", computed=9, overrides=["experiment=scenes", "seed=3"])
    job(tmp_path, f"{stem}-4", computed=9, state="failed")
    job(tmp_path, f"{stem}-5", computed=9, task="results")
    job(tmp_path, "cifar10-laptop-corrected-6", computed=9)
    known = jobs([tmp_path])
    assert duration(registry.entry("fig_scenes"), known) == "20 s (2 of 3 stages)"
    assert duration(registry.entry("fig_scenes"), known[:1]) == "3 min (1 of 2 stages)"
    assert duration(registry.entry("fig_metrics"), known) == "–"


def test_no_kept_picture_has_a_palette():
    kept = sorted(keep_module.PAPER.rglob("*.png"))
    assert kept
    for path in kept:
        with Image.open(path) as image:
            assert image.mode != "P", path
