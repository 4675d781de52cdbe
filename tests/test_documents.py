"""What pages, captions and messages print can be typed: commands compose or parse, links lead somewhere, and the
README's findings are those of the kept tables.
"""

import importlib.util
import json
import re
import shlex
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from PIL import Image

from evoscope.data.scenes.vocabulary import rules
from evoscope.errors import EvoscopeError
from experiments import experiment_names
from experiments.checks import check
from experiments.command import taken_apart
from human_eval.__main__ import parser as studies
from results import keep, registry
from results.ledger.claim import DASH
from results.ledger.summary import FINDINGS, findings
from run import prepared
from tests.experiments.test_configuration import composed

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Where the repository's address stands; once it is known, it is written there. Pages of docs/ may have it too.
WITH_ADDRESS = {"pyproject.toml", "README.md", "CITATION.cff", ".github/ISSUE_TEMPLATE/config.yml"}
# What a newcomer types: these commands are composed by the fast tests, all others by the slow ones.
TYPED_FIRST = {"README.md", "experiments/command.py"}
TEXTS = (".md", ".py", ".yaml", ".yml", ".toml", ".cff", ".html", ".ipynb")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"\bpython ((?:run\.py|-m [\w.]+)(?: [^`|<\n]*)?)")
LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)|(?:src|href)=\"([^\"]+)\"")
TARGET = re.compile(r"^(?:\s*(?:- run|entry): |#? *\$? ?|`)make ([\w-]+)", re.MULTILINE)


@cache
def sources():
    """Texts of the repository by their path, those of tests left out, and of folders that git does not keep."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no git, which tells sources from outputs")
    paths = [Path(line) for line in listed.stdout.splitlines() if not line.startswith("tests/")]
    return {
        path.as_posix(): words_in(ROOT / path)
        for path in paths
        if path.suffix in TEXTS and path.name != "report.html" and (ROOT / path).is_file()
    }


def words_in(path):
    """The text of a file; of a notebook, that of its cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return text


def pages():
    return {name: text for name, text in sources().items() if name.endswith(".md")}


@cache
def commands():
    """Every command that is printed, and where: what follows ``python``."""
    found = {}
    for name, text in sources().items():
        for printed in COMMAND.findall(re.sub(r"\\\n\s*#?", "", text)):
            line = re.split(r" # | && ", printed)[0].strip().rstrip(".,;:)")
            for quote in "'\"":
                line = line.rstrip(quote) if line.count(quote) % 2 else line
            if "..." not in line and "{" not in re.sub(r"'[^']*'", "", line):
                found.setdefault(line, []).append(name)
    return found


def jobs(words):
    """Overrides of every job that a command line runs, but for those about the machine, which may be another."""
    typed = taken_apart(prepared(words))
    overrides = [each for each in typed.overrides if not each.startswith(("hydra", "device="))]
    if not typed.sweep:
        return [overrides]
    return BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(overrides), None)[0]


@cache
def configuration(*overrides):
    """One configuration, checked; which results are asked for makes no other."""
    config = composed(*overrides)
    theirs = (config.model.factory, config.networks, config.model.weights)
    if all(each is None for each in theirs):  # others' code and files, which are not here
        check(config)
    return config


@pytest.mark.parametrize("pages", [TYPED_FIRST, pytest.param(None, marks=pytest.mark.slow)])
def test_every_printed_job_composes_and_names_what_there_is(pages):
    printed = {line: names for line, names in commands().items() if line.startswith("run.py ")}
    lines = {line: names for line, names in printed.items() if pages is None or pages & set(names)}
    assert len(lines) > (100 if pages is None else 4)
    wrong = []
    for line, (name, *_) in lines.items():
        try:
            for job in jobs(shlex.split(line)[1:]):
                checked(job)
        except (EvoscopeError, HydraException, OmegaConfBaseException, ValueError) as problem:
            wrong.append(f"{name} prints: python {line}\n  {problem}")
    assert not wrong, "\n".join(wrong)


def checked(job):
    asked = [each for each in job if each.startswith("only=")]
    for each in asked:
        for result in each.partition("=")[2].strip("[]").split(","):
            registry.entry(result.strip("'\""))
    config = configuration(*[each for each in job if each not in asked])
    if config.data.name == "concept_scenes":
        known = {rule.name for rule in rules(int(config.data.classes))}
        named = {str(each) for each in (*(config.discovery.classes or ()), *(config.evolution.classes or ()))}
        unknown = {each for each in named if not each.isdigit()} - known
        if unknown:
            raise ValueError(f"there is no class {unknown}")


def test_every_printed_module_is_there_and_knows_its_arguments():
    lines = {line: name for line, name in commands().items() if line.startswith("-m ")}
    assert len(lines) > 10
    for line, (name, *_) in lines.items():
        _, module, *words = shlex.split(line)
        if (ROOT / module.split(".")[0]).exists() and module.islower():  # NAME stands for any
            known(module, words, f"{name} prints: python {line}")


