"""Signed maps laid over images."""

import numpy as np

from evoscope.arrays import Bytes, Floats

# Ends of ColorBrewer's RdBu, which colour-blind readers tell apart.
RAISES, LOWERS = "#b2182b", "#2166ac"
PALE = 0.45  # how far the image below is blended towards white
STRONGEST = 0.9  # opacity of the largest value


def heat_over(images: Bytes, heat: Floats, scale: float | None = None) -> Bytes:
    """Signed heat over images that are turned to pale grey, so that only the heat has a colour.

    Red where the heat is positive, blue where it is negative, the more opaque the larger; not finite: none.

    Parameters
    ----------
    images : uint8 [images, side, side, 3].
    heat : [images, side, side].
    scale : absolute value at which the colour is strongest; the largest of all where not given.

    Returns
    -------
    uint8 [images, side, side, 3].
    """
    known = np.nan_to_num(heat.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    scale = scale or float(np.abs(known).max(initial=0.0)) or 1.0
    opacity = STRONGEST * np.clip(np.abs(known) / scale, 0, 1)[..., None]
    colour = np.where(known[..., None] > 0, _rgb(RAISES), _rgb(LOWERS))
    grey = images.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    pale = (grey * (1 - PALE) + 255 * PALE)[..., None]
    mixed: Bytes = np.round((1 - opacity) * pale + opacity * colour).astype(np.uint8)
    return mixed


def _rgb(colour: str) -> Floats:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], dtype=np.float32)
