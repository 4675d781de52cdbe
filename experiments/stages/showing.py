"""What the stages that prepare pictures share."""

from typing import Literal, TypedDict

import pandas as pd

from experiments.context import Context
from experiments.stages.looks import Look

PATCH_PIXELS = 96
PATCH_SIDE = 0.3


class PatchOptions(TypedDict):
    """How example patches are cut; see `evoscope.activations.patches.example_patches`."""

    side: float
    pixels: int
    centre: Literal["centre", "corner"]


def patch_options(context: Context) -> PatchOptions:
    """Patches as the protocol of the job wants them."""
    corner = context.config.protocol.patch_centre == "corner"
    return {"side": PATCH_SIDE, "pixels": PATCH_PIXELS, "centre": "corner" if corner else "centre"}


def rows_of(neurons: pd.DataFrame, look: Look) -> pd.DataFrame:
    """Rows of the map that belong to a look, one per neuron, in the order of its stimuli."""
    chosen = (neurons["run"] == look.run.name) & (neurons["epoch"] == look.epoch)
    return neurons[chosen].reset_index(drop=True)
