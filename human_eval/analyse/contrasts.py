"""The contrasts of a study with their intervals over people and items, and what they conclude."""

from dataclasses import astuple, fields

import numpy as np
import pandas as pd
from scipy import stats

from evoscope.arrays import Bools, Doubles, Ints
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from human_eval.analyse.intervals import Estimate, bounded, difference, share, spread, unbounded
from human_eval.analyse.labels import agreements
from human_eval.design.contrast import FEWEST_ITEMS, SHUFFLES, secondary_contrasts
from human_eval.design.trial import AGAINST, YES, Contrast, Study, spoken

COLUMNS = ["analysis", "contrast", *(field.name for field in fields(Estimate)), "conclusion"]
PRIMARY, UNEXCLUDED, SECONDARY = "primary", "primary, nobody excluded", "secondary"
ALPHA = 0.05


def contrasts(study: Study, counted: pd.DataFrame, every: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The primary contrast, the same without exclusions, and the secondary ones; a row each.

    Parameters
    ----------
    counted, every : tidy tables of those who count, and of everybody.
    seed : of the shuffles of names.

    Returns
    -------
    DataFrame
        ``analysis``, ``contrast``, ``value`` between ``low`` and ``high`` (95 %), ``p`` (two-sided; one-sided by
        shuffling for names) against ``null``, ``people``, ``items``, ``answers``, ``conclusion``. What has no
        answers yet is left out.
    """
    asked = [(PRIMARY, study.primary, counted), (UNEXCLUDED, study.primary, every)]
    asked += [(SECONDARY, each, counted) for each in secondary_contrasts(study.primary, study.trials)]
    rows, seen = [], dict[tuple[int, str], _Names]()
    for name, contrast, answers in asked:
        try:
            found = estimate(study, contrast, answers, seed, seen)
        except EvoscopeError:
            continue
        rows.append([name, contrast.text, *astuple(found), conclusion(contrast, found)])
    return pd.DataFrame(rows, columns=COLUMNS)


def estimate(
    study: Study,
    contrast: Contrast,
    answers: pd.DataFrame,
    seed: int = 0,
    seen: "dict[tuple[int, str], _Names] | None" = None,
) -> Estimate:
    """One contrast; ``seen`` keeps what was found of the names of a condition, of these very answers.

    Raises
    ------
    EvoscopeError : one of its conditions has no answers.
    """
    main = answers[answers["role"] == "main"]
    if contrast.first:
        main = main[main["condition"].isin([contrast.first, contrast.other])]
    if contrast.measure == "agreement":
        return _of_names(main, contrast, seed, {} if seen is None else seen, id(answers))
    main = main[main["given"].notna() & ~main["missing"]]
    if contrast.measure == "rating":
        return superiority(main, (main["condition"] == contrast.first).to_numpy())
    if contrast.measure == "yes":
        yes = study.trials[0].form.options.index(YES)
        main = main.assign(right=main["given"] == yes)
        null = 0.5
    else:
        main = main[main["right"].notna()]
        null = float((1 / main["alternatives"].astype(float)).mean()) if len(main) else float("nan")
    if contrast.other:
        return difference(main, (main["condition"] == contrast.first).to_numpy())
    return share(main, null)


def superiority(answers: pd.DataFrame, first: Bools) -> Estimate:
    """Probability that a rating of the ``first`` [n] is higher than one of the others, ties half; against one half.

    Mann and Whitney's statistic, which takes ratings as ordered only, with the interval over people and items.
    """
    if not first.any() or first.all():
        raise EvoscopeError("one of two conditions has no answers", "compare once both have been answered")
    given = np.asarray(answers["given"].astype(float), dtype=np.float64)
    beaten = _placed(given[first], given[~first])
    beating = 1 - _placed(given[~first], given[first])
    value = float(beaten.mean())
    influence = np.empty(len(given))
    influence[first] = (beaten - value) / first.sum()
    influence[~first] = (beating - value) / (~first).sum()
    found = spread(influence, answers["participant"].array, answers["item"].array, first.tolist())
    people, items = answers["participant"].nunique(), answers["item"].nunique()
    return bounded(value, found, 0.5, (people, items, len(given)))


def _placed(of: Doubles, among: Doubles) -> Doubles:
    """Share of ``among`` [m] that each of ``of`` [n] exceeds, equal ones half."""
    order = np.sort(among)
    below, upto = np.searchsorted(order, of, "left"), np.searchsorted(order, of, "right")
    return np.asarray((below + upto) / (2 * len(among)))


def _of_names(
    main: pd.DataFrame, contrast: Contrast, seed: int, seen: "dict[tuple[int, str], _Names]", of: int
) -> Estimate:
    """Agreement of names less that of names shuffled over a condition's items; of one condition, or a difference."""
    names = [contrast.first, contrast.other] if contrast.other else [contrast.first]
    for name in names:
        if (of, name) not in seen:
            part = main[main["condition"] == name] if name else main
            seen[of, name] = _beyond_shuffled(part, generator(seed, "names", name))
    found = [seen[of, name] for name in names]
    values = [one.value for one in found]
    sign = [1.0, -1.0][: len(found)]
    deviations = pd.concat([s * one.people for s, one in zip(sign, found, strict=True)]).groupby(level=0).sum()
    people, items = len(deviations), sum(len(one.items) for one in found)
    counts = (people, items, len(main))
    value = float(np.dot(sign, values))
    if people < 3 or any(len(one.items) < 2 for one in found):
        return unbounded(value, 0.0, *counts)
    parts_of = [(float((deviations**2).sum()), people)]
    parts_of += [(float(one.items.var(ddof=1)) / len(one.items), len(one.items)) for one in found]
    # Where all agree nothing varies: an item more that nobody agrees on would still be possible.
    least = max(1 / (one.within.size + 1) for one in found) / 2
    variance = max(sum(part for part, _ in parts_of), least**2 if len(set(deviations)) == 1 else 0.0)
    below = sum(part**2 / (count - 1) for part, count in parts_of)
    df = max(variance**2 / below, 1.0) if below > 0 else float(min(count for _, count in parts_of) - 1)
    reach = float(stats.t.ppf(0.975, df)) * variance**0.5
    if contrast.other:
        p = float(2 * stats.t.sf(abs(value) / variance**0.5, df)) if variance > 0 else float("nan")
    else:
        p = found[0].p
    bounds = max(-1.0, value - reach), min(1.0, value + reach)
    return Estimate(value, *bounds, p, 0.0, *counts)


class _Names:
    """Agreement of the names of one condition: by item, by how much it is each person's, and beyond shuffling."""

    def __init__(self, within: Doubles, people: "pd.Series[float]", shuffled: Doubles) -> None:
        expected = float(shuffled.mean())
        self.within, self.people = within, people
        self.items = within - expected
        self.value = float(self.items.mean())
        self.p = float((1 + (shuffled >= within.mean()).sum()) / (1 + len(shuffled)))


def _beyond_shuffled(part: pd.DataFrame, stream: np.random.Generator) -> _Names:
    if part.empty:
        raise EvoscopeError("a condition has no names", "compare once it has been answered")
    said, table = agreements(part["texts"].tolist())
    who, codes = pd.factorize(part["participant"])[0], pd.factorize(part["item"])[0]
    groups = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        raise EvoscopeError("no two people named the same item", "compare once two have")
    within = np.array([_mean_pair(table, said[group]) for group in groups])
    deviation = np.zeros(who.max() + 1)
    for group, own in zip(groups, within, strict=True):
        count = len(group)
        rows = table[np.ix_(said[group], said[group])].sum(axis=1) - table[said[group], said[group]]
        # Without a person, an item's mean over pairs; of two people nothing is left, and the item's mean stands.
        left = (own * count * (count - 1) - 2 * rows) / ((count - 1) * (count - 2)) if count > 2 else np.full(2, own)
        np.add.at(deviation, who[group], (own - left) / len(groups))
    shuffled = np.array([_shuffled(table, said, who, groups, stream) for _ in range(SHUFFLES)])
    names = pd.factorize(part["participant"])[1]
    return _Names(within, pd.Series(deviation, index=names), shuffled)


def _shuffled(table: Doubles, said: Ints, who: Ints, groups: list[Ints], stream: np.random.Generator) -> float:
    """Mean agreement within items once every person's names are dealt anew over the items that they named."""
    dealt = np.empty_like(said)
    dealt[np.argsort(who, kind="stable")] = said[np.lexsort((stream.random(len(said)), who))]
    return float(np.mean([_mean_pair(table, dealt[group]) for group in groups]))


def _mean_pair(table: Doubles, group: Ints) -> float:
    """Mean overlap of two of a group of names, by how often each occurs."""
    codes, counts = np.unique(group, return_counts=True)
    own = table[np.ix_(codes, codes)]
    pairs = len(group) * (len(group) - 1)
    return float((counts @ own @ counts - counts @ own.diagonal()) / pairs)


WHAT = {"right": "accuracy", "yes": "share of “Yes”", "agreement": "agreement of names", "rating": "rating"}


def conclusion(contrast: Contrast, found: Estimate) -> str:
    """What a contrast shows, in one sentence (and a warning where there are few items)."""
    if np.isnan(found.low):
        return f"Too few people or items for an interval ({contrast.text}: {found.value:.2f})."
    bounds = f"{found.value:.2f}, 95 % interval {found.low:.2f} to {found.high:.2f} over people and items"
    one, what = spoken(contrast.first) if contrast.first else "all conditions", WHAT[contrast.measure]
    other = spoken(contrast.other) or AGAINST[contrast.measure]
    if contrast.measure == "yes" and not contrast.other:
        said = f"Without foils the {what} ({bounds}) does not tell agreement from a habit of saying yes."
    elif not found.p < ALPHA:
        said = f"It was not shown that the {what} of {one} differs from that of {other} ({bounds})."
    else:
        more = "above" if found.value > found.null else "below"
        said = f"The {what} of {one} lies {more} that of {other} ({bounds})."
    few = f" A condition has fewer than {FEWEST_ITEMS} items: the interval may be too narrow."
    return said + (few if found.items < FEWEST_ITEMS * (2 if contrast.other else 1) else "")


def ordinal_model(study: Study, counted: pd.DataFrame) -> pd.DataFrame:
    """Cumulative logit model of ratings, whose interval is that over people and items.

    Returns
    -------
    DataFrame
        One row: ``term``, ``estimate`` (log-odds of a higher rating in the first condition of the primary contrast
        than in the other), ``low``, ``high``, ``p``; none where ratings were not asked, a condition or a second
        rating is lacking, or the ratings of the two do not overlap, so that the log-odds are infinite.
    """
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    columns, primary = ["term", "estimate", "low", "high", "p"], study.primary
    wanted = counted["condition"].isin([primary.first, primary.other]) & counted["given"].notna()
    answers = counted[wanted & (counted["role"] == "main") & (primary.measure == "rating")]
    given, first = (answers["given"].astype(float).to_numpy(), (answers["condition"] == primary.first).to_numpy())
    if first.all() or not first.any() or len(np.unique(given)) < 2 or superiority(answers, first).value in (0, 1):
        return pd.DataFrame(columns=columns)
    # Ratings that nobody gave have no threshold.
    codes = np.unique(given, return_inverse=True)[1]
    model = OrderedModel(codes, first.astype(float)[:, None], distr="logit")
    fitted = model.fit(method="bfgs", disp=0)
    scores = np.asarray(model.score_obs(fitted.params))
    bread = -np.linalg.pinv(np.asarray(model.hessian(fitted.params)))
    found = spread(scores @ bread[0], answers["participant"].array, answers["item"].array, first.tolist())
    value, error = float(fitted.params[0]), found.variance**0.5
    bounds = [value - found.reach * error, value + found.reach * error]
    p = float(2 * stats.t.sf(abs(value) / error, found.df))
    return pd.DataFrame([["higher rating, log-odds", value, *bounds, p]], columns=columns)
