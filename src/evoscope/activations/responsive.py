"""The neurons that respond most to each image, over all layers (ConceptEvo, step 2.1.1)."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from evoscope.activations.stimuli import Status
from evoscope.activations.topk import (
    EMPTY,
    decode_positions,
    decode_values,
    encode,
    places_within,
    rankable,
)
from evoscope.arrays import Bytes, Floats, SmallInts

ResponsiveRule = Literal["raw", "standardised"]
ROWS = 4096
"""Images standardised at a time: bounds the float64 copy of the maxima."""


def strongest(responses: Tensor, r: int) -> Tensor:
    """List the r neurons with the largest response to each image, strongest first.

    Parameters
    ----------
    responses : float32 [b, neurons]; NaN and minus infinity mean that a neuron cannot respond.
    r : neurons per image.

    Returns
    -------
    int32 [b, r]; the earlier neuron wins a tie; -1 where fewer than r neurons can respond.
    """
    able = min(r, responses.shape[1])
    ranked = rankable(responses)
    # A float top-k is quick but leaves ties to chance: it only tells which few neurons contend.
    last = ranked.topk(able, dim=1).values[:, -1:]
    image, neuron = (ranked >= last).nonzero(as_tuple=True)
    place, places = places_within(image, len(ranked))
    keys = torch.full((len(ranked), places), EMPTY, device=ranked.device)
    keys[image, place] = encode(ranked[image, neuron], neuron)
    best = keys.topk(able, dim=1).values
    listed = decode_positions(best).masked_fill(decode_values(best) == -torch.inf, -1)
    return torch.nn.functional.pad(listed, (0, r - able), value=-1).to(torch.int32)


def strongest_standardised(
    maxima: Floats, mean: Floats, deviation: Floats, status: Bytes, r: int
) -> SmallInts:
    """Rank as `strongest` does, by how many deviations a neuron's maximum lies above its mean over the pool.

    Raw maxima compare layers of different scale, so that one layer may fill every list (protocol, defect 7).

    Parameters
    ----------
    maxima : float32 [images, neurons].
    mean, deviation : float32 [neurons], of the columns of ``maxima``.
    status : uint8 [neurons]; only `Status.OK` neurons can respond.
    r : neurons per image.
    """
    able = status == Status.OK
    shift = np.where(able, mean, 0).astype(np.float64)
    scale = np.where(able & (deviation > 0), deviation, 1).astype(np.float64)
    listed = np.empty((len(maxima), r), dtype=np.int32)
    for start in range(0, len(maxima), ROWS):
        scores = np.where(able, (maxima[start : start + ROWS] - shift) / scale, -np.inf)
        listed[start : start + ROWS] = strongest(torch.from_numpy(scores.astype(np.float32)), r).numpy()
    return listed
