"""How many participants and trials show an effect, before anything is rendered."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from evoscope.arrays import Bools, Doubles
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator

ALPHA = 0.05


@dataclass(frozen=True)
class Effect:
    """What is to be shown: ``accuracy`` above ``chance``, with participants' and items' spread (SD of the logit).

    ``compared``: above a second condition of the accuracy ``chance``, answered by the same participants, not above
    chance itself.
    """

    accuracy: float
    chance: float = 1 / 6
    participant_sd: float = 0.5
    item_sd: float = 0.5
    compared: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.chance < self.accuracy < 1:
            raise EvoscopeError(
                f"an accuracy of {self.accuracy:g} cannot be shown against a chance of {self.chance:g}",
                "give an accuracy between chance and 1",
            )


def critical_count(trials: int, chance: float) -> int:
    """Least number of right answers out of ``trials`` that chance reaches with a probability of at most `ALPHA`."""
    counts = np.arange(trials + 2)
    return int(counts[stats.binom.sf(counts - 1, trials, chance) <= ALPHA][0])


def exact_power(trials: int, accuracy: float, chance: float) -> float:
    """Power of the one-sided exact binomial test with ``trials`` independent answers."""
    return float(stats.binom.sf(critical_count(trials, chance) - 1, trials, accuracy))


def simulated_power(
    effect: Effect, participants: int, trials: int, seed: int, draws: int = 200, items: int = 0
) -> float:
    """Power of the test that the analysis makes: two-sided, over people and items, that are drawn anew each time.

    Parameters
    ----------
    trials, items : how many of how many items of a condition each participant answers (``items`` 0: of so many).

    Notes
    -----
    The variance is that of `human_eval.analyse.intervals.spread`. One participant alone is tested by the exact
    binomial test.
    """
    if participants == 1:
        stream = generator(seed, "power", participants, trials)
        chances = _chances(effect, effect.accuracy, stream.normal(0, effect.participant_sd, (draws, 1)), trials, stream)
        right = np.asarray((stream.random(chances.shape) < chances).mean(axis=1))
        return float((right * trials >= critical_count(trials, effect.chance) - 0.5).mean())
    sizes = participants, trials, max(items, trials)
    found = [_shown(effect, *sizes, generator(seed, "power", *sizes, draw)) for draw in range(draws)]
    return float(np.mean(found))


def _chances(effect: Effect, accuracy: float, people: Doubles, items: int, stream: np.random.Generator) -> Doubles:
    """Probability [people, items] of each right answer, whose mean over people and items is ``accuracy``."""
    # Shifted so that the mean accuracy over people and items, not the median, is the wanted one.
    middle = centre(accuracy, float(np.hypot(effect.participant_sd, effect.item_sd)))
    return np.asarray(expit(middle + people + stream.normal(0, effect.item_sd, size=(1, items))))


def _shown(effect: Effect, participants: int, trials: int, items: int, stream: np.random.Generator) -> bool:
    """Whether one simulated study shows the effect."""
    people = stream.normal(0, effect.participant_sd, (participants, 1))
    over_people, parts, answers, between = np.zeros(participants), [], 0.0, -effect.chance
    for sign, accuracy in ((1, effect.accuracy), (-1, effect.chance))[: 1 + effect.compared]:
        chances = _chances(effect, accuracy, people, items, stream)
        asked = _asked(participants, trials, items, stream)
        right = stream.random(chances.shape) < chances
        share = right[asked].mean()
        weight = sign * np.where(asked, right - share, 0.0) / asked.sum()
        over_people += weight.sum(axis=1)
        over_items = weight.sum(axis=0)[asked.any(axis=0)]
        count = len(over_items)
        parts.append((float((over_items**2).sum()) * count / max(count - 1, 1), count))
        answers += float((weight**2).sum())
        between = (share if sign > 0 else between - share) if effect.compared else share - effect.chance
    parts.append((float((over_people**2).sum()) * participants / (participants - 1), participants))
    of_items = sum(part for part, _ in parts[:-1])
    variance = max(of_items + parts[-1][0] - answers, of_items, parts[-1][0])
    below = sum(part**2 / max(count - 1, 1) for part, count in parts)
    if below == 0:
        return False
    df = max(variance**2 / below, min(count for _, count in parts) - 1)
    return bool(between / variance**0.5 > stats.t.ppf(1 - ALPHA / 2, df))


def _asked(participants: int, trials: int, items: int, stream: np.random.Generator) -> Bools:
    """Which items each participant answers, bool [participants, items]."""
    if trials >= items:
        return np.ones((participants, items), dtype=bool)
    order = stream.random((participants, items)).argsort(axis=1)
    return np.asarray(order < trials)


def centre(accuracy: float, spread: float) -> float:
    """Logit whose normal mixture with SD ``spread`` has mean ``accuracy``."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    low, high = logit(accuracy) - 5 - spread**2, logit(accuracy) + 5 + spread**2
    for _ in range(60):
        middle = (low + high) / 2
        mean = float(weights @ expit(middle + spread * nodes)) / float(weights.sum())
        low, high = (middle, high) if mean < accuracy else (low, middle)
    return float((low + high) / 2)


def power_table(
    effect: Effect, participants: list[int], trials: list[int], seed: int, items: int = 0
) -> list[dict[str, float]]:
    """Power of every combination of ``participants`` and ``trials``, simulated and by the exact test of one."""
    return [
        {
            "participants": people,
            "trials": count,
            "power": simulated_power(effect, people, count, seed, items=items),
            "exact_power_of_one": exact_power(count, effect.accuracy, effect.chance),
        }
        for people in participants
        for count in trials
    ]


def participants_needed(
    effect: Effect, trials: int, power: float, seed: int, most: int = 1000, draws: int = 200, items: int = 0
) -> int | None:
    """Fewest participants, of ``trials`` answers each, that show ``effect`` with ``power``.

    None: more than ``most``, or no number, because the items are too few. Found by
    bisection over `simulated_power`, which grows with the participants but for the noise of its draws.
    """
    low, high = 1, 2
    while simulated_power(effect, high, trials, seed, draws, items=items) < power:
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        enough = simulated_power(effect, middle, trials, seed, draws, items=items) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high
