import contextlib
import math

import numpy as np
import pytest
import torch
from torch import nn

from evoscope.data.loader import Batch
from evoscope.training.epochs import EpochMetrics, Scores, evaluate, ranks, row, table


def slow_rank(logits, label):
    """Definition: place of the class in a stable sort, best first; a row with NaN is in the last place."""
    if np.isnan(logits).any():
        return len(logits)
    order = sorted(range(len(logits)), key=lambda number: (-logits[number], number))
    return order.index(label)


@pytest.mark.parametrize("seed", range(5))
def test_ranks_equal_a_slow_sort(seed):
    random = np.random.default_rng(seed)
    logits = random.integers(-3, 4, size=(60, 9)).astype(np.float32)  # many ties
    logits[random.random(logits.shape) < 0.03] = np.nan
    logits[random.random(logits.shape) < 0.03] = np.inf
    labels = random.integers(0, 9, size=60)
    expected = [slow_rank(values, label) for values, label in zip(logits, labels, strict=True)]
    assert ranks(torch.from_numpy(logits), torch.from_numpy(labels)).tolist() == expected


def test_a_constant_network_scores_at_chance_and_a_broken_one_nothing():
    labels = torch.arange(10)
    assert int((ranks(torch.zeros(10, 10), labels) < 1).sum()) == 1
    assert int((ranks(torch.full((10, 10), math.nan), labels) < 5).sum()) == 0


def batches(images, labels, size):
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        yield Batch(images[part], labels[part], torch.arange(len(images))[part])


@pytest.mark.parametrize("size", [1, 7, 40])
def test_scores_equal_float64_definitions(size):
    torch.manual_seed(size)
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.Dropout(0.5))
    images, labels = torch.randn(40, 3, 2, 2), torch.randint(0, 8, (40,))
    scores = evaluate(module, batches(images, labels, size), contextlib.nullcontext)
    logits = module(images).detach().numpy().astype(np.float64)
    place = np.array([slow_rank(values, label) for values, label in zip(logits, labels.numpy(), strict=True)])
    own = logits[np.arange(40), labels.numpy()]
    assert scores.top1 == (place == 0).mean()
    assert scores.top5 == (place < 5).mean()
    assert scores.loss == pytest.approx((np.log(np.exp(logits).sum(1)) - own).mean(), abs=1e-6)
    assert not module.training


def test_a_loss_that_is_no_number_counts_as_divergence():
    fine, broken = Scores(0.5, 1.0, 0.7), Scores(0.0, 0.0, math.nan)
    assert not row(0, fine, fine, diverged=False).diverged
    assert row(0, fine, fine, diverged=True).diverged
    assert row(0, fine, broken, diverged=False).diverged
    assert row(0, Scores(0, 0, math.inf), fine, diverged=False).diverged


def test_the_table_has_a_row_per_epoch():
    rows = [EpochMetrics(epoch, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, False) for epoch in (-1, 0, 1)]
    frame = table(rows)
    assert frame["epoch"].tolist() == [-1, 0, 1]
    accuracies = ["train_top1", "train_top5", "test_top1", "test_top5"]
    assert list(frame) == ["epoch", *accuracies, "train_loss", "test_loss", "diverged"]
