"""Somebody's own concept labels for own photographs: every truth score finds what was planted."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from evoscope.artefacts import load
from experiments.stages.stimuli import Looked

# Channel 0 sees red, channel 1 blue, channel 2 green; the classes are bright and dark.
PLANTED = """
import torch
from torch import nn

class Planted(nn.Module):
    def __init__(self):
        super().__init__()
        self.see, self.head = nn.Conv2d(3, 3, 1, bias=False), nn.Linear(3, 2, bias=False)
        with torch.no_grad():
            self.see.weight.copy_(torch.tensor([[2., -1, -1], [-1, -1, 2], [-1, 2, -1]])[..., None, None])

    def forward(self, x):
        return self.head(self.see(x).relu().mean((2, 3)))

def build():
    return Planted()
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Arguments of run.py for planted photographs, their labels, and a network that sees the concepts."""
    rng = np.random.default_rng(0)
    lines = ["file,red,blue,even"]
    for split, count in (("train", 30), ("val", 20)):
        for number in range(2 * count):
            red, blue = rng.integers(0, 2, 2)
            grey = 40 if number % 2 else 90
            pixels = np.full((24, 24, 3), grey, dtype=np.uint8) + rng.integers(0, 20, (24, 24, 3), dtype=np.uint8)
            for shown, channel, corner in ((red, 0, 2), (blue, 2, 14)):
                pixels[corner : corner + 8, corner : corner + 8, channel] += 120 * np.uint8(shown)
            name = f"{split}/{'dark' if number % 2 else 'bright'}/{number}.png"
            (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "photos" / name)
            lines.append(f"{name},{red},{blue},{1 - number % 2}")
    (tmp_path / "labels.csv").write_text("\n".join([*lines, "train/lost.png,1,1,1"]))
    (tmp_path / "planted_concepts.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    import planted_concepts

    (tmp_path / "run").mkdir()
    torch.save(planted_concepts.build().state_dict(), tmp_path / "run" / "ep1.pt")
    yield [
        *("scale=smoke", "data=folder", f"data.root={tmp_path / 'photos'}", "data.pool_fraction=null"),
        *("data.train_images=null", "data.test_images=null", f"data.concepts={tmp_path / 'labels.csv'}"),
        *("model.factory=planted_concepts:build", f"model.checkpoints={tmp_path}/run/ep{{epoch}}.pt"),
        *("model.pixels=24", "model.layers=[see]", "discovery.evolution=false"),
    ]
    sys.modules.pop("planted_concepts", None)


def test_directions_and_boards_are_judged_by_the_labels(command, run_py, tmp_path):
    less = ("discovery.methods=[svd,neurons,probes]", "only=[fig_concept_truth,table_concept_truth]")
    done = run_py("experiment=concept_discovery", *command, *less, store=tmp_path / "store")
    assert done.returncode == 0, done.stderr
    assert "1 row of labels.csv is about no image: train/lost.png" in done.stderr
    (table,) = tmp_path.rglob("table_concept_truth.csv")
    rows = pd.read_csv(table).set_index(["method", "metric"])
    assert set(rows.index.get_level_values("metric")) == {"recovery auc", "matched correlation", "distinctness"}
    assert (rows["concepts"].max(), rows.loc[("neurons", "recovery auc"), "value"] > 0.8) == (3, True)
    assert "labelled with (data.concepts)" in next(tmp_path.rglob("fig_concept_truth.md")).read_text()


def test_planted_concepts_are_found_and_located(command, run_py, tmp_path):
    """A channel that is twice red less the rest sees the red stamp, wherever it is."""
    planted = [each for each in command if not each.startswith("data.concepts")]
    more = ["discovery.methods=[svd,neurons]", "data.concepts=planted", "only=[fig_concept_truth,table_concept_truth]"]
    done = run_py("experiment=concept_discovery", *planted, *more, store=tmp_path / "store")
    assert done.returncode == 0, done.stderr
    (table,) = tmp_path.rglob("table_concept_truth.csv")
    rows = pd.read_csv(table).set_index(["method", "metric"])
    assert {"pointing", "iou"} <= set(rows.index.get_level_values("metric"))
    assert rows.loc[("neurons", "pointing"), "value"] > rows.loc[("neurons", "pointing"), "null"] + 0.2
    assert "the images were made with" in next(tmp_path.rglob("fig_concept_truth.md")).read_text()


def test_neurons_get_the_concept_that_they_see(command, run_py, tmp_path):
    done = run_py("experiment=unified_space", *command, "base=vgg16", "only=[table_metrics]", store=tmp_path / "store")
    assert done.returncode == 0, done.stderr
    found = [load(Looked, path.parent) for path in (tmp_path / "store" / "stimuli").rglob("fields.json")]
    (own,) = [each for each in found if set(each.stimuli.neurons.layers) == {"see"}]
    assert own.concepts.names == ("red", "blue", "even")
    assert own.concepts.all_names()[:2] == ["red", "blue"]
    assert (own.concepts.auc_held_out[[0, 1], [0, 1]] == 1).all()
    (table,) = tmp_path.rglob("table_metrics.csv")
    assert pd.read_csv(table)["metric"].str.contains("purity").any()


def test_labels_do_not_train_anew(command, run_py, tmp_path):
    arguments = ["experiment=train", *command[:7], "model=vgg16"]
    assert "2 stages computed" in run_py(*arguments, store=tmp_path / "store").stdout
    labels = tmp_path / "labels.csv"
    labels.write_text(labels.read_text().replace("red", "crimson"))
    assert "0 stages computed" in run_py(*arguments, store=tmp_path / "store").stdout


def test_drawn_scenes_take_no_labels(run_py, tmp_path):
    done = run_py("experiment=scenes", "scale=smoke", "data.concepts=labels.csv", store=tmp_path / "store")
    assert done.returncode == 1
    assert "data.concepts is for photographs" in done.stderr
