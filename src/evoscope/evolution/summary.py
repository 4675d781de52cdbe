"""Drops of the reversal experiment from counts of correct predictions, their order, and ranks against the truth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Bools, Doubles
from evoscope.figure_data import BIN_NAMES
from evoscope.seeds import derive
from evoscope.stats import Interval, exceedance, mean_interval, shuffle_within, shuffled, summary, wins

METRICS = ("top1", "top5")
NEAR_ZERO = 0.25
"""The least important bin is near zero when its change is at most this share of the most important bin's drop."""


@dataclass(frozen=True)
class Order:
    """Whether the published order of the drops holds (ConceptEvo, reversal: the qualitative pattern).

    ``most_first``: the most important bin drops most; ``monotone``: drops shrink from bin to bin;
    ``least_near_zero``: the least important bin changes by at most a quarter of the most important one's drop;
    ``random_between``: a random quarter lies between the two; ``why``: what fails, in words.
    """

    most_first: bool
    monotone: bool
    least_near_zero: bool
    random_between: bool
    why: str

    @property
    def holds(self) -> bool:
        """Whether all four do."""
        return self.most_first and self.monotone and self.least_near_zero and self.random_between


def class_drops(counts: pd.DataFrame, metric: str, layers: Sequence[str]) -> pd.DataFrame:
    """Mean change of accuracy of every class, condition and number over the layers, each reverted alone.

    Parameters
    ----------
    counts : rows of `evoscope.evolution.reversal.reversal` for one split, with the class in ``label``.
    metric : ``top1`` or ``top5``; layers : those that count; ``*`` for all layers at once.

    Returns
    -------
    Columns ``label``, ``condition``, ``number``, ``drop`` (accuracy after minus before, negative for a loss).
    """
    untouched = counts[counts["condition"] == "none"].set_index("label")[metric]
    chosen = counts[counts["layer"].isin(layers) & (counts["condition"] != "none")]
    drop = (chosen[metric] - chosen["label"].map(untouched)) / chosen["images"]
    keys = ["label", "condition", "number"]
    return chosen.assign(drop=drop).groupby(keys, sort=True)["drop"].mean().reset_index()


def layer_costs(counts: pd.DataFrame, split: str) -> pd.DataFrame:
    """Mean change of a class's top-1 accuracy when each layer alone is reverted.

    Parameters
    ----------
    counts : rows of `evoscope.evolution.reversal.reversal` of one class.

    Returns
    -------
    A row per layer, a column per bin and ``random``; means over samples and draws, not a number where there is none.
    """
    own = counts[counts["split"] == split]
    untouched = own[own["condition"] == "none"].iloc[0]
    change = own.assign(change=(own["top1"] - untouched["top1"]) / own["images"])
    table = change.pivot_table("change", "layer", "condition", "mean")
    return table.reindex(columns=[*BIN_NAMES, "random"])


def contrast(more: str, less: str) -> str:
    """Name of the condition that holds the drop under ``more`` minus that under ``less``, paired over classes."""
    return f"{more} minus {less}"


CONTRASTS = (
    ("random", BIN_NAMES[0]),
    *((later, earlier) for earlier, later in pairwise(BIN_NAMES)),
    (BIN_NAMES[3], "random"),
)
"""What the published order is about: a random quarter beside the first and the last bin, and the steps between bins."""


def by_class(drops: pd.DataFrame, condition: str) -> "pd.Series[float]":
    """Mean drop of each class under a condition."""
    return drops[drops["condition"] == condition].groupby("label")["drop"].mean()


def standard_error_over_draws(drops: pd.DataFrame) -> float:
    """Standard error of the class- and layer-averaged drop of random sets, over the draws; NaN for one draw."""
    means = drops[drops["condition"] == "random"].groupby("number")["drop"].mean().to_numpy()
    return float(np.std(means, ddof=1) / len(means) ** 0.5) if len(means) > 1 else float("nan")


