"""Accuracy and loss of a classifier, also when its outputs are no longer numbers."""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from evoscope.data.loader import Batch

Autocast = Callable[[], AbstractContextManager[object]]
TOP = 5


@dataclass(frozen=True)
class Scores:
    """Shares of images whose class is the first, or among the first five; mean cross-entropy in nats."""

    top1: float
    top5: float
    loss: float


@dataclass(frozen=True)
class EpochMetrics:
    """One row of ``metrics.parquet``.

    ``diverged``: the loss was NaN or infinite in this epoch or in one before.
    """

    epoch: int
    train_top1: float
    train_top5: float
    test_top1: float
    test_top5: float
    train_loss: float
    test_loss: float
    diverged: bool


def ranks(logits: Tensor, labels: Tensor) -> Tensor:
    """Rank of each image's own class among its logits, 0 being the first.

    Equal logits rank by class number. A row with any NaN ranks last: a diverged network knows nothing, though
    sorting would put NaN first.

    Parameters
    ----------
    logits : [images, classes]; labels : int64 [images].

    Returns
    -------
    int64 [images].
    """
    own = logits.gather(1, labels[:, None])
    earlier = torch.arange(logits.shape[1], device=logits.device) < labels[:, None]
    rank = ((logits > own) | ((logits == own) & earlier)).sum(1)
    return torch.where(logits.isnan().any(1), logits.shape[1], rank)


def evaluate(module: nn.Module, batches: Iterable[Batch], autocast: Autocast) -> Scores:
    """Score a module in eval mode (left so) over batches of `evoscope.data.loader.Batch`."""
    module.eval()
    first, among, loss, count = 0, 0, 0.0, 0
    with torch.no_grad():
        for batch in batches:
            with autocast():
                logits = module(batch.pixels)
            rank = ranks(logits.float(), batch.labels)
            first += int((rank < 1).sum())
            among += int((rank < TOP).sum())
            loss += float(functional.cross_entropy(logits.double(), batch.labels, reduction="sum"))
            count += len(batch.labels)
    return Scores(first / count, among / count, loss / count)


def row(epoch: int, train: Scores, test: Scores, diverged: bool) -> EpochMetrics:
    """Join the scores of one epoch; a loss that is no finite number counts as divergence too."""
    finite = math.isfinite(train.loss) and math.isfinite(test.loss)
    accuracies = (train.top1, train.top5, test.top1, test.top5)
    return EpochMetrics(epoch, *accuracies, train.loss, test.loss, diverged or not finite)


def table(rows: Iterable[EpochMetrics]) -> pd.DataFrame:
    """Metrics of a run, one row per epoch, the initial state being epoch -1."""
    return pd.DataFrame([asdict(each) for each in rows])
