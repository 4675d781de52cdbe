"""Made-up exhibits of the outlier experiment; nothing here is a measurement."""

import itertools

import numpy as np
import pandas as pd

from evoscope.discovery.outlier_judging import METRICS
from evoscope.discovery.outliers import BESIDE, CONCEPT_SCORES, READINGS, RIVALS, SCORES
from evoscope.discovery.outliers import METHODS as ALONG
from evoscope.figure_data import OutlierBoards

CASES = (("stamp", 0.0), ("stamp", 0.1), ("stamp", 0.5), ("stamp", 1.0), ("mislabelled", 0.05))
SHOWN = (0.05, 1.0)  # of which there are boards


def outlier_exhibits(rng, cases=CASES, seeds=("0", "1"), run="resnet18", names=("tench", "church"), side=16):
    """All exhibits that the figures and tables of outliers read."""
    where = {"data": "imagenette", "classes": ", ".join(names), "run": run, "layer": "layer4.0"}
    both = [(setting, p, seed) for seed in (*seeds, "all") for setting, p in cases]
    heads = [{"setting": setting, **where, "p": p, "seed": seed} for setting, p, seed in both]
    return {
        "outliers": pd.DataFrame(_scores(rng, heads)),
        "outlier_differences": pd.DataFrame(_differences(rng, heads)),
        "outlier_readings": pd.DataFrame(_readings(rng, heads)),
        "stamp_accuracy": pd.DataFrame(_accuracies(rng, heads)),
        "outlier_boards": _boards(rng, heads, names, side),
    }


def _bounds(rng, middle, wide=0.05):
    value = middle + rng.normal(0, 0.02)
    return {"value": value, "low": value - wide, "high": value + wide, "note": ""}


def _unknown(note="no outliers among the samples with a score"):
    return {"value": np.nan, "low": np.nan, "high": np.nan, "note": note}


def _scores(rng, heads):
    for head, (place, score), metric in itertools.product(heads, enumerate(SCORES), METRICS):
        middle = 0.5 if score == "random" else 0.9 - 0.04 * place
        found = _bounds(rng, middle) if head["p"] else _unknown()
        counts = {"outliers": int(600 * head["p"]), "images": 1280, "left_out": 0, "k": int(600 * head["p"])}
        yield {**head, "score": score, "metric": metric, **found, **counts}


def _readings(rng, heads):
    along = [*itertools.product(READINGS, ALONG), *(("", name) for name in BESIDE)]
    for head, (reading, score), metric in itertools.product(heads, along, ("auroc", "lift_at_20")):
        found = _bounds(rng, 0.8) if head["p"] else _unknown()
        counts = {"outliers": int(600 * head["p"]), "images": 1280, "left_out": 0, "k": int(600 * head["p"])}
        yield {**head, "reading": reading, "score": score, "metric": metric, **found, **counts}


def _differences(rng, heads):
    for head, score, against, metric in itertools.product(heads, CONCEPT_SCORES, RIVALS, METRICS):
        found = _bounds(rng, -0.1 if score.startswith("n") else 0.1) if head["p"] else _unknown()
        own = {"score": score, "against": against, "metric": metric, "images": 1280}
        yield {**head, **own, **found, "beats": found["low"] > 0}


def _accuracies(rng, heads):
    for head, (condition, middle) in itertools.product(heads, (("stamped", 0.95), ("plain", 0.75))):
        if head["setting"] == "stamp" or condition == "plain":
            yield {**head, "condition": condition, **_bounds(rng, middle), "images": 200, "epochs": 9.5}


def _boards(rng, heads, names, side):
    rows = []
    for head in heads:
        if head["seed"] == "0" and head["p"] in SHOWN:
            for name, place in itertools.product(names, range(10)):
                own = {"class_name": name, "place": place, "score": 9.0 - place, "outlier": place % 3 == 0}
                rows.append({**head, **own, "id": f"train/{place}", "of": 640, "outliers": 30})
    images = rng.integers(0, 255, (len(rows), side, side, 3)).astype(np.uint8)
    columns = ["setting", "data", "classes", "run", "layer", "p", "seed", "class_name", "outlier", "of", "outliers"]
    return OutlierBoards(pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns), images)