def order_of(drops: pd.DataFrame, seed: int, resamples: int) -> Order:
    """Judge the order of the bins and of random.

    Parameters
    ----------
    drops : of `class_drops`, with all four bins and random.
    seed, resamples : of the paired intervals over classes that the reasons quote.
    """
    bins = [by_class(drops, name) for name in BIN_NAMES]
    values = [float(each.mean()) for each in bins]
    random = float(by_class(drops, "random").mean())
    rising = [a <= b for a, b in pairwise(values)]
    near = abs(values[3]) <= NEAR_ZERO * abs(values[0])
    between = values[0] < random < values[3]
    reasons = [
        _out_of_order(number, bins[number], bins[number + 1], seed, resamples)
        for number, fine in enumerate(rising)
        if not fine
    ]
    if not near:
        reasons.append(f"bin 4 changes by {values[3]:+.3f}, more than a quarter of bin 1's {values[0]:+.3f}")
    if not between:
        reasons.append(f"random ({random:+.3f}) is not between bin 1 and bin 4 ({values[3]:+.3f})")
    return Order(min(values) == values[0] < 0, all(rising), near, between, "; ".join(reasons))


def _out_of_order(
    number: int, earlier: "pd.Series[float]", later: "pd.Series[float]", seed: int, resamples: int
) -> str:
    difference = np.asarray(later - earlier, dtype=np.float64)
    interval = mean_interval(difference, seed, resamples)
    sure = "" if interval.excludes(0) else ", not distinguishable over classes"
    places = f"bin {number + 2} drops more than bin {number + 1}"
    return f"{places} (by {-interval.value:.3f} [{-interval.high:.3f}, {-interval.low:.3f}]{sure})"


def drop_rows(counts: pd.DataFrame, layers: dict[str, Sequence[str]], seed: int, resamples: int) -> pd.DataFrame:
    """All drops of one run's reversals between two epochs, and `CONTRASTS` of them.

    Parameters
    ----------
    counts : rows of `evoscope.evolution.reversal.reversal` of all classes and splits, with ``label``.
    layers : what is averaged over, by name, for instance ``{"once": [...]}``; ``*`` alone is all at once.
    seed, resamples : of the bootstrap over classes; below 20 of them intervals are Student's.

    Returns
    -------
    Rows per split, metric, layers and condition: ``value``, ``low``, ``high``, ``se``, ``accuracy``, ``classes``,
    ``images``, ``samples``, ``draws``.
    """
    rows: list[dict[str, object]] = []
    for where, own, drops in _averages(counts, layers):
        conditions = list(map(str, pd.unique(drops["condition"])))
        rows += [{**where, **_row(own, drops, where["metric"], name, seed, resamples)} for name in conditions]
        rows += [
            {**rows[-1], "condition": contrast(more, less), **found.columns()}
            | {"se": float("nan"), "samples": 0, "draws": 0}
            for more, less in CONTRASTS
            if {more, less} <= set(conditions)
            for paired in [(by_class(drops, more) - by_class(drops, less)).to_numpy()]
            for found in [mean_interval(paired, seed, resamples)]
        ]
    return pd.DataFrame(rows)


def order_rows(counts: pd.DataFrame, layers: dict[str, Sequence[str]], seed: int, resamples: int) -> pd.DataFrame:
    """Whether the order holds, per split, metric and layers: the fields of `Order`, and ``holds``.

    Parameters are those of `drop_rows`.
    """
    rows: list[dict[str, object]] = []
    for where, _, drops in _averages(counts, layers):
        judged = order_of(drops, seed, resamples)
        rows.append({**where, **judged.__dict__, "holds": judged.holds})
    return pd.DataFrame(rows)


def _averages(
    counts: pd.DataFrame, layers: dict[str, Sequence[str]]
) -> Iterator[tuple[dict[str, str], pd.DataFrame, pd.DataFrame]]:
    """Every split, metric and choice of layers, with the counts of the split and the drops of its classes."""
    for split, own in counts.groupby("split", sort=False):
        for metric, (name, chosen) in product(METRICS, layers.items()):
            where = {"split": str(split), "metric": metric, "layers": name}
            yield where, own, class_drops(own, metric, chosen)


