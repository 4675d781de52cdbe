"""Concept discovery as an experiment: degenerate layers, and what it refuses or survives."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from evoscope.data.images import ConceptTable
from evoscope.discovery.basis import Moments
from evoscope.discovery.latent import LayerLatents
from evoscope.discovery.protocol import RefineRule
from evoscope.discovery.refine import refine
from evoscope.errors import EvoscopeError
from experiments.stages import concept_relevance
from experiments.stages.concept_methods import METHODS, decomposition
from tests import protocols


@pytest.fixture
def rng():
    return np.random.default_rng(6)


def degenerate(kind, rng):
    if kind == "one channel":
        return rng.random((30, 1))
    return rng.random((7, 12)) if kind == "fewer images than channels" else np.full((20, 5), 0.5)


@pytest.mark.parametrize("kind", ["one channel", "fewer images than channels"])
@pytest.mark.parametrize("method", METHODS)
def test_degenerate_layers_have_directions_and_counts(method, kind, rng):
    features = degenerate(kind, rng).astype(np.float32)
    present = np.arange(len(features))[:, None] % 2 == 0
    basis = decomposition(method, ConceptTable(("part:a",), present)).fit(features, 0, "layer")
    assert np.isfinite(basis.directions).all()
    found = refine(features, basis.directions, RefineRule(), layer="layer")
    assert len(found.surviving) == len(basis)


@pytest.mark.parametrize("method", ["nmf", "ica", "kmeans"])
def test_constant_features_are_refused_in_one_sentence(method, rng):
    with pytest.raises(EvoscopeError, match="the same for all images"):
        decomposition(method, None).fit(degenerate("constant", rng).astype(np.float32), 0, "layer")


@pytest.mark.parametrize("method", [name for name in METHODS if name != "probes"])
def test_nan_features_are_refused_in_one_sentence(method, rng):
    features = rng.random((20, 5))
    features[3, 2] = np.nan
    with pytest.raises(EvoscopeError, match="NaN"):
        decomposition(method, None).fit(features, 0, "layer")


def test_stability_of_a_layer_with_fewer_images_than_channels(rng):
    features = rng.random((5, 8)).astype(np.float32)
    one = np.zeros(5, np.int64)
    layer = scan_layer(features, one)
    cosine = concept_relevance.resampled(layer, protocols.discovery("corrected"), seed=0, resamples=3)
    assert cosine.shape == (8,)
    assert ((cosine >= 0) & (cosine <= 1 + 1e-9)).all()


def scan_layer(features, labels):
    return LayerLatents(Moments.of("layer", features, labels, labels, 1), features, None, None, None)


CASES = {
    "layer": (["discovery.layer=features.99"], "features.99"),
    "one of two layers": (["discovery.layer=[features.43,features.99]"], "features.99"),
    "followed layers": (["discovery.layer=[features.30,features.43]"], "discovery.evolution=false"),
    "epoch": (["discovery.epoch=99"], "epoch 99"),
    "class": (["discovery.classes=[unicorn]"], "unicorn"),
    "too little memory": (["memory_mb=0"], "memory_mb=0 is impossible"),
    "method": (["discovery.methods=[svd,magic]"], "kmeans"),
    "no method": (["discovery.methods=[]"], "discovery.methods is empty"),
    "side": (["protocol.discovery.side=diagonals"], "columns"),
    "threshold": (["protocol.discovery.refine.ward=-1"], "ward=-1"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_before_any_work(case, run_py, tmp_path):
    arguments, clue = CASES[case]
    done = run_py("experiment=concept_discovery", "scale=smoke", "model=vgg16", *arguments, store=tmp_path / "store")
    assert done.returncode != 0
    assert clue in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "store").exists()


WIDE = """
from torch import nn

def build():
    return nn.Sequential(nn.Conv2d(3, 48, 4, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 2))
"""


def test_rows_that_do_not_fit_are_refused_before_any_work_with_a_number_that_works(run_py, tmp_path, monkeypatch, rng):
    """1,400 images with their three quantities and 40 held-out ones, of 48 channels each, take 1.1 MB."""
    for split, count in (("train", 1400), ("val", 40)):
        for number in range(count):
            path = tmp_path / "photos" / split / "ab"[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    (tmp_path / "wide_network.py").write_text(WIDE)
    monkeypatch.syspath_prepend(tmp_path)
    arguments = (
        "experiment=concept_discovery", "scale=smoke", "data=folder", f"data.root={tmp_path / 'photos'}",
        "model.factory=wide_network:build", "model.checkpoints=as_built", "model.pixels=8", "model.layers=['0']",
        "discovery.layer='0'", "discovery.methods=[neurons]", "data.train_images=null", "scale.latent_images=null",
        "~protocols.as_released", "only=[table_clusters]",
    )  # fmt: skip
    refused = run_py(*arguments, "memory_mb=1", store=tmp_path / "store")
    assert refused.returncode != 0
    (enough,) = re.findall(r"give memory_mb=(\d+) or more", refused.stderr)
    assert int(enough) == 2
    assert not (tmp_path / "store").exists()
    done = run_py(*arguments, f"memory_mb={enough}", store=tmp_path / "store")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "outputs").rglob("table_clusters.csv"))


def test_as_released_and_few_methods(run_py, tmp_path):
    """The released protocol may be the job's own; only the evolution needs the base."""
    done = run_py(
        "experiment=concept_discovery", "scale=smoke", "model=vgg16", "protocol=as_released",
        "discovery.methods=[neurons]", "~protocols.corrected", "discovery.classes=[0]", "discovery.epoch=0",
        "discovery.evolution=false", "only=[table_clusters]",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "vgg19" not in done.stdout
    (table,) = tmp_path.rglob("table_clusters.csv")
    assert set(pd.read_csv(table)["protocol"]) == {"as_released", "published"}
