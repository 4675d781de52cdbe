"""One sparse dictionary over all epochs that are looked at: when its concepts are there, and where they turn."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Doubles, Ints
from evoscope.data.images import ImageSet
from evoscope.discovery.dictionaries import Lives, fit_dictionary, lives
from evoscope.figure_data import NEVER, Crosscoder
from evoscope.seeds import derive
from evoscope.stats import bootstrap_interval
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.concept_tables import bounds, headed
from experiments.stages.concepts import LayerSpace, best_concept_per_direction


@stage(version=1)
def crosscoder(
    spaces: Sequence[LayerSpace],
    images: ImageSet,
    others: ImageSet,
    entries: int,
    active: int,
    resamples: int,
    seed: int,
    runtime: Runtime,
) -> Crosscoder:
    """The dictionary of one run's layer over the epochs of ``spaces``, fitted on ``images``, judged on ``others``."""
    features = [space.pool().rows("features") for space in spaces]
    unseen = [space.held_out().rows("features") for space in spaces]
    own = derive(seed, "crosscoder", spaces[-1].run)
    found = fit_dictionary(features, entries, min(active, entries), own, progress=runtime.progress)
    codes, held_out = found.codes(features), found.codes(unseen)
    told = lives(found, codes)
    epochs = np.array([space.epoch for space in spaces])
    concept, auc = best_concept_per_direction(codes, held_out, images, others)
    rows = pd.DataFrame(
        {
            "entry": np.arange(entries),
            "used": told.used,
            "birth": epochs[told.birth],
            "turn": np.where(told.turn >= 0, epochs[told.turn], NEVER),
            "death": epochs[told.death],
            "concept": concept,
            "auc": auc,
        }
    )
    used = told.used > 0
    left = [
        _left(each, mean, held_out @ decoder)
        for each, mean, decoder in zip(unseen, found.means, found.decoders, strict=True)
    ]
    summary = _summary(epochs, told, used, left, float((codes > 0).sum(axis=1).mean()), resamples, own)
    steps = _steps(epochs, told)
    last = spaces[-1]
    kept = steps[np.repeat(used, len(epochs))]
    return Crosscoder(*(headed(last, None, frame.reset_index(drop=True)) for frame in (rows[used], kept, summary)))


def _left(features: Array, mean: Array, written: Array) -> Doubles:
    """Squares that are left and that there were, of each image: float64 [images, 2]."""
    exact = np.asarray(features, np.float64)
    left = ((exact - mean - written) ** 2).sum(axis=1)
    return np.stack([left, ((exact - exact.mean(axis=0)) ** 2).sum(axis=1)], axis=1)


def _explained(samples: Doubles) -> Doubles:
    """Share of the squares [..., images, 2] that is explained."""
    sums = samples.sum(axis=-2)
    return np.asarray(1 - sums[..., 0] / np.maximum(sums[..., 1], 1e-30))


def _summary(
    epochs: Ints, told: Lives, used: Array, left: Sequence[Doubles], active: float, resamples: int, seed: int
) -> pd.DataFrame:
    rows = []
    for place, epoch in enumerate(epochs):
        explained = bootstrap_interval(left[place], derive(seed, str(epoch)), resamples, statistic=_explained)
        there = used & (told.birth <= place) & (told.death >= place)
        rows.append(
            {
                "epoch": int(epoch),
                **bounds("explained", "low", "high", explained),
                "active": active,
                "present": int(there.sum()),
                "born": int((used & (told.birth == place)).sum()),
                "turned": int((used & (told.turn == place)).sum()),
                "died": int((used & (told.death == place - 1)).sum()),
                "dead": int((~used).sum()),
            }
        )
    return pd.DataFrame(rows)


def _steps(epochs: Ints, told: Lives) -> pd.DataFrame:
    entries = len(told.norms)
    cosines = np.hstack([np.full((entries, 1), np.nan), told.cosines])
    places = {"entry": np.repeat(np.arange(entries), len(epochs)), "epoch": np.tile(epochs, entries)}
    return pd.DataFrame({**places, "norm": told.norms.ravel(), "cosine": cosines.ravel()})


@stage(version=1, label="crosscoders")
def crosscoders(parts: Sequence[Artefact[Crosscoder]]) -> Crosscoder:
    """The dictionaries of several runs."""
    found = [part.load() for part in parts]
    names = ("entries", "steps", "summary")
    return Crosscoder(*(pd.concat([getattr(each, name) for each in found], ignore_index=True) for name in names))