def _row(
    counts: pd.DataFrame, drops: pd.DataFrame, metric: str, condition: str, seed: int, resamples: int
) -> dict[str, object]:
    untouched = counts[counts["condition"] == "none"]
    interval = mean_interval(by_class(drops, condition).to_numpy(), seed, resamples)
    numbers = drops.loc[drops["condition"] == condition, "number"].nunique()
    random = condition == "random"
    return {
        "condition": condition,
        **interval.columns(),
        "se": standard_error_over_draws(drops) if random else float("nan"),
        "accuracy": float((untouched[metric] / untouched["images"]).mean()),
        "classes": int(untouched["label"].nunique()),
        "images": float(untouched["images"].mean()),
        "samples": 0 if random or condition == "all" else numbers,
        "draws": numbers if random else 0,
    }


SHUFFLES = 200


@dataclass(frozen=True)
class Ranked:
    """How highly a score ranks some neurons within their layers.

    ``auc``: chance that one of them scores above another neuron of its layer, ties counting half; NaN where no
    layer has both; ``null``, ``null_low``, ``null_high``: the same with the neurons drawn anew within each layer
    (mean and 95 %); ``p``: one-sided; ``neurons``: how many there are, ``of`` how many; ``draws``: float64 [shuffles]
    of the null, empty where there is none.
    """

    auc: float
    null: float
    null_low: float
    null_high: float
    p: float
    neurons: int
    of: int
    draws: Doubles


def ranked(score: Doubles, chosen: Bools, layer: Array, seed: int) -> Ranked:
    """Compare a score of neurons with a choice of them, layer by layer, and with chance.

    Parameters
    ----------
    score : float64 [neurons].
    chosen : bool [neurons], the neurons that should rank.
    layer : integers [neurons]; scores are compared within a layer only, since bins are cut within layers.
    seed : of the null.
    """
    observed = auc_within(score, chosen, layer)
    count = int(chosen.sum())
    if not np.isfinite(observed):
        nothing = float("nan")
        return Ranked(observed, nothing, nothing, nothing, nothing, count, len(chosen), np.empty(0))
    draws = shuffled(
        lambda stream: auc_within(score, chosen[shuffle_within(layer, stream)], layer),
        derive(seed, "important neurons"),
        SHUFFLES,
    )
    null = summary(draws)
    p = exceedance(observed, draws)
    return Ranked(observed, null.value, null.low, null.high, p, count, len(chosen), draws)


@dataclass(frozen=True)
class MeanRanked:
    """Mean AUC over classes, ``auc`` with its interval over them, beside the null of that mean and its one-sided p.

    The null of a mean is narrower than the mean of the classes' nulls: every shuffle moves the same neurons for all
    classes, so that what their scores have in common stays, and the mean is taken shuffle by shuffle.
    """

    auc: Interval
    null: Interval
    p: float


def mean_ranked(classes: Sequence[Ranked], seed: int) -> MeanRanked:
    """Average some classes of one network, each with a finite AUC and ranked with the same seed."""
    found = mean_interval([each.auc for each in classes], seed)
    draws = np.mean([each.draws for each in classes], axis=0)
    return MeanRanked(found, summary(draws), exceedance(found.value, draws))


def auc_within(score: Doubles, chosen: Bools, layer: Array) -> float:
    """Area under the ROC curve over all pairs of neurons of the same layer; NaN without such a pair."""
    won = pairs = 0.0
    for number in np.unique(layer):
        own = layer == number
        hits, total = int(chosen[own].sum()), int(own.sum())
        if 0 < hits < total:
            won += float(wins(score[own], chosen[own]))
            pairs += hits * (total - hits)
    return won / pairs if pairs else float("nan")
