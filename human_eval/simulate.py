"""Observers that answer a study without being people, to try the whole chain; never to be called human."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.special import expit, logit, softmax

from evoscope.arrays import Bytes, Doubles
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from human_eval.answers import answer_table
from human_eval.design.baselines import colours
from human_eval.design.build import WORD
from human_eval.design.trial import NO, YES, Block, Study, Trial

OBSERVERS = ("skilled", "perfect", "random", "sided", "fast", "embedding")
WORDS = ("dots", "stripes", "fur", "windows", "leaves", "wheels", "faces", "water")
CAREFUL_MS, CARELESS_MS = 4000.0, 250.0  # medians of the response times
CELLS = 4  # of the layout of a picture, per side
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
        texts = tuple(_named(trial, place, stream.random() < chance, stream) for place in range(len(trial.form.texts)))
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
        texts = tuple(str(stream.choice(WORDS)) for _ in range(len(trial.form.texts)))
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
        texts = tuple(WORDS[0] for _ in range(len(trial.form.texts)))
        return Answer(given, texts, _time(CAREFUL_MS, stream))


PERFECT, FAST = Skilled(otherwise=1.0, careful=1.0), Guesser(CARELESS_MS)


def instructed(trial: Trial) -> bool:
    """Whether the question itself says what to answer, so that anybody who reads it knows."""
    return trial.role == "catch" and not trial.form.choose


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


def _features(picture: Bytes) -> Doubles:
    """In place of a network's: colour histogram, coarse layout and edge directions of [side, side, 3]; [d]."""
    grey = picture.mean(axis=2)
    edges_y, edges_x = np.gradient(grey)
    angle = ((np.arctan2(edges_y, edges_x) % np.pi) * 8 / np.pi).astype(np.int64).ravel() % 8
    strength = np.hypot(edges_x, edges_y).ravel()
    edges = np.bincount(angle, strength, minlength=8) / max(float(strength.sum()), 1e-9)
    cells = np.array_split(np.arange(len(grey)), min(CELLS, len(grey)))
    layout = np.array([[grey[np.ix_(rows, columns)].mean() for columns in cells] for rows in cells]) / 255
    return np.concatenate([np.sqrt(colours(picture)), 0.5 * np.sqrt(edges), 0.25 * layout.ravel()])


@dataclass(frozen=True)
class Embedding:
    """Takes the panel least like the others; says how alike panels are; names a panel by its strongest feature.

    ``features``: [m, d], a row per picture of the study; ``sharpness``: of the choice (0: at random); ``same``: cosine
    above which panels count as showing the same. Catch trials whose question says what to answer are answered so;
    whether a label fits is guessed, because features of pictures know no words.
    """

    study: Study
    features: Doubles
    sharpness: float = 30.0
    same: float = 0.9

    def __post_init__(self) -> None:
        if len(self.features) != len(self.study.pictures):
            raise EvoscopeError(
                f"there are {len(self.features)} features for {len(self.study.pictures)} pictures",
                "give a row of features for every picture of the study",
            )

    def answer(self, trial: Trial, ability: float, stream: np.random.Generator) -> Answer:
        """Compare the panels."""
        panels = np.stack([self.features[list(panel)].mean(axis=0) for panel in trial.panels])
        named = [min(place, len(panels) - 1) for place in range(len(trial.form.texts))]
        texts = tuple(f"feature {int(panels[place].argmax())}" for place in named)
        if instructed(trial):
            return Answer(trial.answer if trial.form.options else None, (WORD,) * len(texts), int(CAREFUL_MS))
        return Answer(self._closed(trial, panels, stream), texts, int(CAREFUL_MS))

    def _closed(self, trial: Trial, panels: Doubles, stream: np.random.Generator) -> int | None:
        if not trial.alternatives:
            return None
        unit = panels / np.maximum(np.linalg.norm(panels, axis=1, keepdims=True), 1e-12)
        likeness = np.asarray(unit @ unit.T)
        if trial.form.choose:
            odd = -(likeness.sum(axis=1) - 1) / max(1, len(panels) - 1)
            return int(stream.choice(len(panels), p=softmax(self.sharpness * odd)))
        alike = float(likeness.min())
        if trial.kind == "pairwise_coherence":
            return int(np.clip(alike * trial.alternatives, 0, trial.alternatives - 1))
        if trial.kind == "evolution_label":
            return trial.form.options.index(NO if alike > self.same else YES)
        return int(stream.integers(trial.alternatives))


def simulate(study: Study, counts: Mapping[str, int], seed: int, skilled: Skilled | None = None) -> pd.DataFrame:
    """Answers of simulated participants to whole blocks, as `human_eval.analyse` reads them.

    Parameters
    ----------
    study : with its key.
    counts : how many of each of `OBSERVERS`; ids are ``simulated-<observer>-<number>``, blocks go round.
    seed : of everything drawn.
    skilled : what the skilled ones can do.

    Raises
    ------
    EvoscopeError : an observer is unknown, or a count is negative.
    """
    unknown = [name for name, count in counts.items() if name not in OBSERVERS or count < 0]
    if unknown:
        raise EvoscopeError(f"there are no simulated observers '{unknown[0]}'", f"choose among {', '.join(OBSERVERS)}")
    names = [(name, number) for name, count in counts.items() for number in range(count)]
    made = {name: _observer(name, study, skilled) for name in counts}
    trials, records = study.by_id(), list[dict[str, Any]]()
    for place, (name, number) in enumerate(names):
        block = study.blocks[place % len(study.blocks)]
        stream = generator(seed, "simulated", name, number)
        who = f"simulated-{name}-{number:04d}"
        records += [{**answer, "participant": who} for answer in one_participant(made[name], block, trials, stream)]
    return answer_table([{**record, "simulated": True} for record in records])


def _observer(name: str, study: Study, skilled: Skilled | None) -> Observer:
    if name == "embedding":
        return Embedding(study, np.stack([_features(picture) for picture in study.pictures]))
    fixed: dict[str, Observer] = {"perfect": PERFECT, "random": Guesser(), "sided": Sided(), "fast": FAST}
    return fixed.get(name) or skilled or Skilled()


def one_participant(
    observer: Observer, block: Block, trials: Mapping[str, Trial], stream: np.random.Generator
) -> list[dict[str, Any]]:
    """Answers to all of a block in the form that a page posts, but for the participant's id."""
    ability = float(stream.standard_normal())
    records = []
    for place, name in enumerate(block.trials):
        trial = trials[name]
        found = observer.answer(trial, ability, stream)
        choice, option = (found.given, None) if trial.form.choose else (None, found.given)
        closed = {"choice": choice, "option": option, "texts": list(found.texts)}
        asked = {"block": block.id, "trial": trial.id, "place": place}
        records.append({**asked, **closed, "ms": found.ms, "resumed": False})
    return records
