"""The ten lines of the README on networks whose answers are known, and what they refuse."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

import evoscope as es
from evoscope.errors import EvoscopeError

ROOT = Path(__file__).parents[1]
SIDE = 16


class Planted(nn.Module):
    """Channels of ``maps``: red, green, minus brightness, and the top left quadrant's red; logits: green and red."""

    def __init__(self, strength=1.0):
        super().__init__()
        self.maps = nn.Conv2d(3, 4, 1, bias=False)
        weight = torch.tensor([[1.0, -0.5, -0.5], [-0.5, 1.0, -0.5], [-1.0, -1.0, -1.0], [1.0, 0.0, 0.0]])
        self.maps.weight.data = strength * weight[:, :, None, None]
        self.window = nn.Identity()
        self.register_buffer("mask", torch.zeros(1, 4, SIDE, SIDE))
        self.mask[:, :3] = 1
        self.mask[:, 3, : SIDE // 2, : SIDE // 2] = 1

    def forward(self, pixels):
        maps = self.window(self.maps(pixels) * self.mask)
        return maps[:, [1, 0]].mean(dim=(2, 3)) * 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve images of each of two classes: a red or a green square on noise, at a place that is drawn."""
    root, draw = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for name, channel in (("red", 0), ("green", 1)):
        (root / "train" / name).mkdir(parents=True)
        for number in range(12):
            pixels = draw.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
            y, x = draw.integers(0, SIDE - 6, 2)
            pixels[y : y + 6, x : x + 6, channel] = 255
            Image.fromarray(pixels).save(root / "train" / name / f"{number:02}.png")
    (root / "test" / "red").mkdir(parents=True)
    Image.fromarray(pixels).save(root / "test" / "red" / "0.png")
    return root


def planted(strength=1.0):
    return es.network(
        Planted(strength), pixels=SIDE, layers=["window"], mean=(0, 0, 0), std=(1, 1, 1), name=f"planted {strength}"
    )


def test_the_lines_of_the_readme_run(folder, tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.search(r"```python\n(import evoscope as es\n.*?)```", text, re.DOTALL)
    assert lines is not None
    code = lines[1]
    assert len(code.strip().splitlines()) <= 12
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").symlink_to(folder)
    (tmp_path / "mine.py").write_text(
        "from tests.test_api import Planted\n\ndef at_epoch(n):\n    return Planted(0.1 + 0.1 * n)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    code = code.replace("pixels=64", f"pixels={SIDE}").replace("layer4", "window").replace("cat", "red")
    held = {}
    exec(compile(code, "README.md", "exec"), held)  # the README's own lines are what is tested
    assert isinstance(held["drops"], pd.DataFrame)


def test_stimuli_are_the_planted_images_at_the_planted_places(folder):
    photos = es.images(folder)
    table = es.stimuli_table(es.stimuli(planted(), photos, k=8))
    red = table[table["neuron"] == "window#0"]
    assert red["image"].str.contains("red/").all()
    for row in red.itertuples():
        pixels = np.asarray(Image.open(folder / row.image))
        at = pixels[int(row.row * SIDE), int(row.column * SIDE)]
        assert at[0] == 255
    corner = table[table["neuron"] == "window#3"]
    assert (corner[["row", "column"]] < 0.5).all(axis=None)
    dark = table[(table["neuron"] == "window#2") & (table["rank"] == 0)].iloc[0]
    pixels = np.asarray(Image.open(folder / dark.image)).astype(int)
    assert pixels[int(dark.row * SIDE), int(dark.column * SIDE)].sum() == pixels.sum(axis=2).min()


def test_a_network_and_its_double_are_each_others_nearest(folder):
    photos = es.images(folder)
    one, two = (es.stimuli(planted(strength), photos, k=8) for strength in (1.0, 2.0))
    space = es.semantic_space(one)
    here, there = space.project(one), space.project(two)
    assert list(here.index) == [f"window#{channel}" for channel in range(4)]
    assert es.nearest("window#0", here, there, 1).index[0] == "window#0"
    with pytest.raises(EvoscopeError, match="window#0"):
        es.nearest("window#9", here, there)


def test_concept_vectors_are_the_singular_vectors_of_the_pooled_maps(folder):
    photos, net = es.images(folder), planted()
    vectors = es.ConceptVectors("window", places=2)
    scores = vectors.fit_transform(net, photos)
    pixels = np.stack([photos.read(row, SIDE, net.preprocessing.fit) for row in range(len(photos))])
    weight = net.module.maps.weight.detach().numpy()[:, :, 0, 0].astype(np.float64)
    maps = np.einsum("nhwc,kc->nkhw", pixels / 255.0, weight) * net.module.mask.numpy()
    features = maps.mean(axis=(2, 3))
    _, values, rows = np.linalg.svd(features, full_matrices=False)
    assert np.allclose(vectors.singular_values_, values, rtol=1e-4)
    assert np.allclose(np.abs(scores), np.abs(features @ rows.T), atol=1e-4)
    assert set(vectors.classes_["class"]) == {"red", "green"}


def test_the_channel_that_is_the_logit_matters_most_and_costs_most(folder):
    photos, before, after = es.images(folder), planted(0.1), planted(1.0)
    found = es.importance(before, after, photos, "red")
    assert found.index[0] == "window#0"
    assert found.loc["window#0", "score"] == 1
    assert found.loc["window#2", "mean"] == 0
    drops = es.reversal(before, after, photos, "red", found)
    assert list(drops.index) == ["bin1", "bin2", "bin3", "bin4", "random"]
    assert drops["top1"].min() == drops.loc["bin1", "top1"]
    with pytest.raises(EvoscopeError, match="'red'"):
        es.importance(before, after, photos, "rde")
    with pytest.raises(EvoscopeError, match="other neurons"):
        es.reversal(before, after, photos, "red", found.iloc[1:])


def test_the_names_are_those_of_the_module_and_nothing_heavy_is_imported_before_they_are_used():
    from evoscope import api

    own = {name for name, each in vars(api).items() if getattr(each, "__module__", "") == api.__name__}
    assert set(es.API) == {name for name in own if not name.startswith("_")}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        es.nothing  # noqa: B018
