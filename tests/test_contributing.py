"""CONTRIBUTING.md: the first changes are made as they are written there, in a copy of the sources."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cached_property
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image, ImageChops

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TITLES = ("A figure", "A discovery method", "A constant")
COPIED = ("src", "experiments", "results", "human_eval", "conf", "run.py")
# What `results.keep` gathered from long runs: nothing that the sources need.
KEPT = shutil.ignore_patterns("*.egg-info", "paper")
REMARK = "Artefacts made by other code than the present: scenes."

FORKING = """
import json, os, runpy, sys
import hydra, matplotlib.pyplot, numba, pyarrow.parquet, scipy.stats, seaborn, sklearn.linear_model, torch._dynamo
import evoscope.torchvision_compat
for line in sys.stdin:
    child = os.fork()
    if not child:
        printed = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(printed, 1), os.dup2(printed, 2)
        sys.argv = json.loads(line)
        runpy.run_path(sys.argv[0], run_name="__main__")
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def sections():
    """Blocks of each example, by its title."""
    parts = re.split(r"^### (.*)$", TEXT, flags=re.MULTILINE)[1:]
    return {title: BLOCK.findall(text) for title, text in zip(parts[::2], parts[1::2], strict=True)}


class Contributor:
    """Somebody with a copy of the sources who does what the document says."""

    def __init__(self, folder):
        self.tree, self.store, self.outputs = folder / "tree", folder / "store", folder / "outputs"
        self.printed = folder / "printed.txt"
        self.tree.mkdir()
        for name in COPIED:
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, self.tree / name, **({"ignore": KEPT} if source.is_dir() else {}))

    def follow(self, title):
        """Perform the blocks of an example in their order; yields what each command said, as soon as it has ended."""
        performers = {"python": self.write, "diff": self.edit, "sh": self.run}
        for kind, body in sections()[title]:
            if kind in performers:
                said = performers[kind](body)
                if kind == "sh":
                    yield said

    def write(self, body):
        first, _, rest = body.partition("\n")
        (self.tree / first.removeprefix("# ")).write_text(rest, encoding="utf-8")

    def edit(self, body):
        """Replace what a diff shows and takes away, which stands once, by what it shows and adds."""
        name, *lines = body.splitlines()
        path = self.tree / name
        before, after = ("".join(f"{line[1:]}\n" for line in lines if line[:1] in kept) for kept in (" -", " +"))
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{name} has changed: CONTRIBUTING.md shows\n{before}"
        path.write_text(text.replace(before, after), encoding="utf-8")

    def run(self, body):
        """Run a command of the document with a store of the test's, as a new process; what it printed."""
        program, *words = shlex.split(body)
        assert program == "python"
        folders = [f"store={self.store}", f"outputs={self.outputs}", "progress=false", "threads=1"]
        self.python.stdin.write(json.dumps([*words, *folders]) + "\n")
        self.python.stdin.flush()
        status, printed = int(self.python.stdout.readline()), self.printed.read_text(encoding="utf-8")
        assert status == 0, printed
        return printed

    @cached_property
    def python(self):
        """A Python that has imported the libraries, and forks for every command: importing them takes seconds."""
        if not hasattr(os, "fork"):
            pytest.skip("Windows does not fork")
        path = os.pathsep.join([str(self.tree / "src"), str(self.tree)])
        return subprocess.Popen(
            [sys.executable, "-c", FORKING, str(self.printed)],
            cwd=self.tree,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def drawn(self, name):
        (path,) = self.outputs.rglob(name)
        return path


@pytest.fixture
def contributor(tmp_path):
    made = Contributor(tmp_path)
    yield made
    if "python" in vars(made):
        made.python.communicate()


def test_the_document_has_the_three_examples():
    assert tuple(sections()) == TITLES


def test_every_edit_is_of_what_stands_in_the_sources(contributor):
    for blocks in sections().values():
        for kind, body in blocks:
            if kind == "diff":
                contributor.edit(body)


def test_a_constant(contributor):
    """What other code made is told and used, then made again on demand, and the picture is another."""
    (notice,) = [body.strip() for kind, body in sections()["A constant"] if kind == "text"]
    steps = contributor.follow("A constant")
    assert notice not in next(steps)
    before = Image.open(contributor.drawn("fig_scenes.png")).copy()
    used = next(steps)
    assert notice in used
    assert "0 stages computed" in used
    assert REMARK in contributor.drawn("fig_scenes.md").read_text()
    assert "1 stages computed" in next(steps)
    assert REMARK not in contributor.drawn("fig_scenes.md").read_text()
    after = Image.open(contributor.drawn("fig_scenes.png"))
    assert ImageChops.difference(before.convert("RGB"), after.convert("RGB")).getbbox()


@pytest.mark.slow
def test_a_figure(contributor):
    list(contributor.follow("A figure"))
    assert "Training accuracy above test accuracy" in contributor.drawn("fig_gap.md").read_text()
    assert Image.open(contributor.drawn("fig_gap.png")).width > 100


@pytest.mark.slow
def test_a_discovery_method(contributor):
    list(contributor.follow("A discovery method"))
    truth = pd.read_csv(contributor.drawn("table_concept_truth.csv"))
    assert list(truth["method"].unique()) == ["svd", "pairs"]
    assert "differences of pairs" in contributor.drawn("table_concept_truth.md").read_text()


@pytest.mark.slow
def test_a_constant_of_the_reversal(contributor):
    """The plan marks the order of the drops, and not the drops themselves."""
    *_, (edit_kind, edit), (_, command) = sections()["A constant"]
    assert edit_kind == "diff"
    contributor.run(command.replace("dry_run=true", ""))
    contributor.edit(edit)
    marked = [line for line in contributor.run(command).splitlines() if "made by other code" in line]
    assert [line.split()[0] for line in marked] == ["reversal_order"]


@pytest.mark.slow
def test_a_formula_of_the_reversal(contributor):
    """Told after the edit, in every result that it reaches; made again on demand; and a touched source is no edit."""
    command = "python run.py experiment=evolution_importance model=vgg16 ~protocols.as_released scale=smoke"
    notice, path = "made by other code than the present", "src/evoscope/evolution/summary.py"
    assert notice not in contributor.run(command)
    before = pd.read_csv(contributor.drawn("table_reversal.csv"))
    (contributor.tree / path).touch()
    touched = contributor.run(command)
    assert notice not in touched
    assert "0 stages computed" in touched
    text = (contributor.tree / path).read_text()
    assert text.count(' / chosen["images"]') == 1
    (contributor.tree / path).write_text(text.replace(' / chosen["images"]', ' / (2 * chosen["images"])'))
    told = contributor.run(command)
    assert "0 stages computed" in told
    assert f"evoscope: drops of all reversals: {notice} (reversal_table)" in told
    assert pd.read_csv(contributor.drawn("table_reversal.csv")).equals(before)
    assert "Artefacts made by other code than the present" in contributor.drawn("table_reversal.md").read_text()
    again = contributor.run(f"{command} stale=recompute")
    assert notice not in again
    after = pd.read_csv(contributor.drawn("table_reversal.csv"))
    assert not after.equals(before)
    assert "0 stages computed" in contributor.run(command)
