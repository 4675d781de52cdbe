"""Whether concept maps lie where the concept is: pointing game (Zhang 2018) and IoU with the true masks."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from evoscope.arrays import Bools, Doubles, Ints
from evoscope.data.images import ImageSet
from evoscope.data.loader import Loader
from evoscope.data.scenes import scene_source
from evoscope.discovery.maps import SEGMENT, map_batches, peaks, segments
from evoscope.models.network import Network
from evoscope.progress import Progress, silent
from evoscope.stats.intervals import bootstrap_interval

COLUMNS = ("image", "concept", "hit", "share", "iou", "iou_chance")


def localise(
    network: Network,
    images: ImageSet,
    layer: str,
    directions: Doubles,
    concepts: Ints,
    *,
    percentile: float = SEGMENT,
    batch_size: int = 64,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Compare concept maps with true masks, on the images that show the concept.

    Parameters
    ----------
    network : on its device; its input size is that of the masks.
    images : of concept_scenes.
    layer : dotted name.
    directions : float64 [concepts, d], one per concept, on the side that detects it.
    concepts : int64 [concepts], columns of the concept table.
    percentile : of the segment.
    batch_size, progress : of the pass.

    Returns
    -------
    One row per image and concept shown in it: ``image`` (position), ``concept`` (column), ``hit`` (the largest
    pixel lies in the mask), ``share`` (of the image that the mask covers: the chance of a hit), ``iou`` (of the
    segment and the mask), ``iou_chance`` (of a segment of that size anywhere).

    Raises
    ------
    EvoscopeError : the images are no scenes.
    """
    source, pixels = scene_source(images), network.preprocessing.pixels
    device = next(network.module.parameters()).device
    loader = Loader(images, network.preprocessing, batch_size=batch_size, device=device)
    assert images.concepts is not None
    shown = images.concepts.present[:, concepts]
    names = [images.concepts.names[concept] for concept in concepts]
    rows = []
    for batch in map_batches(network, loader.ordered(progress), layer, directions, pixels):
        parts, places = segments(batch.maps, percentile), peaks(batch.maps)
        for number, image in enumerate(batch.rows):
            masks = source.masks(int(images.rows[image]), pixels)
            for concept, mask in _masks(masks, names, shown[image]):
                scores = compare(parts[number, concept], places[number, concept], mask)
                rows.append((int(image), int(concepts[concept]), *scores))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def compare(segment: Bools, peak: Ints, mask: Bools) -> tuple[bool, float, float, float]:
    """Hit, share, IoU and its chance, of one map [h, w] with one mask that is not empty."""
    share, size = float(mask.mean()), float(segment.mean())
    both, either = int((segment & mask).sum()), int((segment | mask).sum())
    chance = share * size / (share + size - share * size)
    return bool(mask[peak[0], peak[1]]), share, both / either, chance


def localisation_by_concept(found: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Mean of each score per concept with bootstrap intervals over images.

    Returns
    -------
    One row per concept: ``concept``, ``images``, and per score ``x``, ``x_low``, ``x_high`` for ``hit`` and
    ``iou``, with their chances ``share`` and ``iou_chance``.
    """
    rows = []
    for concept, part in found.groupby("concept"):
        row: dict[str, object] = {"concept": concept, "images": len(part)}
        for score, chance in (("hit", "share"), ("iou", "iou_chance")):
            found_here = bootstrap_interval(part[score].astype(float).to_numpy(), seed)
            row |= {score: found_here.value, f"{score}_low": found_here.low, f"{score}_high": found_here.high}
            row[chance] = float(part[chance].mean())
        rows.append(row)
    return pd.DataFrame(rows)


def _masks(masks: dict[str, Bools], names: Sequence[str], shown: Bools) -> Iterator[tuple[int, Bools]]:
    """Number and mask of each concept that an image shows, but for masks without a pixel."""
    for number in np.flatnonzero(shown):
        mask = masks[names[int(number)]]
        if mask.any():
            yield int(number), mask
