"""Somebody's own network, checkpoints and photographs, through the whole experiment."""

import json

import numpy as np
import pandas as pd
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


def checkpoints(folder, module) -> None:
    namespace: dict = {}
    exec(module, namespace)
    folder.mkdir()
    for epoch in (0, 5, 10, 20):
        torch.manual_seed(epoch)
        state = namespace["build"](2).state_dict()
        torch.save(
            {"net": {f"wrapped.{k}": v for k, v in state.items()}, "epoch": epoch}, folder / f"ep{epoch}.pt"
        )


def test_unknown_module_with_four_checkpoints(run_py, tmp_path, monkeypatch):
    photographs(tmp_path / "photos")
    (tmp_path / "odd_network.py").write_text(MODULE)
    checkpoints(tmp_path / "run", MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    done = run_py(
        "experiment=unified_space",
        "scale=smoke",
        "data=folder",
        f"data.root={tmp_path / 'photos'}",
        "model.factory=odd_network:build",
        f"model.checkpoints={tmp_path / 'run'}/ep{{epoch}}.pt",
        "model.state_dict_key=net",
        "model.strip_prefix=wrapped.",
        "model.pixels=32",
        "model.layers=[stem,left,right]",
        store=tmp_path / "store",
    )
    assert done.returncode == 0, done.stderr
    (status,) = (json.loads(path.read_text()) for path in tmp_path.rglob("status.json"))
    assert any("fig_alignment" in output for output in status["outputs"])
    (table,) = (pd.read_parquet(path) for path in (tmp_path / "store" / "map").rglob("neurons.parquet"))
    own = table[table["run"] == "own"]
    assert sorted(own["epoch"].unique()) == [0, 5, 10, 20]
    assert set(own["layer"]) == {"stem", "left", "right"}
    assert len(own) == 4 * (8 + 12 + 12)
