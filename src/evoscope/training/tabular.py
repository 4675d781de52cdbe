"""Training on the rows of a table: Adam on the cross-entropy, all rows in memory."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from evoscope.arrays import Floats, Ints
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent
from evoscope.seeds import generator


def train_rows(
    module: nn.Module,
    values: Floats,
    labels: Ints,
    *,
    epochs: int,
    lr: float,
    batch_size: int,
    seed: int,
    progress: Progress = silent,
) -> None:
    """Train a module in place, and leave it in eval mode.

    Parameters
    ----------
    values : float32 [rows, columns]; labels : int64 [rows].
    epochs, lr, batch_size : of the training; the last batch of an epoch may be smaller.
    seed : draws the order of the rows, anew in each epoch.

    Raises
    ------
    EvoscopeError : a number out of range, or a loss that is not finite.
    """
    if min(epochs, batch_size) < 1 or not lr > 0:
        raise EvoscopeError(
            f"nothing is learned in {epochs} epochs with batches of {batch_size} and a learning rate of {lr}",
            "give tabular.epochs, tabular.batch_size and tabular.lr above zero",
        )
    rows, targets = torch.from_numpy(values), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(module.parameters(), lr=lr)
    module.train()
    for epoch in progress(range(epochs), total=epochs, what="training on the table", unit="epoch"):
        order = torch.from_numpy(generator(seed, "order", epoch).permutation(len(labels)))
        last = _epoch(module, optimizer, rows, targets, torch.split(order, batch_size))
    module.eval()
    if not torch.isfinite(last):
        raise EvoscopeError("the training on the table diverged", "set a smaller tabular.lr")


def _epoch(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    rows: Tensor,
    targets: Tensor,
    batches: tuple[Tensor, ...],
) -> Tensor:
    """Loss of the last batch."""
    for batch in batches:
        loss = cross_entropy(module(rows[batch]), targets[batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return loss.detach()
