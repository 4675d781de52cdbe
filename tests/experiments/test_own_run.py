"""Somebody's own network, checkpoints and photographs, through the whole experiment."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

MODULE = '''
from torch import nn


class Odd(nn.Module):
    """Nothing that the library has seen before: a branch, a sum, and its own names."""

    def __init__(self, n_classes):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.left = nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.ReLU())
        self.right = nn.Conv2d(8, 12, 1)
        self.head = nn.Linear(12, n_classes)

    def forward(self, x):
        x = self.stem(x).relu()
        return self.head((self.left(x) + self.right(x)).mean((2, 3)))


def build(n_classes=2):
    return Odd(n_classes)
'''


def photographs(root) -> None:
    rng = np.random.default_rng(3)
    for split, count in (("train", 12), ("val", 4)):
        for label, colour in enumerate(("reds", "blues")):
            folder = root / split / colour
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 120, size=(40, 50, 3), dtype=np.uint8)
                pixels[10:30, 10:30, 2 * label] += 100
                Image.fromarray(pixels).save(folder / f"{number}.png")


def checkpoints(folder, module, classes=2) -> None:
    namespace: dict = {}
    exec(module, namespace)
    folder.mkdir()
    for epoch in (0, 5, 10, 20):
        torch.manual_seed(epoch)
        state = namespace["build"](classes).state_dict()
        torch.save({"net": {f"wrapped.{k}": v for k, v in state.items()}, "epoch": epoch}, folder / f"ep{epoch}.pt")


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Arguments of run.py for somebody's network with checkpoints of so many classes and photographs of two."""
    photographs(tmp_path / "photos")
    (tmp_path / "odd_network.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)

    def write(classes: int = 2, layers: str = "stem,left,right", prefix: str = "wrapped.") -> list[str]:
        checkpoints(tmp_path / "run", MODULE, classes)
        return [
            "experiment=unified_space",
            "scale=smoke",
            "data=folder",
            f"data.root={tmp_path / 'photos'}",
            "model.factory=odd_network:build",
            f"model.checkpoints={tmp_path / 'run'}/ep{{epoch}}.pt",
            "model.state_dict_key=net",
            f"model.strip_prefix={prefix}",
            "model.pixels=32",
            f"model.layers=[{layers}]",
        ]

    yield write
    sys.modules.pop("odd_network", None)


def test_unknown_module_with_four_checkpoints(run_py, command, tmp_path):
    done = run_py(*command(), store=tmp_path / "store")
    assert done.returncode == 0, done.stderr
    (status,) = (json.loads(path.read_text()) for path in tmp_path.rglob("status.json"))
    assert any("fig_alignment" in output for output in status["outputs"])
    (table,) = (pd.read_parquet(path) for path in (tmp_path / "store" / "neuron_map").rglob("neurons.parquet"))
    own = table[table["run"] == "own"]
    assert sorted(own["epoch"].unique()) == [0, 5, 10, 20]
    assert set(own["layer"]) == {"stem", "left", "right"}
    assert len(own) == 4 * (8 + 12 + 12)


@pytest.mark.parametrize(
    ("mistake", "clue"),
    [({"layers": "stem,lfet"}, "there is no layer 'lfet'"), ({"prefix": "warpped."}, "wrapped.stem.weight")],
)
def test_what_does_not_fit_is_refused_before_the_base_is_trained(mistake, clue, run_py, command, tmp_path):
    done = run_py(*command(**mistake), store=tmp_path / "store")
    assert done.returncode != 0
    assert clue in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "store").rglob("*"))


def test_a_damaged_first_checkpoint_is_refused_before_the_base_is_trained(run_py, command, tmp_path):
    arguments = command()
    (tmp_path / "run" / "ep0.pt").write_bytes(b"cut off")
    done = run_py(*arguments, "dry_run=true", store=tmp_path / "store")
    assert done.returncode != 0
    assert "ep0.pt" in done.stderr
    assert not list((tmp_path / "store").rglob("*"))


def evolutions(arguments) -> list[str]:
    """The same for the experiment on evolutions."""
    return [argument.replace("=unified_space", "=evolution_importance") for argument in arguments]


def spoil(folder, change) -> None:
    """Change the weights of the last checkpoint."""
    path = folder / "run" / "ep20.pt"
    saved = torch.load(path, weights_only=True)
    change(saved["net"])
    torch.save(saved, path)


def test_evolutions_of_an_unknown_module(run_py, command, tmp_path):
    done = run_py(*evolutions(command()), "only=[table_reversal]", store=tmp_path / "store")
    assert done.returncode == 0, done.stderr
    (table,) = tmp_path.rglob("table_reversal.csv")
    rows = pd.read_csv(table)
    assert set(rows["run"]) == {"own"}
    assert set(zip(rows["from_epoch"], rows["to_epoch"], strict=True)) == {(0, 10), (10, 20)}
    assert set(rows["protocol"]) == {"corrected", "as_released"}
    assert "at a time, importance takes" in done.stdout


def test_a_checkpoint_with_nan_is_named(run_py, command, tmp_path):
    arguments = evolutions(command())
    spoil(tmp_path, lambda state: state["wrapped.right.weight"].fill_(float("nan")))
    done = run_py(*arguments, store=tmp_path / "store")
    assert done.returncode != 0
    assert "own at epoch 20 has" in done.stderr
    assert "NaN or infinite activations in layer 'right'" in done.stderr


def test_checkpoints_of_two_architectures_are_named(run_py, command, tmp_path):
    arguments = evolutions(command())
    spoil(tmp_path, lambda state: state.update({"wrapped.right.weight": torch.zeros(7, 8, 1, 1)}))
    done = run_py(*arguments, store=tmp_path / "store")
    assert done.returncode != 0
    assert "ep20.pt" in done.stderr
    assert "right.weight" in done.stderr
    assert "Traceback" not in done.stderr
