"""One headline effect per claim, and the verdict that follows from it.

`Measure` is one measured number of one network and seed, already as an effect: oriented so that the claim wants it
large, and zero where there is no more than what the claim must beat. `headline` makes one effect of them, `verdict`
judges it by the smallest effect of interest (``effects.csv``, stated before the runs that it judges). `RULE` says
it in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.stats import t_interval
from results.page_style import with_interval

EFFECTS = Path(__file__).parent / "effects.csv"
NAN = float("nan")
RULE = (
    "Every claim has one headline effect: how far the measured number lies beyond what the claim must beat (zero: no "
    "further), as a mean over the networks, with a 95 % interval. The smallest effect of interest of each was stated "
    "in `results/ledger/effects.csv` before the runs that it judges. *Not reproduced*: the interval excludes the "
    "smallest effect of interest. *Reproduced*: the interval lies above zero and the effect is at least the smallest "
    "of interest. *Weaker than published*: the interval lies above zero, but a published effect of the same kind lies"
    " above the interval. *Inconclusive*: anything else that was measured. A claim that something hardly occurs is "
    "reproduced where the interval lies within the smallest effect of interest on either side of zero, not reproduced"
    " where it lies outside, and inconclusive otherwise. Over several seeds the interval is Student's over the seeds,"
    " widened by that over the items (the same items serve every seed); with one seed it is over the items alone, and"
    " the verdict says so. Networks share items, so the interval of their mean is the mean of their intervals, unless"
    " the items are each network's own."
)


class Verdict(Enum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    WEAKER = "weaker than published"
    FAILED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"
    PEOPLE = "needs people"
    IMPOSSIBLE = "cannot be tested here"


JUDGED = (Verdict.REPRODUCED, Verdict.WEAKER, Verdict.FAILED, Verdict.INCONCLUSIVE)


@dataclass(frozen=True)
class Stated:
    """A row of ``effects.csv``.

    ``headline``: the number in words; ``little``: whether the claim is that something hardly occurs; ``beyond``: what
    the effect must beat; ``smallest``: effect of interest, in ``unit``; ``reason`` for it; ``stated``: the date.
    """

    headline: str
    unit: str
    little: bool
    beyond: str
    smallest: float
    reason: str
    stated: str


@cache
def stated() -> dict[str, Stated]:
    """The smallest effects of interest by claim."""
    rows = pd.read_csv(EFFECTS, keep_default_na=False).to_dict("records")
    return {
        str(row["claim"]): Stated(
            str(row["headline"]), str(row["unit"]), row["claims"] == "little", str(row["beyond"]),
            float(row["smallest"]), str(row["reason"]), str(row["stated"]),
        )
        for row in rows
    }  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """An effect of one ``network`` and ``seed``, with its interval over ``items`` (NaN: none).

    ``what`` was measured; ``value`` against ``null``, the numbers that the table holds; ``setting``: one of several
    choices of equal standing, in all of which the claim must hold; ``own``: whether its items are no other network's.
    """

    what: str
    network: str
    seed: int
    effect: float
    low: float
    high: float
    items: int
    value: float = NAN
    null: float = NAN
    setting: str = ""
    own: bool = False

    @property
    def words(self) -> str:
        """``VGG16 features.42 0.031 [0.018, 0.046]``."""
        return f"{self.what} {with_interval(self.effect, self.low, self.high)}"


def measure(
    what: str,
    network: str,
    seed: object,
    ends: Sequence[float],
    items: int,
    numbers: tuple[float, float] = (NAN, NAN),
    *,
    setting: str = "",
    own: bool = False,
) -> Measure:
    """Make a `Measure` of an effect with its bounds (``ends``) and the two ``numbers`` that it is the distance of."""
    effect, low, high = map(float, ends)
    return Measure(what, network, int(str(seed)), effect, low, high, items, *numbers, setting, own)


def seeds_words(number: int) -> str:
    """``one seed``, ``3 seeds``."""
    return f"{int(number)} seeds" if int(number) > 1 else "one seed"


def counted(number: int, what: str) -> str:
    """``1 item``, ``1,280 items``."""
    return f"{int(number):,} {what}{'' if int(number) == 1 else 's'}"


@dataclass(frozen=True)
class Headline:
    """The effect of a claim between ``low`` and ``high`` (NaN: no interval), and from how many of what."""

    effect: float
    low: float
    high: float
    networks: int
    seeds: int
    items: int

    @property
    def words(self) -> str:
        """``0.031 [0.018, 0.046]; 3 networks, one seed, 32 items``."""
        networks = counted(self.networks, "network")
        ends, seeds = with_interval(self.effect, self.low, self.high), seeds_words(self.seeds)
        return f"{ends}; {networks}, {seeds}, {counted(self.items, 'item')}"


def headline(measures: Sequence[Measure]) -> Headline:
    """One effect of many: over the networks of a seed, then over the seeds; with several settings, their hull.

    Seeds that not every network was run with are left out, unless there would be none.

    Raises
    ------
    ValueError : no measure.
    """
    settings = list(dict.fromkeys(each.setting for each in measures))
    found = [_over_seeds([each for each in measures if each.setting == name]) for name in settings]
    if len(found) == 1:
        return found[0]
    middle = float(np.median([each.effect for each in found]))
    low, high = (float(end) for end in (min(each.low for each in found), max(each.high for each in found)))
    first = found[0]
    return Headline(middle, low, high, first.networks, min(each.seeds for each in found), first.items)


def _over_seeds(measures: Sequence[Measure]) -> Headline:
    networks = {each.network for each in measures}
    by_seed = {seed: [each for each in measures if each.seed == seed] for seed in sorted({m.seed for m in measures})}
    whole = {seed: own for seed, own in by_seed.items() if {each.network for each in own} == networks}
    kept = whole or by_seed
    means = np.array([_over_networks(own) for own in kept.values()])  # [seeds, (effect, low, high)]
    effect, low, high = means.mean(axis=0)
    if len(kept) > 1:
        over = t_interval(means[:, 0])
        reach = [np.nan_to_num(effect - low), np.nan_to_num(high - effect)]
        low = effect - np.hypot(effect - over.low, reach[0])
        high = effect + np.hypot(over.high - effect, reach[1])
    items = max(sum(m.items for m in own) if own[0].own else max(m.items for m in own) for own in kept.values())
    return Headline(float(effect), float(low), float(high), len(networks), len(kept), items)


def _over_networks(measures: Sequence[Measure]) -> tuple[float, float, float]:
    """Mean of one seed's measures, the mean over a network's own first."""
    names = list(dict.fromkeys(each.network for each in measures))
    ends = np.array([(each.effect, each.effect - each.low, each.high - each.effect) for each in measures])
    rows = np.array([ends[[each.network == name for each in measures]].mean(axis=0) for name in names])
    effect, below, above = rows.mean(axis=0)
    if measures[0].own:
        below, above = np.sqrt((rows[:, 1:] ** 2).sum(axis=0)) / len(rows)
    return float(effect), float(effect - below), float(effect + above)


def verdict(found: Headline, stated: Stated, published: float = NAN) -> Verdict:
    """Judge a headline effect, see `RULE`.

    Parameters
    ----------
    published : effect of the same kind; NaN where none is known.
    """
    known, little, smallest = np.isfinite(found.low + found.high), stated.little, stated.smallest
    outside = found.low > smallest or found.high < -smallest if little else found.high < smallest
    if known and outside:
        return Verdict.FAILED
    if known and (-smallest < found.low and found.high < smallest if little else found.low > 0):
        if found.high < published:
            return Verdict.WEAKER
        return Verdict.REPRODUCED if little or found.effect >= smallest else Verdict.INCONCLUSIVE
    return Verdict.INCONCLUSIVE


def paired(
    value: float, low: float, high: float, null: float, null_low: float = NAN, null_high: float = NAN
) -> tuple[float, float, float]:
    """Difference of two numbers with intervals of their own, as if independent; a null without one is exact."""
    below = np.hypot(value - low, np.nan_to_num(null_high - null))
    above = np.hypot(high - value, np.nan_to_num(null - null_low))
    effect = value - null
    return effect, float(effect - below), float(effect + above)
