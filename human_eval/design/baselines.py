"""How far a machine gets that looks for shared photographs or colours, and knows nothing of what pictures show."""

from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Bytes, Doubles
from evoscope.stats import wilson
from human_eval.design.trial import Study, Trial, spoken

PHOTOS, COLOURS = "shared photographs", "colours"
BINS = 4  # of each channel
TIE = 1e-9


@dataclass(frozen=True)
class Baseline:
    """Share of a condition's ``items`` that an observer finds, with Wilson's interval over items, beside ``chance``."""

    condition: str
    observer: str
    value: float
    low: float
    high: float
    chance: float
    items: int


def baselines(study: Study) -> list[Baseline]:
    """What two machine observers find among the main trials of which a panel is chosen, by condition.

    One takes the panel that shares fewest photographs with the others (where it is known what pictures are cut of), the
    other the one whose colours are least like theirs; among equal panels they guess, which counts as the chance to be
    right.
    """
    main = [t for t in study.trials if t.role == "main" and t.form.choose and t.answer is not None]
    used = sorted({row for trial in main for panel in trial.panels for row in panel})
    histograms = {row: colours(study.pictures[row]) for row in used}
    known = bool(study.photos) and all(row < len(study.photos) and study.photos[row] >= 0 for row in used)
    found = []
    for name in dict.fromkeys(trial.condition for trial in main):
        own = [trial for trial in main if trial.condition == name]
        chance = float(np.mean([1 / len(trial.panels) for trial in own]))
        if known:
            found.append(_baseline(name, PHOTOS, [_hit(t, _shared(study, t)) for t in own], chance))
        hits = [_hit(trial, _alike(histograms, trial)) for trial in own]
        found.append(_baseline(name, COLOURS, hits, chance))
    return found


def _baseline(condition: str, observer: str, hits: list[float], chance: float) -> Baseline:
    value, count = float(np.mean(hits)), len(hits)
    bounds = wilson(round(value * count), count)
    low, high = min(bounds.low, value), max(bounds.high, value)
    return Baseline(condition, observer, value, low, high, chance, count)


def _hit(trial: Trial, likeness: Doubles) -> float:
    """Chance that the answer is taken by one who takes the panel with the least ``likeness`` [panels]."""
    least = np.flatnonzero(likeness <= likeness.min() + TIE)
    return float(trial.answer in least) / len(least)


def _shared(study: Study, trial: Trial) -> Doubles:
    """How many photographs each panel shares with the others."""
    sets = [{study.photos[row] for row in panel} for panel in trial.panels]
    return np.array([sum(len(a & b) for m, b in enumerate(sets) if m != n) for n, a in enumerate(sets)], float)


def _alike(histograms: dict[int, Doubles], trial: Trial) -> Doubles:
    """Overlap of each panel's colours with those of the others."""
    means = [np.mean([histograms[row] for row in panel], axis=0) for panel in trial.panels]
    return np.array([sum(np.minimum(a, b).sum() for m, b in enumerate(means) if m != n) for n, a in enumerate(means)])


def colours(picture: Bytes) -> Doubles:
    """Histogram of the colours of a picture [height, width, 3], as shares; float64 [64]."""
    codes = (picture.astype(np.int64) * BINS // 256) @ np.array([BINS * BINS, BINS, 1])
    return np.asarray(np.bincount(codes.ravel(), minlength=BINS**3) / codes.size)


def given_away(study: Study) -> tuple[str, ...]:
    """A sentence for each observer that finds more than chance in a condition."""
    rows = [row for row in baselines(study) if row.low > row.chance]
    return tuple(
        f"A machine that only compares {row.observer} finds {row.value:.2f} of {spoken(row.condition)} "
        f"(95 % interval {row.low:.2f} to {row.high:.2f}; chance {row.chance:.2f}): people may do no more than that."
        for row in rows
    )
