"""How long the analysis of a large study takes, and how often its intervals hold what was planted.

All participants are simulated. The time is that of everything between a table of answers and a report on disk, the
mixed model on 500 of them included; the coverage is that of the 95 % interval over participants, whose accuracies
differ, and of Wilson's interval, which takes answers as independent. ::

    python -m benchmarks.studies --participants 10000 --seeds 1000
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from evoscope.seeds import generator
from evoscope.stats import wilson
from human_eval.analyse import analyse, clustered, write_report
from human_eval.design import Blocking, Options, Study, design, synthetic_neurons
from human_eval.simulate import Skilled, simulate

PEOPLE, ITEMS, SPREAD, CENTRE = 40, 26, 0.8, 0.4


def timed(participants: int) -> tuple[float, float, int]:
    """Seconds of simulating and of analysing ``participants`` of the alignability study, and how many answers."""
    study = study_of_77_sets()
    start = time.perf_counter()
    answers = simulate(study, {"skilled": participants}, 0, Skilled(otherwise=0.7, participant_sd=0.5))
    simulated = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write_report(analyse(study, answers), Path(folder))
    return simulated - start, time.perf_counter() - simulated, len(answers)


def study_of_77_sets() -> Study:
    """The alignability study on drawn neurons, in six blocks of 24."""
    return design(
        "alignability", synthetic_neurons(0, side=4), 0, "corrected", Options(blocking=Blocking(6, 24))
    )


def coverage(seeds: int) -> tuple[float, float]:
    """Share of ``seeds`` whose interval over participants holds the planted accuracy, and the same of Wilson's."""
    chances = expit(CENTRE + generator(0, "items").normal(0, 0.5, ITEMS))
    held = np.array([_held(chances, seed) for seed in range(seeds)])
    return float(held[:, 0].mean()), float(held[:, 1].mean())


def _held(items: np.ndarray[tuple[int, ...], np.dtype[np.float64]], seed: int) -> tuple[bool, bool]:
    stream = generator(seed, "coverage")
    logits = np.log(items / (1 - items)) + stream.normal(0, SPREAD, size=(PEOPLE, 1))
    right = stream.random(logits.shape) < expit(logits)
    people = np.repeat(np.arange(PEOPLE), ITEMS)
    over = clustered(pd.DataFrame({"participant": people, "right": right.ravel()}))
    alone = wilson(int(right.sum()), right.size)
    truth = planted(items)
    return over.low <= truth <= over.high, alone.low <= truth <= alone.high


def planted(items: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Accuracy on ``items`` (that of the middle participant) averaged over the population of participants."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    chances = expit(np.log(items / (1 - items)) + SPREAD * nodes[:, None])
    return float(weights @ chances.mean(axis=1) / weights.sum())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=1000)
    options = parser.parse_args(arguments)
    making, taking, answers = timed(options.participants)
    print(f"{options.participants:,} simulated participants, {answers:,} answers: made in {making:.1f} s,")
    print(f"analysed and reported in {taking:.1f} s")
    over, alone = coverage(options.seeds)
    print(
        f"planted accuracy within the 95 % interval over participants: {over:.3f} of {options.seeds:,} seeds"
    )
    print(f"within Wilson's: {alone:.3f}")


if __name__ == "__main__":
    main()
