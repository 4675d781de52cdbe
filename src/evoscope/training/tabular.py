"""Multilayer perceptrons for the rows of a table: Adam on the cross-entropy, all rows in memory."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from evoscope.arrays import Floats, Ints
from evoscope.errors import EvoscopeError
from evoscope.models.network import Network, Preprocessing
from evoscope.progress import Progress, silent
from evoscope.seeds import derive, generator


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
        for batch in torch.split(order, batch_size):
            loss = cross_entropy(module(rows[batch]), targets[batch])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    module.eval()
    if not torch.isfinite(loss):
        raise EvoscopeError("the training on the table diverged", "set a smaller tabular.lr")


def mlp(columns: int, hidden: Sequence[int], classes: int, seed: int) -> Network:
    """Build a multilayer perceptron, its start drawn from ``seed``, in eval mode on the CPU.

    Parameters
    ----------
    columns, classes : inputs and logits.
    hidden : units of ``hidden_1``, ``hidden_2``, ..., the network's layers: each a linear map and its ReLU.

    Raises
    ------
    EvoscopeError : no hidden layer, or one without units.
    """
    if not hidden or min(hidden) < 1:
        raise EvoscopeError(
            f"a network with hidden layers of {list(hidden)} units has none to look into",
            "give tabular.hidden at least one layer of at least one unit",
        )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "start"))
        steps: OrderedDict[str, nn.Module] = OrderedDict()
        for number, (before, units) in enumerate(zip([columns, *hidden], hidden, strict=False), start=1):
            steps[f"hidden_{number}"] = nn.Sequential(nn.Linear(before, units), nn.ReLU())
        steps["logits"] = nn.Linear(hidden[-1], classes)
        module = nn.Sequential(steps).eval()
    layers = tuple(steps)[:-1]
    return Network("mlp", module, layers, Preprocessing(pixels=1), inputs=(columns,))
