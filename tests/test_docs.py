"""The pages of docs/: tables, pictures and findings are those of code and kept results; the notebook runs."""

import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from docs import pages
from evoscope.errors import EvoscopeError
from experiments import experiment_names
from results.registry import entries

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def test_tables_are_those_of_the_configuration_and_of_the_kept_results():
    texts = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
    stale = [name for name, text in texts.items() if pages.written(text) != text]
    assert not stale, f"write them anew by python -m docs.pages: {', '.join(stale)}"


def test_keys_without_words_and_words_without_keys_are_refused():
    block = "<!-- written: scales -->\n| `epochs` | of training |\n| `epoch` | of nothing |\n<!-- end -->"
    with pytest.raises(EvoscopeError, match=r"keys without words: \[.*'width'.*no key: \['epoch'\]"):
        pages.written(block)
    with pytest.raises(EvoscopeError, match="'scale' is no kind"):
        pages.written(block.replace("scales", "scale"))


def test_what_is_not_kept_is_said_and_a_picture_is_shown_whatever_its_format(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "PAPER", tmp_path)
    block = "<!-- written: {} -->\n<!-- end -->"
    assert pages.NOT_KEPT in pages.written(block.format("picture here fig_metrics"))
    assert pages.NOT_KEPT in pages.written(block.format("quoted here table_metrics all value"))
    figures = tmp_path / "here" / "figures"
    figures.mkdir(parents=True)
    (figures / "fig_metrics.svg").touch()
    (figures / "fig_metrics.webp").touch()
    assert "/here/figures/fig_metrics.webp)" in pages.written(block.format("picture here fig_metrics"))


def test_a_cell_names_the_key_that_decides_it():
    assert pages.shown("${scale.epochs}") == "`scale.epochs`"
    assert pages.shown("${.listing}") == "`listing`"
    assert pages.shown("${oc.env:EVOSCOPE_DATA,data}") == "`data`"
    assert [pages.shown(each) for each in (None, True, [0, None], "", 0.5)] == [
        "null", "true", "[0, null]", '""', "0.5",
    ]  # fmt: skip


def test_every_experiment_has_a_page_and_every_page_is_found():
    assert {page.stem for page in (ROOT / "docs" / "experiments").glob("*.md")} == set(experiment_names())
    listed = set(
        re.findall(r"- (?:\w+: )?(\S+\.(?:md|ipynb))$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert listed == {page.relative_to(ROOT / "docs").as_posix() for page in PAGES} | {"tutorial.ipynb"}


def test_every_result_stands_on_the_page_of_an_experiment_and_no_page_names_another():
    name = re.compile(r"`((?:fig|table)_\w+)`")
    named = {page: set(name.findall(page.read_text(encoding="utf-8"))) for page in PAGES}
    there = {each for each in entries() if each.startswith(("fig_", "table_"))}
    assert set().union(*named.values()) <= there
    assert set().union(*(names for page, names in named.items() if page.parent.name == "experiments")) == there


def test_the_notebook_is_kept_with_outputs_that_are_small():
    path = ROOT / "docs" / "tutorial.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    shown = [output for cell in cells for output in cell.get("outputs", ())]
    assert path.stat().st_size < 300_000
    assert {output["output_type"] for output in shown} == {"display_data", "execute_result", "stream"}


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    notebook = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    held = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), held)
    assert held["curve"]["test_top1"].iloc[-1] > 2 / held["CLASSES"]
    assert list(held["drops"].index) == ["bin1", "bin2", "bin3", "bin4", "random"]
    assert set(held["vectors"].classes_["class"]) == set(held["photos"].class_names)
