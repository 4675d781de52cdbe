"""Concept maps and segments, and how well concepts recover and locate known truth (CDISCO, step 5)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from evoscope.activations.stimuli import concept_auc
from evoscope.arrays import Array, Bools, Doubles, Ints
from evoscope.data.images import ConceptTable, ImageSet, Located
from evoscope.data.loader import Batch, Loader
from evoscope.discovery.gradients import frozen
from evoscope.discovery.refine import most_activating
from evoscope.errors import EvoscopeError
from evoscope.models.layers import capture, ensure_layouts
from evoscope.models.network import Network
from evoscope.progress import Progress, silent
from evoscope.seeds import generator
from evoscope.stats import Interval, bootstrap_interval, correlations, mean_interval

SEGMENT = 80.0
BOARD = 4
"""Published percentile of a segment, and images on a board."""


def concept_maps(maps: Tensor, directions: Array, pixels: int | None = None) -> Tensor:
    """Project feature maps [b, d, h, w] on directions [r, d]: M = v . A, [b, r, h, w].

    Parameters
    ----------
    pixels : side that the maps are upsampled to, bilinearly; None leaves the layer's grid.
    """
    vectors = torch.from_numpy(np.ascontiguousarray(directions)).to(maps)
    found = torch.einsum("bdhw,rd->brhw", maps, vectors)
    if pixels is None:
        return found
    return interpolate(found, size=(pixels, pixels), mode="bilinear", align_corners=False)


def map_batches(
    network: Network, batches: Iterable[Batch], layer: str, directions: Doubles, pixels: int | None = None
) -> Iterator[tuple[Ints, Array]]:
    """Positions in the set, int64 [b], and concept maps, [b, r, h, w], batch by batch; feature maps die with theirs.

    Parameters
    ----------
    network : on the device of the batches; in eval mode while batches are read.
    layer : dotted name.
    directions, pixels : as for `concept_maps`.
    """
    with frozen(network.module):
        for batch in batches:
            ensure_layouts(network.module, (layer,), batch.pixels.shape[1:])
            maps = capture(network.module, (layer,), lambda _, map_: concept_maps(map_, directions, pixels))
            with torch.no_grad(), maps as found:
                network.module(batch.pixels)
            yield batch.rows.cpu().numpy(), found[layer].cpu().numpy()


def segments(maps: Array, percentile: float = SEGMENT) -> Bools:
    """Pixels above a percentile of their own map [..., h, w]; none of a constant map."""
    bar = np.percentile(maps, percentile, axis=(-2, -1), keepdims=True)
    return np.asarray(maps > bar)


def peaks(maps: Array) -> Ints:
    """Row and column of the largest pixel (the first of equals) of maps [..., h, w], int64 [..., 2]."""
    flat = maps.reshape(*maps.shape[:-2], -1).argmax(axis=-1)
    return np.stack(np.divmod(flat, maps.shape[-1]), axis=-1).astype(np.int64)


def board(scores: Array) -> Ints:
    """Images of each concept's board, int64 [concepts, 4]: the largest of scores [images, concepts], -1 beyond."""
    shown = np.full((scores.shape[1], BOARD), -1, dtype=np.int64)
    for concept, column in enumerate(scores.T):
        best = most_activating(column, BOARD)
        shown[concept, : len(best)] = best
    return shown


def predicted_board(predictions: Ints, label: int, seed: int, count: int = 10) -> Ints:
    """Images drawn at random from those predicted as a class, int64 [up to count].

    The released boards show the first ones in the order of the data: of data that are sorted by class, nearly only
    mistakes.
    """
    return generator(seed, "predicted", label).permutation(np.flatnonzero(predictions == label))[:count]


