"""Every outlier score side by side, judged case by case and over seeds."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evoscope.discovery.basis import Moments
from evoscope.discovery.latent import LayerLatents, Outcomes, scan_latents
from evoscope.discovery.methods import RandomRotation
from evoscope.discovery.outlier_judging import (
    ONE_SEED,
    auroc,
    compared_scores,
    detection,
    difference,
    judged_scores,
    lift,
    over_seeds,
)
from evoscope.discovery.outliers import (
    CONCEPT_SCORES,
    RIVALS,
    SCORES,
    ScoreOptions,
    concept_deviation,
    mahalanobis,
    outlier_scores,
    reading_scores,
    robust_z,
)
from evoscope.discovery.ranking import discover, rank_layer
from evoscope.stats import t_interval
from tests import protocols
from tests.discovery.small import batches_of, noise, small

READING = {"projection": "projection", "evidence": "evidence", "mixed": "evidence"}


@pytest.fixture(scope="module")
def seen():
    return scan_latents(small(), batches_of(noise(80, seed=1)), 80, ["second"], ("logit", "loss"))


@pytest.mark.parametrize(
    "protocol", [protocols.discovery("corrected"), protocols.discovery("as_released")], ids=["corrected", "as_released"]
)
def test_scores_are_those_of_their_own_functions(seen, protocol):
    layer = seen.of("second")
    found = outlier_scores(layer, seen.outcomes, protocol, ScoreOptions(concepts=2), seed=0)
    assert tuple(found.columns) == SCORES
    own = discover(layer, seen.outcomes, protocol)
    along = layer.rows("features").astype(float) @ own.basis.scored.T
    ranking = rank_layer(layer, seen.outcomes, own.basis, replace(protocol, ranking=READING[protocol.outliers]))
    expected = concept_deviation(along, seen.outcomes.labels, ranking, 2)
    np.testing.assert_allclose(found["svd_deviation"], expected)
    np.testing.assert_array_equal(found["loss"], seen.outcomes.loss)
    np.testing.assert_allclose(found["mahalanobis"], mahalanobis(layer.rows("features"), seen.outcomes.labels))
    assert found["random"].between(0, 1).all()


def absence_by_definition(features, evidence, basis, reading, labels, predictions, count):
    """Minus the mean robust z along the class's first directions, ranked and scored on what the reading says."""
    ranked, scored = {
        "projection": (features, features),
        "evidence": (evidence, evidence),
        "mixed": (evidence, features),
    }[reading]
    along, scores = ranked @ basis.T, scored @ basis.T
    found = np.full(len(labels), np.nan)
    for label in np.unique(labels):
        own, rest = along[predictions == label], along[predictions != label]
        z = (own.mean(axis=0) - rest.mean(axis=0)) / rest.std(axis=0)
        first = np.argsort(-np.abs(z))[:count]
        values = scores[labels == label][:, first] * np.sign(z[first])
        found[labels == label] = -robust_z(values).mean(axis=1)
    return found


def test_every_reading_ranks_and_scores_on_what_it_says(seen):
    layer, outcomes = seen.of("second"), seen.outcomes
    found = reading_scores(layer, outcomes, protocols.discovery("corrected"), ScoreOptions(concepts=3), seed=0)
    features, evidence = (layer.rows(name).astype(float) for name in ("features", "logit"))
    bases = {
        "svd": np.linalg.svd(features)[2],
        "neurons": np.eye(features.shape[1]),
        "rotation": RandomRotation().fit(features, 0).directions,
    }
    for reading in ("projection", "evidence", "mixed"):
        for method, basis in bases.items():
            expected = absence_by_definition(
                features, evidence, basis, reading, outcomes.labels, outcomes.predictions, 3
            )
            np.testing.assert_allclose(found[reading, method], expected, rtol=1e-3, atol=1e-4)
    own = outlier_scores(layer, outcomes, protocols.discovery("corrected"), ScoreOptions(concepts=3), seed=0)
    np.testing.assert_array_equal(own["svd_absence"], found["projection", "svd"])
    np.testing.assert_array_equal(own["loss"], found["", "loss"])


