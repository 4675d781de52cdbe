"""The pages of docs/: tables and links are right, commands can be run, and the notebook runs."""

import json
import re
import shlex
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from hydra import compose, initialize_config_dir

from docs import pages
from evoscope.errors import EvoscopeError
from experiments import experiment_names
from experiments.own_networks import typed_config, write_template
from experiments.schema import register
from results.registry import entries
from run import prepared

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
OTHERS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "human_eval/README.md")]
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Their commands are performed by other tests.
PERFORMED = ("components.md",)
COMMANDS = sorted(
    {
        line.split("  #")[0].strip()
        for page in PAGES
        if page.name not in PERFORMED
        for block in SHELL.findall(page.read_text(encoding="utf-8"))
        for line in block.splitlines()
        if line.startswith("python run.py ")
    }
)


def anchors(page):
    """Anchors that a page's headings give, as GitHub and mkdocs make them."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title.lower())) for title in titles}


def test_tables_are_those_of_the_configuration_and_of_the_kept_results():
    stale = [page.name for page in PAGES if pages.written(page.read_text()) != page.read_text()]
    assert not stale, f"write them anew by python -m docs.pages: {', '.join(stale)}"


def test_keys_without_words_and_words_without_keys_are_refused():
    block = "<!-- written: scales -->\n| `epochs` | of training |\n| `epoch` | of nothing |\n<!-- end -->"
    with pytest.raises(EvoscopeError, match=r"keys without words: \[.*'width'.*no key: \['epoch'\]"):
        pages.written(block)
    with pytest.raises(EvoscopeError, match="'scale' is no kind"):
        pages.written(block.replace("scales", "scale"))


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
        re.findall(r"- (?:\w+: )?(\S+\.(?:md|ipynb))$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    )
    assert listed == {page.relative_to(ROOT / "docs").as_posix() for page in PAGES} | {"tutorial.ipynb"}


def test_every_result_stands_on_the_page_of_an_experiment_and_no_page_names_another():
    named = {
        page: set(re.findall(r"`((?:fig|table)_\w+)`", page.read_text(encoding="utf-8"))) for page in PAGES
    }
    assert set().union(*named.values()) == set(entries())
    drawn = set().union(*(names for page, names in named.items() if page.parent.name == "experiments"))
    assert drawn == set(entries())


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page):
    for link in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        target, _, anchor = link.partition("#")
        if re.match(r"https?:|mailto:", link):
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        assert not anchor or path.suffix != ".md" or anchor in anchors(path), link


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_can_be_run(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_template(Path("runs.yaml"))
    flags = prepared(shlex.split(command.replace("PATH", "data"))[2:])
    if "-m" in flags or "--multirun" in flags:
        return
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        assert typed_config(compose("config", overrides=flags)).task in experiment_names()


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
