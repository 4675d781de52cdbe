"""How long the analysis of a large study takes, and how often its intervals hold what was planted.

All participants are simulated. The time is that of everything between a table of answers and a report on disk. The
coverage is that of the 95 % interval over people and items, both drawn anew in each study; beside it the share of
studies without any difference whose contrast of two conditions has p < .05. ::

    python -m benchmarks.studies --participants 10000 --studies 1000
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from evoscope.seeds import generator
from human_eval.analyse.intervals import difference, share
from human_eval.analyse.report import analyse, write_report
from human_eval.design import Blocking, Options, design, synthetic_neurons
from human_eval.design.power import centre
from human_eval.simulate import Skilled, simulate

# The published study had 260 people and 15 to 20 sets a condition.
PEOPLE, ITEMS, COUNTS, ITEM_SDS = (40, 260), 15, (10, 15, 30), (0.0, 1.0)
ACCURACIES = (1 / 6, 0.6, 0.85)
PERSON_SD, ACCURACY, ALPHA = 0.5, 0.6, 0.05


def timed(participants: int) -> tuple[float, float, int]:
    """Seconds of simulating and of analysing ``participants`` of the alignability study, and how many answers."""
    study = design("alignability", synthetic_neurons(0, side=4), 0, "corrected", Options(blocking=Blocking(6, 24)))
    start = time.perf_counter()
    answers = simulate(study, {"skilled": participants}, 0, Skilled(otherwise=0.7, participant_sd=0.5))
    simulated = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write_report(analyse(study, answers), Path(folder))
    return simulated - start, time.perf_counter() - simulated, len(answers)


def coverage(
    studies: int, people: int, item_sd: float, items: int = ITEMS, accuracy: float = ACCURACY
) -> tuple[float, float]:
    """Share of studies whose interval holds the planted accuracy, and share of nulls whose contrast has p < .05.

    Each study draws ``people`` and ``items`` of two conditions of the same accuracy anew; the first is the
    share, and the null is that the two do not differ.
    """
    held = np.array([_held(people, item_sd, items, accuracy, seed) for seed in range(studies)])
    return float(held[:, 0].mean()), float(held[:, 1].mean())


def _held(people: int, item_sd: float, items: int, accuracy: float, seed: int) -> tuple[bool, bool]:
    stream = generator(seed, "coverage", people, items, str(item_sd))
    ability = stream.normal(0, PERSON_SD, size=(people, 1))
    hardness = stream.normal(0, item_sd, size=(1, 2 * items))
    right = stream.random((people, 2 * items)) < expit(
        centre(accuracy, float(np.hypot(PERSON_SD, item_sd))) + ability + hardness
    )
    who, what = np.indices(right.shape)
    table = pd.DataFrame({"participant": who.ravel(), "item": what.ravel(), "right": right.ravel()})
    first = table["item"].to_numpy() < items
    found = share(table[first])
    return found.low <= accuracy <= found.high, difference(table, first).p < ALPHA


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=10_000)
    parser.add_argument("--studies", type=int, default=1000)
    options = parser.parse_args(arguments)
    making, taking, answers = timed(options.participants)
    print(f"{options.participants:,} simulated participants, {answers:,} answers: made in {making:.1f} s,")
    print(f"analysed and reported in {taking:.1f} s")
    print("accuracy people items item-SD: planted share within the 95 % interval, nulls with p < .05")
    for accuracy, people, item_sd, items in product(ACCURACIES, PEOPLE, ITEM_SDS, COUNTS):
        held, false = coverage(options.studies, people, item_sd, items, accuracy)
        print(f"{accuracy:8.2f} {people:6} {items:5} {item_sd:7g}: {held:.3f} {false:.3f}", flush=True)


if __name__ == "__main__":
    main()
