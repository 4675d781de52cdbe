"""Networks by experiments: usual architectures on a small folder of images, done or refused in one sentence."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evoscope.models.spec import ModelSpec
from evoscope.models.zoo import build

NETS = """
from torch import nn
from torch.nn.functional import relu


class Net(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 24, 3, padding=1)
        self.head = nn.Linear(24, n_classes)

    def forward(self, x):
        return self.head(relu(self.conv2(relu(self.conv1(x)))).mean((2, 3)))


def build(n_classes):
    return Net(n_classes)
"""
CLASSES = ("cats", "dogs")
TORCHVISION = ("densenet121", "mobilenet_v3_small", "swin_t", "vit_b_16", "efficientnet_b0", "resnet50")
TIMM = ("resnet10t", "vit_tiny_patch16_224", "convnext_atto", "swin_tiny_patch4_window7_224")
OWN = "mine"
# A reversal is judged in every layer: of networks that take any size, on small images.
ANY_SIZE = ("swin_t", "densenet121", "mobilenet_v3_small", "efficientnet_b0", "resnet50", "resnet10t", "convnext_atto")
# One state is enough for the first three; the other two may refuse, in a sentence.
ALWAYS = ("unified_space", "concept_discovery", "human_eval")
EXPERIMENTS = (*ALWAYS, "evolution_importance", "outlier_discovery")
TRAINED = ("evolution_importance", "outlier_discovery")
LESS = {
    "concept_discovery": ("discovery.methods=[svd]",),
    "human_eval": ("study.kinds=[alignability,image_intruder]",),
    "evolution_importance": ("~protocols.as_released", "evolution.classes=[cats]"),
    "outlier_discovery": ("outlier.probabilities=[1]",),
}


def spec_of(network: str) -> ModelSpec:
    """The network as the command line names it."""
    if network == OWN:
        return ModelSpec(OWN, pixels=32, factory="matrix_nets:build")
    if network in TIMM:
        kwargs = {"model_name": network, "num_classes": len(CLASSES)}
        return ModelSpec(network, pixels=224, factory="timm:create_model", kwargs=kwargs)
    return ModelSpec(network, pixels=224)


def arguments_of(network: str) -> tuple[str, ...]:
    """The same for run.py."""
    if network == OWN:
        return ("model.factory=matrix_nets:build", "model.pixels=32")
    if network in TIMM:
        return (
            "model.factory=timm:create_model",
            f"model.kwargs={{model_name: {network}, num_classes: {len(CLASSES)}}}",
        )
    return (f"model.name={network}",)


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """Photographs of two classes that differ in colour, and the user's module."""
    (tmp_path / "matrix_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "matrix_nets", raising=False)
    draw = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 6)):
        for label, name in enumerate(CLASSES):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = draw.integers(0, 90, (40, 48, 3), dtype=np.uint8)
                pixels[..., label] += 120
                pixels[number : number + 20, number : number + 20] += 30
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "photos"


def states(network: str, folder: Path) -> str:
    """Pattern of two checkpoints: other weights of the same network."""
    folder.mkdir()
    for epoch in range(2):
        torch.save(build(spec_of(network), len(CLASSES), epoch).module.state_dict(), folder / f"ep{epoch}.pt")
    return f"{folder}/ep{{epoch}}.pt"


def outcome(done) -> str:
    """What became of a run: done, or the refusal in one sentence.

    Raises
    ------
    AssertionError : it ended in any other way.
    """
    said = done.stdout + done.stderr
    for wrong in ("Traceback", "bug of ours", "HYDRA_FULL_ERROR", "Set the environment variable"):
        assert wrong not in said, said[-3000:]
    if done.returncode == 0:
        return "done"
    (refusal,) = [line for line in done.stderr.splitlines() if line.startswith("evoscope: ") and ":" in line[10:]][-1:]
    assert len(done.stderr.strip().splitlines()) < 12, done.stderr
    return refusal


def row(network: str, experiments, run_py, photos) -> dict[str, str]:
    """The outcome of each experiment for one network."""
    found = {}
    for experiment in experiments:
        more = LESS.get(experiment, ())
        given = {
            "evolution_importance": lambda: f"model.checkpoints={states(network, photos.parent / 'run')}",
            "outlier_discovery": lambda: "training.epochs=1",
        }.get(experiment, lambda: "model.checkpoints=as_built")()
        size = ("model.pixels=64",) if network in ANY_SIZE and experiment in TRAINED else ()
        base = "base=own" if network == OWN else f"base={network if network in TORCHVISION else 'own'}"
        done = run_py(
            *(f"experiment={experiment}", "scale=smoke", "data=folder", f"data.root={photos}"),
            *(*arguments_of(network), given, *size, base, *more),
            store=photos.parent / "store",
        )
        found[experiment] = outcome(done)
        if folder := os.environ.get("EVOSCOPE_MATRIX"):
            with Path(folder).open("a") as file:
                file.write(f"| {network} | {experiment} | {found[experiment]} |\n")
                if "-v" in sys.argv:
                    file.write(done.stdout + done.stderr)
    return found


@pytest.mark.slow
def test_a_small_module_in_every_experiment(run_py, photos):
    found = row(OWN, EXPERIMENTS, run_py, photos)
    assert {name: found[name] for name in (*ALWAYS, "evolution_importance")} == dict.fromkeys(
        (*ALWAYS, "evolution_importance"), "done"
    )


@pytest.mark.slow
@pytest.mark.parametrize("network", [*TORCHVISION, *TIMM])
def test_networks_by_experiments(network, run_py, photos):
    found = row(network, EXPERIMENTS, run_py, photos)
    assert {name: found[name] for name in ALWAYS} == dict.fromkeys(ALWAYS, "done")
