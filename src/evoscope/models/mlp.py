"""Networks for tables: hidden layers of rectified units, each a layer to look for concepts in."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.network import Network, Preprocessing
from evoscope.seeds import derive


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
