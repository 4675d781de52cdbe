import itertools

import numpy as np
import pytest

from evoscope import artefacts
from evoscope.discovery.basis import ClassSums, Moments
from evoscope.errors import EvoscopeError

CLASSES = 5


@pytest.fixture
def drawn(rng):
    labels, predictions = rng.integers(0, CLASSES - 1, (2, 40))
    return rng.normal(3, 2, (40, 6)), labels, predictions


def moments(drawn, rows=slice(None)):
    return Moments.of("layer", *(each[rows] for each in drawn), CLASSES)


def assert_same(found, expected):
    assert found.count == expected.count
    np.testing.assert_allclose(found.gram, expected.gram, rtol=1e-12, atol=1e-12)
    for name in ("by_label", "by_prediction"):
        one, other = getattr(found, name), getattr(expected, name)
        np.testing.assert_array_equal(one.counts, other.counts)
        np.testing.assert_allclose(one.sums, other.sums, rtol=1e-12, atol=1e-12)


def test_moments_follow_the_definition(drawn):
    features, labels, predictions = drawn
    found = moments(drawn)
    np.testing.assert_allclose(found.gram, sum(np.outer(row, row) for row in features), rtol=1e-12)
    np.testing.assert_allclose(found.mean, features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(features.T, ddof=0), rtol=1e-9, atol=1e-12)
    for groups, sums in ((labels, found.by_label), (predictions, found.by_prediction)):
        for label in range(CLASSES - 1):
            np.testing.assert_allclose(sums.means[label], features[groups == label].mean(axis=0), rtol=1e-12)
        assert sums.counts[CLASSES - 1] == 0
        assert np.isnan(sums.means[CLASSES - 1]).all()


@pytest.mark.parametrize("cuts", [(10,), (1, 2, 39), (20, 30)])
def test_shards_merge_in_any_grouping(drawn, cuts):
    edges = [0, *cuts, 40]
    parts = [moments(drawn, slice(*edge)) for edge in itertools.pairwise(edges)]
    left = parts[0]
    for part in parts[1:]:
        left = left.merge(part)
    right = parts[-1]
    for part in parts[-2::-1]:
        right = part.merge(right)
    assert_same(left, moments(drawn))
    assert_same(right, left)
    assert_same(parts[1].merge(parts[0]), parts[0].merge(parts[1]))


def test_more_rows_than_a_block(rng):
    features, zeros = rng.normal(size=(9000, 3)), np.zeros(9000, dtype=int)
    found = Moments.of("layer", features.astype(np.float32), zeros, zeros, 1)
    exact = features.astype(np.float32).astype(float)
    np.testing.assert_allclose(found.gram, exact.T @ exact, rtol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_diverged_features_are_refused(drawn, value):
    drawn[0][3, 2] = value
    with pytest.raises(EvoscopeError, match="1 channels of layer 'layer' are NaN"):
        moments(drawn)


def test_moments_can_be_kept(drawn, tmp_path):
    artefacts.save(moments(drawn), tmp_path)
    assert_same(artefacts.load(Moments, tmp_path), moments(drawn))


def test_sums_of_no_rows():
    found = ClassSums.of(np.zeros((0, 3)), np.zeros(0, dtype=int), 2)
    assert found.counts.tolist() == [0, 0]
    assert not found.sums.any()
