"""Simulated participants by how they go about a question."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.special import expit, logit

from human_eval.design.assembly import WORD
from human_eval.design.trial import Trial

WORDS = ("dots", "stripes", "fur", "windows", "leaves", "wheels", "faces", "water")
CAREFUL_MS, CARELESS_MS = 4000.0, 250.0  # medians of the response times
SPREAD = 0.4  # SD of the logarithm of the response times


@dataclass(frozen=True)
class Answer:
    """What is given to a trial: position of the panel or option (None: open only), its texts, milliseconds."""

    given: int | None
    texts: tuple[str, ...]
    ms: int


class Observer(Protocol):
    """Somebody who answers."""

    def answer(self, trial: Trial, ability: float, stream: np.random.Generator) -> Answer:
        """Answer a trial; ``ability`` is the participant's own, standard normal."""


@dataclass(frozen=True)
class Skilled:
    """Right with a probability of the condition's ``accuracy``, wrong at random otherwise; catch trials mostly passed.

    ``accuracy``: by condition, ``otherwise`` for those that are not named; ``participant_sd``: of the log-odds.
    Names are those of the thing shown with the same probability.
    """

    accuracy: Mapping[str, float] = field(default_factory=dict)
    otherwise: float = 0.8
    participant_sd: float = 0.0
    careful: float = 0.98

    def answer(self, trial: Trial, ability: float, stream: np.random.Generator) -> Answer:
        """Look, and mostly see it."""
        chance = self._chance(trial, ability)
        texts = tuple(
            _named(trial, place, stream.random() < chance, stream) for place in range(_fields(trial))
        )
        return Answer(_closed(trial, stream.random() < chance, stream), texts, _time(CAREFUL_MS, stream))

    def _chance(self, trial: Trial, ability: float) -> float:
        if trial.role in ("catch", "practice"):
            return self.careful
        accuracy = self.accuracy.get(trial.condition, self.otherwise)
        if not 0 < accuracy < 1:
            return accuracy
        return float(expit(logit(accuracy) + self.participant_sd * ability))


@dataclass(frozen=True)
class Guesser:
    """Takes anything and writes anything, with care for nothing but the time that it takes."""

    median_ms: float = CAREFUL_MS

    def answer(self, trial: Trial, ability: float, stream: np.random.Generator) -> Answer:
        """Guess."""
        texts = tuple(str(stream.choice(WORDS)) for _ in range(_fields(trial)))
        return Answer(_any(trial, stream), texts, _time(self.median_ms, stream))


@dataclass(frozen=True)
class Sided:
    """Takes the panel (or option) at one ``position`` with a probability of ``bias``, any otherwise."""

    position: int = 0
    bias: float = 0.9

    def answer(self, trial: Trial, ability: float, stream: np.random.Generator) -> Answer:
        """Take the usual place."""
        usual = trial.alternatives and stream.random() < self.bias
        given = min(self.position, trial.alternatives - 1) if usual else _any(trial, stream)
        texts = tuple(WORDS[0] for _ in range(_fields(trial)))
        return Answer(given, texts, _time(CAREFUL_MS, stream))


PERFECT, FAST = Skilled(otherwise=1.0, careful=1.0), Guesser(CARELESS_MS)


def instructed(trial: Trial) -> bool:
    """Whether the question itself says what to answer, so that anybody who reads it knows."""
    return trial.role == "catch" and not trial.form.choose


def _fields(trial: Trial) -> int:
    return len(trial.form.texts)


def _any(trial: Trial, stream: np.random.Generator) -> int | None:
    return int(stream.integers(trial.alternatives)) if trial.alternatives else None


def _closed(trial: Trial, right: bool, stream: np.random.Generator) -> int | None:
    if trial.answer is None or not trial.alternatives:
        return _any(trial, stream)
    if right:
        return trial.answer
    # Any of the others.
    return int((trial.answer + stream.integers(1, trial.alternatives)) % trial.alternatives)


def _named(trial: Trial, place: int, seen: bool, stream: np.random.Generator) -> str:
    if not seen:
        return str(stream.choice(WORDS))
    return WORD if instructed(trial) else f"thing {trial.item} {place}"


def _time(median: float, stream: np.random.Generator) -> int:
    return round(median * float(np.exp(SPREAD * stream.standard_normal())))
