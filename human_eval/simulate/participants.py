"""From observers to a table of answers that says of itself that it is simulated."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from human_eval.collect.database import answer_table
from human_eval.design.trial import Block, Study, Trial
from human_eval.simulate.embedding import Embedding, picture_features
from human_eval.simulate.observers import FAST, PERFECT, Guesser, Observer, Sided, Skilled

OBSERVERS = ("skilled", "perfect", "random", "sided", "fast", "embedding")


def simulate(
    study: Study, counts: Mapping[str, int], seed: int, skilled: Skilled | None = None
) -> pd.DataFrame:
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
        raise EvoscopeError(
            f"there are no simulated observers '{unknown[0]}'", f"choose among {', '.join(OBSERVERS)}"
        )
    names = [(name, number) for name, count in counts.items() for number in range(count)]
    made = {name: _observer(name, study, skilled) for name in counts}
    trials, records = study.by_id(), list[dict[str, Any]]()
    for place, (name, number) in enumerate(names):
        block = study.blocks[place % len(study.blocks)]
        stream = generator(seed, "simulated", name, number)
        who = f"simulated-{name}-{number:04d}"
        records += [
            {**answer, "participant": who} for answer in one_participant(made[name], block, trials, stream)
        ]
    return answer_table([{**record, "simulated": True} for record in records])


def _observer(name: str, study: Study, skilled: Skilled | None) -> Observer:
    if name == "embedding":
        return Embedding(study, picture_features(study.pictures))
    fixed: dict[str, Observer] = {"perfect": PERFECT, "random": Guesser(), "sided": Sided(), "fast": FAST}
    return fixed.get(name) or skilled or Skilled()


def one_participant(
    observer: Observer, block: Block, trials: Mapping[str, Trial], stream: np.random.Generator
) -> list[dict[str, Any]]:
    """Answers to all of a block in the form that a page posts, but for the participant's id."""
    ability = float(stream.standard_normal())
    return [
        _record(observer, trials[name], block.id, place, ability, stream)
        for place, name in enumerate(block.trials)
    ]


def _record(
    observer: Observer, trial: Trial, block: str, place: int, ability: float, stream: np.random.Generator
) -> dict[str, Any]:
    found = observer.answer(trial, ability, stream)
    choice, option = (found.given, None) if trial.form.choose else (None, found.given)
    closed = {"choice": choice, "option": option, "texts": list(found.texts)}
    return {"block": block, "trial": trial.id, "place": place, **closed, "ms": found.ms, "resumed": False}
