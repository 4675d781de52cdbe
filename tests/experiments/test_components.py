"""docs/components.md: every step is performed as it is written there, in a folder of the test's."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from evoscope.errors import EvoscopeError
from evoscope.store import source
from experiments.stages.concept_methods import NamedMethod, decomposition
from human_eval.__main__ import main as human_eval
from human_eval.design import load_study

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "components.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TITLES = ("A data set", "A model", "A discovery method", "A human study")
PHOTOGRAPHS = 12  # in every folder


def sections():
    """Text of each component's section by its title."""
    parts = re.split(r"^## (.*)$", TEXT, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


class Follower:
    """Somebody who does what the document says, with ``mine/`` in a folder of their own."""

    def __init__(self, folder, run_py):
        self.folder, self.run_py = folder, run_py
        (folder / "mine").mkdir()

    def follow(self, title, kinds=("text", "python", "sh")):
        """The blocks of a section in their order, or those of some kinds; what became of the commands."""
        said = []
        for kind, body in BLOCK.findall(sections()[title]):
            if kind not in kinds:
                continue
            text = body.replace("mine/", f"{self.folder}/mine/")
            if kind == "text":
                self.photograph(text.split())
            elif kind == "python":
                first, _, rest = text.partition("\n")
                Path(first.removeprefix("# ")).write_text(rest)
            else:
                said += [self.command(line) for line in text.splitlines()]
        return said

    def photograph(self, patterns):
        """Files for every pattern of the tree: noise, its first colour stronger the later the class."""
        rng = np.random.default_rng(4)
        for label, pattern in enumerate(patterns):
            folder = Path(pattern).parent
            folder.mkdir(parents=True)
            for number in range(PHOTOGRAPHS):
                pixels = rng.integers(0, 150, (40, 40, 3), dtype=np.uint8)
                pixels[..., 0] += np.uint8(100 * (label % 2))
                Image.fromarray(pixels).save(folder / f"{number}.jpg")

    def command(self, line):
        """One line of a shell, in this process."""
        words = [word for word in shlex.split(line) if not word.startswith("PYTHONPATH=")]
        assert words[0] == "python"
        if words[1] == "run.py":
            done = self.run_py(*words[2:])
            assert done.returncode == 0, done.stderr
            return done.stdout
        if words[1:3] == ["-m", "human_eval"]:
            return human_eval(words[3:])
        return runpy.run_path(words[1])


@pytest.fixture
def follower(tmp_path, run_py, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path / "mine")
    yield Follower(tmp_path, run_py)
    for name in ("nets", "methods"):
        sys.modules.pop(name, None)
    # Where a module lies is looked up once per process; the next test has its own under the same name.
    source._path.cache_clear()


def drawn(folder, name):
    (path,) = folder.rglob(name)
    return pd.read_csv(path)


def test_the_document_has_three_steps_for_each_component():
    assert tuple(sections()) == TITLES
    for text in sections().values():
        assert re.findall(r"^(\d)\. ", text, re.MULTILINE) == ["1", "2", "3"]


def test_a_data_set(follower, tmp_path):
    follower.follow("A data set")
    assert set(drawn(tmp_path, "table_training.csv")["run"]) == {"vgg16"}


@pytest.mark.slow
def test_a_model(follower, tmp_path):
    follower.follow("A data set", kinds=("text",))
    follower.follow("A model")
    metrics = drawn(tmp_path, "table_metrics.csv")
    assert "own" in set(metrics["run"])


@pytest.mark.slow
def test_a_discovery_method(follower, tmp_path):
    follower.follow("A discovery method")
    truth = drawn(tmp_path, "table_concept_truth.csv")
    assert list(truth["method"].unique()) == ["svd", "methods:Differences"]
    own = truth[truth["method"] == "methods:Differences"].set_index("metric")
    assert own.loc["recovery auc", "value"] > 0.5
    assert list(tmp_path.rglob("fig_clusters.png"))


def test_a_discovery_method_alone(follower, tmp_path):
    """The same class without networks: it is found, fits, and a change of its file is another artefact."""
    follower.follow("A discovery method", kinds=("python",))
    features = np.random.default_rng(5).random((40, 6))
    basis = decomposition("methods:Differences", None).fit(features, 0, "layer")
    np.testing.assert_allclose(np.linalg.norm(basis.directions, axis=1), 1)
    before = NamedMethod.of("methods:Differences")
    with (tmp_path / "mine" / "methods.py").open("a") as file:
        file.write("MORE = 1\n")
    assert NamedMethod.of("methods:Differences") != before
    assert NamedMethod.of("svd").code == ""


@pytest.mark.parametrize(
    ("name", "clue"),
    [
        ("methods:", "discovery.methods='methods:' names no function"),
        ("nowhere:Differences", "discovery.methods='nowhere:Differences' needs a module 'nowhere'"),
        ("methods:Difference", "Differences"),
        ("methods:dataclass", "has no fit()"),
    ],
)
def test_what_is_no_method_is_refused_in_one_sentence(name, clue, follower):
    follower.follow("A discovery method", kinds=("python",))
    with pytest.raises(EvoscopeError) as problem:
        NamedMethod.of(name)
    assert clue in str(problem.value)


def test_a_human_study(follower, tmp_path):
    follower.follow("A data set", kinds=("text",))
    assert follower.follow("A human study")[1:] == [0, 0]
    study = load_study(tmp_path / "mine" / "study")
    assert {trial.condition for trial in study.trials if trial.role == "main"} == {"class"}
    assert list((tmp_path / "mine" / "pages").rglob("index.html"))