def localise(
    network: Network,
    images: ImageSet,
    layer: str,
    directions: Doubles,
    concepts: Ints,
    *,
    batch_size: int = 64,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Compare concept maps with true masks, on the images that show the concept.

    Parameters
    ----------
    network : on its device; its input size is that of the masks.
    images : whose concepts have known places.
    layer : dotted name.
    directions : float64 [concepts, d], one per concept, on the side that detects it.
    concepts : int64 [concepts], columns of the concept table.
    batch_size, progress : of the pass.

    Returns
    -------
    One row per image and concept shown in it: ``image`` (position), ``concept`` (column), ``hit`` (the largest
    pixel lies in the mask), ``share`` (of the image that the mask covers: the chance of a hit), ``iou`` (of the
    segment and the mask), ``iou_chance`` (of a segment of that size anywhere).

    Raises
    ------
    EvoscopeError : the images' concepts have no known places.
    """
    source, pixels = images.source, network.preprocessing.pixels
    if not isinstance(source, Located):
        raise EvoscopeError(
            f"'{images.name}' does not say where its concepts are", "use data=concept_scenes or data.concepts=planted"
        )
    device = next(network.module.parameters()).device
    loader = Loader(images, network.preprocessing, batch_size=batch_size, device=device)
    assert images.concepts is not None
    shown = images.concepts.present[:, concepts]
    names = [images.concepts.names[concept] for concept in concepts]
    rows = []
    for seen, maps in map_batches(network, loader.ordered(progress), layer, directions, pixels):
        parts, places = segments(maps, SEGMENT), peaks(maps)
        for number, image in enumerate(seen):
            masks = source.masks(int(images.rows[image]), pixels)
            for concept in np.flatnonzero(shown[image]):
                mask = masks[names[concept]]
                if mask.any() and not mask.all():  # what is everywhere has no place
                    scores = compare(parts[number, concept], places[number, concept], mask)
                    rows.append((int(image), int(concepts[concept]), *scores))
    return pd.DataFrame(rows, columns=["image", "concept", "hit", "share", "iou", "iou_chance"])


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
            row |= bootstrap_interval(part[score].astype(float).to_numpy(), seed).columns(score)
            row[chance] = float(part[chance].mean())
        rows.append(row)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Recovery:
    """How well each true concept is recovered, on held-out images.

    ``names``: concepts that some but not all images show, on both sets; ``columns``: int64 [concepts], their place
    in the concept table; ``direction``, ``side``: int64 [concepts], the best detector and its sign (+1, -1);
    ``auc``: float64 [concepts], area under its ROC curve; ``partner``: int64 [concepts], the direction given to
    the concept by the one-to-one match (-1: none left); ``correlation``: float64 [concepts], of its projection with the
    concept's presence, positive where both sets agree in sign (0: none left).
    """

    names: tuple[str, ...]
    columns: Ints
    direction: Ints
    side: Ints
    auc: Doubles
    partner: Ints
    correlation: Doubles

    def mean_auc(self, seed: int) -> Interval:
        """Mean over concepts, with its interval over them."""
        return mean_interval(self.auc, seed)

    def mean_correlation(self, seed: int) -> Interval:
        """Mean over concepts of the matched correlation, with its interval over them."""
        return mean_interval(self.correlation, seed)


def recovery(chosen_on: Array, shown: ConceptTable, judged_on: Array, held_out: ConceptTable) -> Recovery:
    """Look for the true concepts among directions.

    Parameters
    ----------
    chosen_on, judged_on : [images, r], projections of two sets of images on the same directions.
    shown, held_out : what they show.
    """
    columns = told_by_both(shown, held_out)
    first, second = shown.present[:, columns], held_out.present[:, columns]
    direction, side = best_detectors(concept_auc(chosen_on, first))
    areas = np.asarray(concept_auc(judged_on, second), dtype=np.float64)
    own = np.arange(len(columns))
    auc = np.where(side > 0, areas[direction, own], 1 - areas[direction, own])
    partner, correlation = matched(correlations(chosen_on, first), correlations(judged_on, second))
    names = tuple(shown.names[column] for column in columns)
    return Recovery(names, columns, direction, side, auc, partner, correlation)


def told_apart(present: Bools) -> Bools:
    """Which concepts some but not all images show, bool [concepts]."""
    return np.asarray(present.any(axis=0) & ~present.all(axis=0))


def told_by_both(shown: ConceptTable, held_out: ConceptTable) -> Ints:
    """Columns of the concepts that some but not all images of both sets show, int64 [concepts]."""
    return np.flatnonzero(told_apart(shown.present) & told_apart(held_out.present))


def best_detectors(areas: Array) -> tuple[Ints, Ints]:
    """Give each concept's direction with the AUC farthest from a half, and the side, of areas [r, concepts]."""
    lean = np.nan_to_num(areas - 0.5)
    direction = np.abs(lean).argmax(axis=0)
    side = np.where(lean[direction, np.arange(areas.shape[1])] < 0, -1, 1)
    return direction.astype(np.int64), side.astype(np.int64)


def matched(chosen: Doubles, judged: Doubles) -> tuple[Ints, Doubles]:
    """Match on |correlation| in one set, and give the correlation in the other with the sign of the first."""
    from scipy.optimize import linear_sum_assignment

    rows, concepts = linear_sum_assignment(-np.abs(chosen))
    partner = np.full(chosen.shape[1], -1, dtype=np.int64)
    found = np.zeros(chosen.shape[1])
    partner[concepts] = rows
    found[concepts] = judged[rows, concepts] * np.where(chosen[rows, concepts] < 0, -1.0, 1.0)
    return partner, found


def selectivity(scores: Array, present: Bools) -> Doubles:
    """How much better each direction tells its best concept than its second best, float64 [r]; 0 with a single one.

    A difference of AUC on either side, of scores [images, r] and what the images show, bool [images, concepts].
    """
    reach = np.nan_to_num(np.abs(np.asarray(concept_auc(scores, present), dtype=np.float64) - 0.5))
    if present.shape[1] < 2:
        return np.zeros(scores.shape[1])
    best = np.sort(reach, axis=1)
    return np.asarray(best[:, -1] - best[:, -2], dtype=np.float64)
