"""Which layer's latent space an experiment looks at."""

from evoscope.models.layers import layer_shapes
from evoscope.models.zoo import build
from experiments.context import Context
from experiments.runs import Run

# The layers of the paper (CDISCO); other networks take their deepest layer that has places.
PUBLISHED = {"inception_v3": "Mixed_7b", "resnet50": "layer4.0"}
CELLS = 3


def chosen_layer(context: Context, run: Run) -> str:
    """The layer asked for; or the published one, or the deepest neuron layer with a map of 3 x 3 cells or more.

    Small images leave the published layer a single cell, which has no places to show a concept in.

    Raises
    ------
    EvoscopeError : a layer that the network does not have, that does not run once, or that gives no map.
    """
    network = build(run.spec, len(context.data.train.class_names), context.config.seed)
    asked = context.config.discovery.layer
    if asked is not None:
        layer_shapes(network.module, (asked,), network.preprocessing.pixels)
        return asked
    published = PUBLISHED.get(run.spec.name)
    named = dict.fromkeys((*network.layers, *([published] if published else [])))
    shapes = layer_shapes(network.module, tuple(named), network.preprocessing.pixels)
    sides = {layer: min(height, width) for layer, (_, height, width) in shapes.items()}
    if published and sides[published] >= CELLS:
        return published
    wide = [layer for layer in network.layers if sides[layer] >= CELLS]
    return (wide or list(network.layers))[-1]
