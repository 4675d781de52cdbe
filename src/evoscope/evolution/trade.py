"""What taking a class's evolutions back costs that class and the others (beside the published reversal).

The published reversal counts the class's own images only. Neurons whose evolution lowers a class's logit on most of its
images land in the last bin, so that taking them back makes the network say the class more often: its recall rises
while other classes pay. Judged on images of all classes a trade is told from harm, and with another class's bins what
is specific to the class from what any bins do.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from evoscope.arrays import Bools, Doubles, Ints
from evoscope.data.images import ImageSet
from evoscope.evolution.pair import Pair, loader_of
from evoscope.evolution.reversal import EVERY_LAYER, NONE, Condition, Conditions, Reverser, batch_within
from evoscope.figure_data import BIN_NAMES
from evoscope.progress import Progress, silent
from evoscope.stats import mean_interval

Predicted = Mapping[tuple[str, Condition], Ints]
"""Predicted class of every image, int64 [images], under every condition of every layer; -1 where it is not finite."""
JUDGED = ("own", "others", "all", "exchanged", "own less exchanged", "false alarms")


def predictions(
    pair: Pair,
    conditions: Conditions,
    images: ImageSet,
    *,
    memory_mb: int = 2048,
    workers: int = 0,
    progress: Progress = silent,
) -> Predicted:
    """Predict images of any classes under every condition, each layer alone.

    Parameters
    ----------
    conditions : their samples are the classes whose bins are reverted, in order.
    memory_mb, workers, progress : as for `evoscope.evolution.reversal.reversal`.
    """
    reverser = Reverser(pair, conditions, together=False)
    batch = batch_within(memory_mb, reverser.bytes_per_image, conditions.random)
    fixed = conditions.random == "per_batch"
    found: dict[tuple[str, Condition], list[Ints]] = {}
    for piece in loader_of(pair.after, images, batch, memory_mb, workers, fixed=fixed).ordered(progress):
        for key, logits in reverser.logits(piece.pixels, images.split, int(piece.rows[0])).items():
            finite = torch.isfinite(logits).all(1)
            said = torch.where(finite, logits.argmax(1), -1)
            found.setdefault(key, []).append(said.cpu().numpy())
    return {key: np.concatenate(parts) for key, parts in found.items()}


def trade_rows(
    predicted: Predicted, truth: Ints, labels: Sequence[int], layers: Sequence[str], seed: int
) -> pd.DataFrame:
    """Changes of accuracy by condition and by the images that they are judged on.

    Parameters
    ----------
    predicted : of `predictions`; ``truth``: int64 [images].
    labels : classes of the bins, in the order of the conditions' samples.
    layers : what is averaged over.
    seed : of the intervals over 20 classes and more.

    Returns
    -------
    One row per ``condition`` (bins, ``random``) and ``judged``: ``own`` (the class's images), ``others`` (all other
    images), ``all``, ``exchanged`` (the class's images with the other classes' bins), ``own less exchanged``, and
    ``false alarms`` (change of the share of other images that are said to be the class): ``value``, the mean over
    classes, with ``low`` and ``high``, ``classes``, ``images``.
    """
    none = predicted[EVERY_LAYER, NONE]
    right = none == truth
    rows = []
    for kind in (*BIN_NAMES, "random"):
        numbers = sorted({each.number for _, each in predicted if each.kind == kind})
        found: dict[str, list[float]] = {name: [] for name in JUDGED}
        for place, label in enumerate(labels):
            own = truth == label
            if not own.any() or own.all():
                continue
            mine = numbers if kind == "random" else [place]
            chosen = [predicted[layer, Condition(kind, n)] for layer in layers for n in mine]
            for name, value in _changes(chosen, none, truth, own, label).items():
                found[name].append(value)
            if kind != "random" and len(labels) > 1:
                foreign = [n for n in range(len(labels)) if n != place]
                other = [predicted[layer, Condition(kind, n)] == truth for layer in layers for n in foreign]
                found["exchanged"].append(_change(other, right, own))
                found["own less exchanged"].append(found["own"][-1] - found["exchanged"][-1])
        for name, values in found.items():
            if values:
                counts = {"classes": len(values), "images": len(truth)}
                mean = mean_interval(values, seed).columns()
                rows.append({"condition": kind, "judged": name, **mean, **counts})
    return pd.DataFrame(rows)


def _changes(chosen: Sequence[Ints], none: Ints, truth: Ints, own: Bools, label: int) -> dict[str, float]:
    """Means over layers and sets, for one class."""
    correct, before = [each == truth for each in chosen], none == truth
    said = [each == label for each in chosen]
    return {
        "own": _change(correct, before, own),
        "others": _change(correct, before, ~own),
        "all": _change(correct, before, np.ones(len(own), dtype=bool)),
        "false alarms": _change(said, none == label, ~own),
    }


def _change(after: Sequence[Bools], before: Bools, images: Bools) -> float:
    shares: Doubles = np.array([each[images].mean() for each in after])
    return float(shares.mean() - before[images].mean())