def test_missing_concepts_are_found_where_ranking_and_scoring_agree():
    """A strong direction tells the class, a weak one has evidence only: absence of the first is what is planted."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    outlier = rng.random(400) < 0.1
    shown = np.where(outlier, 1 - labels, labels)
    features = rng.normal(size=(400, 6)) * [1, 1, 1, 1, 1, 0.01] + np.outer(shown * 4, np.eye(6)[0])
    logit = 0.01 * rng.normal(size=(400, 6)) + np.outer(labels, np.eye(6)[5])
    features, logit = features.astype(np.float32), logit.astype(np.float32)
    moments = Moments.of("layer", features, labels, labels, 2)
    layer = LayerLatents(moments, features, None, logit, None)
    outcomes = Outcomes(labels, labels, np.zeros(400), np.ones(400), 2)
    found = reading_scores(layer, outcomes, protocols.discovery("corrected"), ScoreOptions(concepts=1), seed=0)
    assert auroc(outlier, found["projection", "svd"].to_numpy()) > 0.95
    assert auroc(outlier, found["mixed", "svd"].to_numpy()) < 0.65


def test_the_lift_is_the_precision_of_the_first_twenty_over_the_base_rate():
    truth = np.arange(200) < 10
    assert lift(truth, -np.arange(200.0)) == pytest.approx(0.5 / 0.05)
    assert lift(truth, np.zeros(200)) == pytest.approx(1)


@pytest.fixture
def scores(monkeypatch):
    """Scores that tell less and less, and the truth; fewer resamples than usual are enough here."""
    monkeypatch.setattr(sys.modules[auroc.__module__], "RESAMPLES", 30)
    rng = np.random.default_rng(5)
    outlier = np.arange(60) < 15
    return pd.DataFrame(
        {name: outlier * (5 - place) / 4 + rng.normal(size=60) for place, name in enumerate(SCORES)}
    ), outlier


def test_tables_hold_what_the_single_functions_say(scores):
    frame, outlier = scores
    frame.loc[[2, 40], "knn"] = np.nan
    rows = judged_scores(frame, outlier, seed=3).set_index(["score", "metric"])
    for name in ("loss", "knn"):
        expected = detection(frame[name].to_numpy(), outlier, seed=3)["auroc"]
        assert rows.loc[name, "auroc"][["value", "low", "high"]].to_dict() == expected.columns()
    assert rows.loc["knn", "auroc"][["outliers", "images", "left_out"]].tolist() == [14, 58, 2]
    compared = compared_scores(frame, outlier, seed=3).set_index(["score", "against", "metric"])
    assert len(compared) == len(CONCEPT_SCORES) * len(RIVALS) * 4
    expected = difference(auroc, *(frame[name].to_numpy() for name in ("svd_absence", "loss")), outlier, seed=3)
    assert compared.loc["svd_absence", "loss", "auroc"]["low"] == expected.low


@pytest.mark.parametrize("count", [0, 60])
def test_without_outliers_there_is_a_reason_and_no_number(scores, count):
    frame, _ = scores
    outlier = np.arange(60) < count
    for rows in (judged_scores(frame, outlier, 0), compared_scores(frame, outlier, 0)):
        assert rows[["value", "low", "high"]].isna().all(axis=None)
        assert set(rows["note"]) == {
            "no outliers among the samples with a score" if count == 0 else "all samples are outliers"
        }


def test_means_over_seeds_have_student_intervals_within_bounds(rng):
    values = {"a": rng.normal(0.5, 0.1, 3), "b": np.array([0.99, 0.9, 0.999])}
    rows = pd.DataFrame(
        [
            {"score": name, "seed": str(seed), "value": value, "low": 0.0, "high": 1.0, "images": 10, "note": ""}
            for name, each in values.items()
            for seed, value in enumerate(each)
        ]
    )
    means = over_seeds(rows, ["score"], bounds=(0.0, 1.0)).set_index("score")
    expected = t_interval(values["a"])
    assert means.loc["a", "value"] == pytest.approx(expected.value)
    assert means.loc["a", "low"] == pytest.approx(max(expected.low, 0))
    assert means.loc["b", "high"] == 1
    assert (means["seed"] == "all").all()
    assert means.loc["a", "images"] == 30
    one = over_seeds(rows[rows["seed"] == "1"], ["score"]).set_index("score")
    assert one.loc["a", ["low", "high", "note"]].tolist() == [0.0, 1.0, ONE_SEED]
    rows.loc[rows["seed"] != "2", "value"] = np.nan
    assert over_seeds(rows, ["score"])["note"].tolist() == [ONE_SEED] * 2
    rows["value"] = np.nan
    assert over_seeds(rows, ["score"])["value"].isna().all()
