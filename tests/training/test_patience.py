"""Training that ends by patience, with cropped images."""

import numpy as np
import pytest
import torch
from torch import nn

from evoscope.data.images import SQUASH, ImageSet, digest
from evoscope.models.checkpoints import RunFolder
from evoscope.models.network import Network, Preprocessing
from evoscope.training import patience
from evoscope.training.loop import read_metrics
from evoscope.training.patience import Crop, cropped, hold_out, out_of_patience, train_patiently
from evoscope.training.recipe import TrainingRecipe

RECIPE = TrainingRecipe("test", lr=0.05, batch_size=8, epochs=4, precision="fp32", eval_images=0, channels_last=False)


@pytest.fixture(params=range(2))
def rng(request):
    return np.random.default_rng(request.param)


class Lit:
    """Dark pictures of class 0, bright ones of class 1, with noise."""

    def read(self, index, pixels, fit=SQUASH):
        noise = np.random.default_rng(index).integers(0, 60, (pixels, pixels, 3))
        return (noise + 120 * (index % 2)).astype(np.uint8)


def lit(count=40):
    rows = np.arange(count)
    ids = tuple(f"lit-{row}" for row in rows)
    return ImageSet("lit", "train", ("dark", "bright"), ids, rows % 2, rows, Lit(), digest(str(count)))


def network(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return Network("tiny", module, ("0",), Preprocessing(8))


def by_loop(losses, allowed):
    """Epoch after which training ends, as one would count it: epochs since the least loss so far."""
    least, since = float("inf"), 0
    for place, loss in enumerate(losses):
        if loss < least:
            least, since = loss, 0
        else:
            since += 1
        if since >= allowed:
            return place
    return None


@pytest.mark.parametrize("allowed", [1, 2, 5])
def test_patience_ends_where_counting_ends(rng, allowed):
    for _ in range(30):
        losses = rng.integers(0, 12, 20).astype(float) + 5 / (1 + np.arange(20))
        ends = [place for place in range(20) if out_of_patience(losses[: place + 1], allowed)]
        assert (ends[0] if ends else None) == by_loop(losses, allowed)


def test_what_is_no_number_gains_nothing():
    assert not out_of_patience([0.5, float("nan"), float("inf")], 3)
    assert out_of_patience([0.5, float("nan"), float("nan"), float("nan")], 3)
    assert out_of_patience([float("nan")] * 4, 3)
    assert not out_of_patience([], 3)


def test_training_and_held_out_images_are_apart_and_alike():
    fit, held = hold_out(lit(100), seed=3)
    assert not set(fit.ids) & set(held.ids)
    assert (len(fit), len(held)) == (80, 20)
    assert np.bincount(held.labels).tolist() == [10, 10]
    assert fit.ids == tuple(name for name in lit(100).ids if name not in set(held.ids))
    assert hold_out(lit(100), seed=4)[1].ids != held.ids


def test_one_checkpoint_is_left_and_it_is_the_last_state(tmp_path):
    fit, held = hold_out(lit(), 0)
    trained = network()
    train_patiently(trained, fit, held, RECIPE, tmp_path, 0, patience=9)
    curve = read_metrics(tmp_path)
    assert curve["epoch"].tolist() == [-1, 0, 1, 2, 3]
    assert curve["train_loss"].iloc[-1] < curve["train_loss"].iloc[0]
    assert RunFolder(tmp_path).epochs == (3,)
    again = network(1)
    RunFolder(tmp_path).load(again.module, 3)
    for one, two in zip(trained.module.parameters(), again.module.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)
    assert {path.name for path in tmp_path.iterdir()} == {"epoch-0003.safetensors", "metrics.parquet"}


def test_training_ends_when_nothing_is_gained(tmp_path):
    fit, held = hold_out(lit(), 0)
    still = TrainingRecipe("still", lr=0.0, batch_size=8, epochs=40, precision="fp32", channels_last=False)
    train_patiently(network(), fit, held, still, tmp_path, 0, patience=2)
    assert RunFolder(tmp_path).epochs == (2,)


class Stopped(Exception):
    """Raised in the middle of a training."""


def test_an_interrupted_training_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    fit, held = hold_out(lit(), 0)
    train_patiently(network(), fit, held, RECIPE, tmp_path / "whole", 0, crop=Crop(), patience=9)
    one_epoch = patience._epoch

    def interrupted(trainer, last):
        if last.epoch == 1:
            raise Stopped
        return one_epoch(trainer, last)

    monkeypatch.setattr(patience, "_epoch", interrupted)
    with pytest.raises(Stopped):
        train_patiently(network(), fit, held, RECIPE, tmp_path / "cut", 0, crop=Crop(), patience=9)
    monkeypatch.undo()
    train_patiently(network(), fit, held, RECIPE, tmp_path / "cut", 0, crop=Crop(), patience=9)
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "cut" / path.name).read_bytes()


def test_crops_are_rectangles_of_the_image(rng):
    """On a picture whose colour is its place, a crop's corners give the rectangle and its middle the mean of them."""
    side, count = 32, 200
    line = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    across, down = torch.meshgrid(line, line, indexing="xy")
    pixels = torch.stack([across, down, torch.zeros_like(down)]).expand(count, 3, side, side).clone()
    found = cropped(pixels, Crop(), torch.Generator().manual_seed(int(rng.integers(99))))
    assert found.shape == pixels.shape
    # Inner pixels only: at the border the nearest pixel counts.
    steps = torch.stack(
        [(found[:, 0, 16, 24] - found[:, 0, 16, 8]) * 2, (found[:, 1, 24, 16] - found[:, 1, 8, 16]) * 2]
    )
    area = steps.prod(0)
    assert float(area.min()) >= 0.499
    assert float(area.max()) <= 1.001
    assert 0.6 < float(area.mean()) < 0.85
    ratio = steps[0] / steps[1]
    assert float(ratio.min()) >= 3 / 4 - 0.01
    assert float(ratio.max()) <= 4 / 3 + 0.01
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    assert torch.unique(found[:, 0, 16, 16]).numel() > count // 2


def test_the_whole_image_is_left_as_it_is(rng):
    pixels = torch.from_numpy(rng.normal(size=(5, 3, 9, 9)))
    found = cropped(pixels, Crop(least=1.0, ratio=1.0), torch.Generator())
    torch.testing.assert_close(found, pixels)
