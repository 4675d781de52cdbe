import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.metrics import average_precision_score, roc_auc_score

from evoscope.discovery.outlier_judging import auroc, average_precision, detection, difference, precision_at
from evoscope.discovery.outliers import concept_absence, concept_deviation, knn_distance, mahalanobis, robust_z
from evoscope.discovery.ranking import ClassRanking
from evoscope.errors import EvoscopeError

CLASSES, WIDTH = 3, 6


@pytest.fixture
def drawn(rng):
    """Class k has its concept along direction k; every tenth sample shows that of the next class instead."""
    labels = np.arange(90) % CLASSES
    outlier = rng.permutation(90) < 9
    shown = np.where(outlier, (labels + 1) % CLASSES, labels)
    scores = rng.normal(size=(90, WIDTH)) + 8 * np.eye(WIDTH)[shown]
    return scores, labels, outlier


def ranking(signs=(1, 1, 1)):
    z = np.full((CLASSES, WIDTH), 0.01)
    z[np.arange(CLASSES), np.arange(CLASSES)] = 5 * np.array(signs)
    return ClassRanking("layer", "svd", np.full(CLASSES, 30), z, "both")


def by_loops(scores, labels, count, reduce):
    best, side = ranking().best(count)
    found = []
    for sample, label in zip(scores, labels, strict=True):
        own = scores[labels == label]
        z = []
        for j, sign in zip(best[label], side[label], strict=True):
            column = sign * own[:, j]
            spread = 1.4826 * np.median(np.abs(column - np.median(column)))
            z.append((sign * sample[j] - np.median(column)) / spread)
        found.append(reduce(np.array(z)))
    return found


@pytest.mark.parametrize("count", [1, 3])
def test_concept_scores_follow_the_definition(drawn, count):
    scores, labels, _ = drawn
    deviation = by_loops(scores, labels, count, lambda z: np.sqrt((z**2).mean()))
    np.testing.assert_allclose(concept_deviation(scores, labels, ranking(), count), deviation, rtol=1e-9)
    absence = by_loops(scores, labels, count, lambda z: -z.mean())
    np.testing.assert_allclose(concept_absence(scores, labels, ranking(), count), absence, rtol=1e-9)


def test_planted_outliers_are_found(drawn):
    scores, labels, outlier = drawn
    for score in (concept_deviation, concept_absence):
        assert detection(score(scores, labels, ranking(), 1), outlier, seed=0)["auroc"].value > 0.95


def test_flipped_directions_change_nothing(drawn):
    scores, labels, _ = drawn
    flips = np.array([1, -1, -1, 1, 1, 1])
    for score in (concept_deviation, concept_absence):
        np.testing.assert_allclose(
            score(scores, labels, ranking(), 1), score(scores * flips, labels, ranking((1, -1, -1)), 1)
        )


def test_a_class_never_predicted_has_no_score(drawn):
    scores, labels, outlier = drawn
    found = ranking()
    found.z[1] = np.nan
    score = concept_deviation(scores, labels, found, 2)
    np.testing.assert_array_equal(np.isnan(score), labels == 1)
    assert {found.n for found in detection(score, outlier, seed=0).values()} == {60}


def test_robust_units_fall_back_and_end_at_zero():
    assert robust_z(np.array([[1.0], [1], [1], [5]]))[:, 0].tolist() == [0, 0, 0, 4 / np.std([1, 1, 1, 5])]
    assert not robust_z(np.full((5, 2), 3.0)).any()


def test_mahalanobis_follows_the_definition(drawn):
    scores, labels, _ = drawn
    means = np.array([scores[labels == label].mean(axis=0) for label in range(CLASSES)])
    residuals = scores - means[labels]
    inverse = np.linalg.inv(LedoitWolf(assume_centered=True).fit(residuals).covariance_)
    expected = [np.sqrt(row @ inverse @ row) for row in residuals]
    np.testing.assert_allclose(mahalanobis(scores, labels), expected, rtol=1e-8)


