"""What the stages that prepare pictures share."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from evoscope.activations.patches import example_patches
from evoscope.arrays import Bytes, Ints
from evoscope.data.images import ImageSet
from experiments.context import Context
from experiments.stages.looks import Found, Look

PATCH_PIXELS = 96
PATCH_SIDE = 0.3


@dataclass(frozen=True)
class PatchOptions:
    """How example patches are cut; see `evoscope.activations.patches.example_patches`."""

    count: int
    side: float
    pixels: int
    centre: Literal["centre", "corner"]


def patch_options(context: Context, count: int) -> PatchOptions:
    """``count`` patches a neuron, cut as the protocol of the job wants them."""
    corner = context.config.protocol.patch_centre == "corner"
    return PatchOptions(count, PATCH_SIDE, PATCH_PIXELS, "corner" if corner else "centre")


def patches_of(pool: ImageSet, look: Look, found: Found, neurons: Ints, options: PatchOptions) -> Bytes:
    """Example patches of some neurons of a look: uint8 [neurons, count, pixels, pixels, 3]."""
    return example_patches(
        pool,
        found.looked.stimuli,
        neurons,
        options.count,
        side=options.side,
        pixels=options.pixels,
        centre=options.centre,
        fit=look.run.spec.fit,
    )


def rows_of(neurons: pd.DataFrame, look: Look) -> pd.DataFrame:
    """Rows of the map that belong to a look, one per neuron, in the order of its stimuli."""
    chosen = (neurons["run"] == look.run.name) & (neurons["epoch"] == look.epoch)
    return neurons[chosen].reset_index(drop=True)