def known(module, words, where):
    """That a module of ours is there, and that what parses its command line takes the words."""
    found = importlib.util.find_spec(module)
    assert found is not None, where
    parse = {"human_eval": studies().parse_args, "results.keep": keep._arguments}.get(module)
    if parse is None:
        source = Path(found.origin).read_text(encoding="utf-8")
        assert all(word in source for word in words if word.startswith("--")), where
    elif words:
        try:
            parse(words if len(words) > 1 else [*words, "--help"])
        except SystemExit as end:
            assert end.code == 0, where  # noqa: PT017


def test_every_printed_target_of_make_and_every_named_experiment_is_there():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    read = {name: text for name, text in sources().items() if not name.endswith(".py")}
    assert {f"{name}: {word}" for name, text in read.items() for word in set(TARGET.findall(text)) - targets} == set()
    named = {word for text in sources().values() for word in re.findall(r"\bexperiment=([a-z]\w*)\b(?!=)", text)}
    assert named <= set(experiment_names())
    assert len(named) > 10


def slugs(text):
    """Anchors that GitHub gives to the headings of a page, and those that the page has itself."""
    heads = re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head) for head in heads]
    made = {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in plain}
    return made | set(re.findall(r"(?:id|name)=\"([^\"]+)\"", text))


def test_every_relative_link_leads_to_a_file_and_a_heading():
    broken = []
    for name, text in pages().items():
        prose = re.sub(r"`[^`\n]*`", "", FENCED.sub("", text))
        for pair in LINK.findall(prose):
            link, _, anchor = (pair[0] or pair[1]).partition("#")
            if link.startswith(("http", "mailto:")):
                continue
            path = (ROOT / name).parent / link if link else ROOT / name
            there = path.exists() and path.resolve().is_relative_to(ROOT)
            if not there or (anchor and path.suffix == ".md" and anchor not in slugs(path.read_text())):
                broken.append(f"{name}: {link}#{anchor}" if anchor else f"{name}: {link}")
    assert not broken


def test_the_address_stands_where_the_project_file_says():
    urls = tomllib.loads(sources()["pyproject.toml"])["project"]["urls"]
    owner = urls["Repository"].split("/")[-2]
    address = re.compile(rf"(?:github\.com/{owner}|{owner}\.github\.io)/evoscope", re.IGNORECASE)
    found = {name for name, text in sources().items() if address.search(text)}
    assert {name for name in found if not re.fullmatch(r"docs/\w+\.md", name)} == WITH_ADDRESS
    for name in found:
        places = re.findall(r"https://(?:github\.com/[\w-]+|[\w-]+\.github\.io)/evoscope", sources()[name])
        assert set(places) <= {url.rstrip("/") for url in urls.values()}, name


def test_the_front_page_is_short_and_its_code_narrow():
    assert 900 <= len(README.split()) <= 1150
    lines = [line for _, body in FENCED.findall(README) for line in body.splitlines()]
    assert max(map(len, lines)) <= 88
    first = next(body for kind, body in FENCED.findall(README) if kind == "sh")
    assert "source .venv/bin/activate" in first  # so that a bare python is the right one from there on


def test_findings_and_pictures_are_what_is_kept(tmp_path):
    assert keep.with_kept(README) == README, "write them again: python -m results.keep readme"
    blank = keep.WRITTEN.sub(r"\1\3", README)
    assert [found["what"] for found in keep.WRITTEN.finditer(blank)] == ["top", "findings", "picture"]
    assert keep.with_kept(blank) == README
    figures = tmp_path / "concept_scenes-laptop" / "figures"
    figures.mkdir(parents=True)
    Image.new("RGB", (400, 100)).save(figures / "fig_alignment.png")
    Image.new("RGB", (100, 200)).save(figures / "animation.webp")
    text = keep.with_kept(blank, tmp_path)
    assert re.findall(r"(\w+\.\w+)\" alt=\"[^\"]+\" width=\"(\d+)\"", text) == [
        ("animation.webp", "175"),
        ("fig_alignment.png", "838"),
    ]


def test_a_finding_is_of_the_first_data_that_give_a_number_and_names_the_verdicts_of_the_others():
    place = {"claim": "E3b", "scale": "laptop", "by network": "VGG16 0.1 [0.0, 0.2]; no dropout 0.3", "seeds": 1}
    none, some = dict.fromkeys(("effect", "low", "high"), DASH), {"effect": 0.2, "low": 0.1, "high": 0.3}
    rows = [
        {**place, **none, "data": "concept_scenes", "verdict": "not run"},
        {**place, **some, "data": "cifar10", "verdict": "weaker than published (one seed)"},
        {**place, **some, "data": "imagenette", "scale": "gpu", "verdict": "inconclusive (one seed)"},
    ]
    lines = {line[4:].partition("**")[0]: line for line in findings(pd.DataFrame(rows)).splitlines()}
    assert set(lines) == set(FINDINGS)
    assert ": *weaker than published*, 0.200 [0.100, 0.300] " in lines["E3b"]
    assert lines["E3b"].endswith("(VGG16, no dropout; CIFAR-10; one seed); Imagenette at scale gpu: *inconclusive*.")
    assert lines["C2"].endswith(": *not run*.")
    assert {name[0] for name in FINDINGS} == {"E", "C"}