def test_mahalanobis_allows_more_dimensions_than_samples_and_constant_features(rng):
    assert np.isfinite(mahalanobis(rng.normal(size=(8, 30)), np.arange(8) % 2)).all()
    assert not mahalanobis(np.ones((8, 3)), np.arange(8) % 2).any()


@pytest.mark.parametrize("neighbours", [1, 5, 1000])
def test_neighbours_are_of_the_same_class_and_never_oneself(drawn, neighbours):
    scores, labels, _ = drawn
    found = knn_distance(scores, labels, neighbours)
    for i in range(len(scores)):
        others = [np.linalg.norm(scores[i] - scores[j]) for j in range(90) if j != i and labels[j] == labels[i]]
        assert found[i] == pytest.approx(np.mean(sorted(others)[:neighbours]))
    copies = knn_distance(np.ones((4, 2)), np.array([0, 0, 0, 1]), 2)
    assert copies[:3].tolist() == [0, 0, 0]
    assert np.isnan(copies[3])


def test_metrics_follow_their_definitions(rng):
    truth, score = rng.random(30) < 0.3, rng.normal(size=30)
    pairs = [score[i] > score[j] for i in np.flatnonzero(truth) for j in np.flatnonzero(~truth)]
    assert auroc(truth, score) == pytest.approx(np.mean(pairs))
    ordered = truth[np.argsort(-score)]
    precisions = [ordered[: i + 1].mean() for i in range(30) if ordered[i]]
    assert average_precision(truth, score) == pytest.approx(np.mean(precisions))
    for k in (1, 5, 29, 30, 99):
        assert precision_at(truth, score, k) == pytest.approx(ordered[:k].mean())


def test_metrics_are_those_of_scikit_learn_with_ties_too(rng):
    truth, score = rng.random(80) < 0.3, rng.integers(0, 12, 80).astype(float)
    assert auroc(truth, score) == pytest.approx(roc_auc_score(truth, score))
    assert average_precision(truth, score) == pytest.approx(average_precision_score(truth, score))


def test_ties_at_the_border_count_by_their_average():
    truth, score = np.array([True, False, True, False]), np.array([3.0, 1, 1, 1])
    assert precision_at(truth, score, 2) == pytest.approx((1 + 1 / 3) / 2)
    assert precision_at(truth, np.zeros(4), 1) == pytest.approx(0.5)


def test_detection_has_intervals_and_perfection_none(rng):
    truth = np.arange(60) < 12
    score = truth + rng.normal(size=60)
    noisy = detection(score, truth, seed=2)
    assert noisy == detection(score, truth, seed=2)
    for metric in ("auroc", "average_precision", "precision_at_k"):
        assert noisy[metric].low < noisy[metric].value < noisy[metric].high
    perfect = detection(truth.astype(float), truth, seed=2)
    assert perfect["auroc"].low == perfect["auroc"].high == perfect["precision_at_k"].value == 1


def test_a_score_is_compared_with_another_on_the_same_resamples(rng):
    truth = np.arange(80) < 20
    good, bad = truth + 0.3 * rng.normal(size=80), rng.normal(size=80)
    better = difference(auroc, good, bad, truth, seed=0)
    assert better.low > 0
    assert better.value == pytest.approx(auroc(truth, good) - auroc(truth, bad))
    same = difference(average_precision, good, 2 * good + 1, truth, seed=0)
    assert (same.low, same.value, same.high) == (0, 0, 0)
    bad[3] = np.nan
    assert difference(auroc, good, bad, truth, seed=0).n == 79


@pytest.mark.parametrize("outliers", [0, 5])
def test_detection_needs_both_kinds(outliers):
    with pytest.raises(EvoscopeError, match=f"{outliers} of 5 samples are outliers"):
        detection(np.arange(5.0), np.arange(5) < outliers, seed=0)
