"""Boards judged blind: a form without methods, then the methods once judged; judgements of other boards are refused."""

import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from evoscope.discovery.equal_rank import BOARD
from evoscope.errors import EvoscopeError
from experiments.stages.blind_boards import farther_side, read_judgements

NETWORK = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2))
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Arguments of run.py for a small network of one's own on bright and dark photographs."""
    rng = np.random.default_rng(4)
    for split in ("train", "val"):
        for number in range(30):
            path = tmp_path / "photos" / split / ("odd" if number % 2 else "even") / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            low = 180 * (number % 2)
            Image.fromarray(rng.integers(low, low + 60, (24, 24, 3), dtype=np.uint8)).save(path)
    (tmp_path / "judged_network.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    yield [
        *("experiment=concept_discovery", "scale=smoke", "data=folder", f"data.root={tmp_path / 'photos'}"),
        *("model.factory=judged_network:build", "model.checkpoints=as_built", "model.pixels=24"),
        *("model.layers=['0']", "discovery.methods=[svd,neurons]", "data.pool_fraction=null"),
        "only=[table_blind_boards]",
    ]
    sys.modules.pop("judged_network", None)


def test_from_the_form_to_the_methods(run_py, command, tmp_path):
    store = tmp_path / "store"
    done = run_py(*command, "discovery.blind=2", store=store)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.rglob("table_blind_boards.csv")
    form = pd.read_csv(path)
    assert list(form.columns) == ["sheet", "board", "one_thing"]
    assert form["board"].tolist() == list(range(1, 7))  # svd, neurons and refined concepts
    assert not any(name in path.with_suffix(".md").read_text() for name in ("SVD", "neurons (", "refined"))
    judged = form.assign(one_thing=["yes", "no", "", "yes", "no", "no"])
    judged.to_csv(tmp_path / "mine.csv", index=False)
    done = run_py(*command, "discovery.blind=2", f"discovery.judged={tmp_path / 'mine.csv'}", store=store)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(max(tmp_path.rglob("table_blind_boards.csv"), key=lambda file: file.stat().st_mtime))
    assert sorted(table["method"]) == ["neurons"] * 2 + ["refined"] * 2 + ["svd"] * 2
    assert table["one_thing"].astype("boolean").tolist() == [True, False, pd.NA, True, False, False]
    judged.assign(sheet="0").to_csv(tmp_path / "other.csv", index=False)
    done = run_py(*command, "discovery.blind=2", f"discovery.judged={tmp_path / 'other.csv'}", store=store)
    assert done.returncode != 0
    assert "judgements of the boards '0'" in done.stderr


@pytest.mark.parametrize(
    ("text", "clue"),
    [
        ("board,one_thing\n1,yes\n", "lacks the column sheet"),
        ("sheet,board,one_thing\na,1,perhaps\n", "line 2: board '1' is judged 'perhaps'"),
        ("sheet,board,one_thing\na,1,yes\na,1,no\n", "line 3"),
        ("sheet,board,one_thing\na,1,yes\nb,2,no\n", "names no sheet, or several"),
        ("sheet,board,one_thing\na,1,\n", "holds no judgement"),
        ("", "cannot be read"),
    ],
)
def test_a_form_that_is_wrong_is_refused(text, clue, tmp_path):
    (tmp_path / "form.csv").write_text(text)
    with pytest.raises(EvoscopeError, match=clue):
        read_judgements(tmp_path / "form.csv")


def test_the_side_with_the_farther_images():
    rng = np.random.default_rng(2)
    for _ in range(20):
        scores = rng.normal(size=50) ** 3
        side, top = farther_side(scores)
        ranked = sorted(range(50), key=lambda image: -side * scores[image])[:BOARD]
        other = sorted(range(50), key=lambda image: side * scores[image])[:BOARD]
        assert sorted(top) == sorted(ranked)
        assert abs(scores[ranked].mean() - scores.mean()) >= abs(scores[other].mean() - scores.mean())
