"""How many participants and trials show an effect, before anything is rendered."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from evoscope.arrays import Doubles
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator


@dataclass(frozen=True)
class Effect:
    """What is to be shown: ``accuracy`` above ``chance``, with participants' and items' spread (SD of the logit)."""

    accuracy: float
    chance: float = 1 / 6
    participant_sd: float = 0.5
    item_sd: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.chance < self.accuracy < 1:
            raise EvoscopeError(
                f"an accuracy of {self.accuracy:g} cannot be shown against a chance of {self.chance:g}",
                "give an accuracy between chance and 1",
            )


def critical_count(trials: int, chance: float, alpha: float = 0.05) -> int:
    """Least number of right answers out of ``trials`` that chance reaches with a probability of at most ``alpha``."""
    counts = np.arange(trials + 2)
    return int(counts[stats.binom.sf(counts - 1, trials, chance) <= alpha][0])


def exact_power(trials: int, accuracy: float, chance: float, alpha: float = 0.05) -> float:
    """Power of the one-sided exact binomial test with ``trials`` independent answers."""
    return float(stats.binom.sf(critical_count(trials, chance, alpha) - 1, trials, accuracy))


def simulated_power(
    effect: Effect, participants: int, trials: int, seed: int, draws: int = 500, alpha: float = 0.05
) -> float:
    """Power of a one-sided t test on the participants' accuracies, when participants and items differ.

    Every draw has new participants, who all see the same ``trials`` items; one participant alone is tested by the
    exact binomial test.
    """
    stream = generator(seed, "power", participants, trials)
    right = _answers(effect, participants, trials, draws, stream)
    if participants == 1:
        return float((right[:, 0] * trials >= critical_count(trials, effect.chance, alpha) - 0.5).mean())
    spread = right.std(axis=1, ddof=1) / participants**0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (right.mean(axis=1) - effect.chance) / spread
    return float((t > stats.t.ppf(1 - alpha, participants - 1)).mean())


def _answers(
    effect: Effect, participants: int, trials: int, draws: int, stream: np.random.Generator
) -> Doubles:
    """Accuracy of every participant, float64 [draws, participants]."""
    people = stream.normal(0, effect.participant_sd, size=(draws, participants, 1))
    items = stream.normal(0, effect.item_sd, size=(draws, 1, trials))
    # Shifted so that the mean accuracy over people and items, not the median, is the wanted one.
    total = np.hypot(effect.participant_sd, effect.item_sd)
    chances = expit(centre(effect.accuracy, float(total)) + people + items)
    return np.asarray((stream.random(chances.shape) < chances).mean(axis=2))


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
    effect: Effect, participants: list[int], trials: list[int], seed: int, draws: int = 500
) -> list[dict[str, float]]:
    """Power of every combination of ``participants`` and ``trials``, simulated and by the exact test of one."""
    return [
        {
            "participants": people,
            "trials": count,
            "power": simulated_power(effect, people, count, seed, draws),
            "exact_power_of_one": exact_power(count, effect.accuracy, effect.chance),
        }
        for people in participants
        for count in trials
    ]


def participants_needed(
    effect: Effect, trials: int, power: float, seed: int, most: int = 1000, draws: int = 500
) -> int | None:
    """Fewest participants, of ``trials`` answers each, that show ``effect`` with ``power``; None: more than ``most``.

    Found by bisection over `simulated_power`, which grows with the participants but for the noise of its draws.
    """
    low, high = 1, 2
    while simulated_power(effect, high, trials, seed, draws) < power:
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        enough = simulated_power(effect, middle, trials, seed, draws) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high
