"""A made-up exhibit of concepts of a table's networks; nothing here is a measurement."""

import itertools

import numpy as np
import pandas as pd

from evoscope.figure_data import TabularConcepts

COLUMNS = ("age", "two_year_recid", "priors_count", "length_of_stay", "c_charge_degree_F", "sex_Female", "race")
PROTECTED = ("race", "sex_Female", "age")


def tabular(rng, columns=COLUMNS, protected=PROTECTED, seeds=2, layers=("hidden_1", "hidden_2"), count=6):
    """Networks with ``count`` concepts in each of their layers."""
    places = list(itertools.product(range(seeds), layers, range(count)))
    head = pd.DataFrame(places, columns=["seed", "layer", "direction"])
    low = {"low": -0.03, "high": 0.01, "random_low": -0.02, "random_high": 0.0}
    concepts = head.assign(
        class_name=rng.choice(["high risk", "medium or low risk"], len(head)), z=rng.normal(0, 20, len(head)),
        share=rng.random(len(head)) ** 4, accuracy_change=rng.normal(0, 0.02, len(head)), random=-0.01,
        again=rng.random(len(head)) if seeds > 1 else np.nan, **low,
    )  # fmt: skip
    pairs = head.merge(pd.DataFrame({"column": columns}), how="cross")
    value = rng.uniform(-1, 1, len(pairs))
    correlations = pairs.assign(
        protected=pairs["column"].isin(protected), value=value, low=value - 0.05, high=value + 0.05,
        p=np.where(np.abs(value) > 0.1, 0.001, 0.6), chance=0.1, random=0.2873,
    )  # fmt: skip
    gaps = head.merge(pd.DataFrame({"column": protected, "cut": 0.5}), how="cross")
    gaps = gaps.assign(gap=0.13, gap_without=rng.uniform(0, 0.2, len(gaps)), change=-0.02, **low)
    networks = pd.DataFrame(
        {"seed": range(seeds), "train_accuracy": 0.86, "test_accuracy": 0.85 + 0.001 * np.arange(seeds)}
    )
    networks = networks.assign(largest_class=0.815, shown_share=0.14, train_rows=4937, test_rows=1235)
    inputs = pd.DataFrame({"column": protected, "other": "priors_count", "value": 0.2})
    return TabularConcepts(
        "COMPAS", tuple(columns), tuple(protected), "high risk", networks, concepts, correlations, gaps, inputs
    )
