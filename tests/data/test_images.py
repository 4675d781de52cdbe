"""Limits are balanced, nested, and independent of the order of the images."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from evoscope.data.images import ImageSet, at_most, digest, limit, mislabelled, pool
from evoscope.data.stamps import Stamps, only_classes, stamped
from evoscope.errors import EvoscopeError


class Nothing:
    def read(self, index, pixels, fit=None):
        raise NotImplementedError


def image_set(counts, order=None):
    labels = np.repeat(np.arange(len(counts)), counts)
    ids = np.array([f"{label}/{i:04d}" for label, n in enumerate(counts) for i in range(n)])
    order = np.arange(len(labels)) if order is None else order
    names = tuple(f"class {i}" for i in range(len(counts)))
    ids = tuple(ids[order].tolist())
    return ImageSet("made", "train", names, ids, labels[order], order, Nothing(), digest(*ids))


def per_class(images):
    return np.bincount(images.labels, minlength=len(images.class_names))


def test_per_class_limit_keeps_small_classes_whole():
    assert per_class(limit(image_set([50, 3, 20]), per_class=10)).tolist() == [10, 3, 10]


@pytest.mark.parametrize("total", [3, 7, 30, 31, 47])
def test_total_limit_is_balanced(total):
    counts = per_class(limit(image_set([20, 30, 40]), total=total, seed=2))
    assert counts.sum() == total
    assert counts.max() - counts.min() <= 1


def test_small_classes_give_their_share_to_others():
    assert per_class(limit(image_set([2, 30, 30]), total=20)).tolist() == [2, 9, 9]


def test_both_limits_hold_at_once():
    counts = per_class(limit(image_set([20, 20]), total=7, per_class=3))
    assert counts.tolist() == [3, 3]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_smaller_limits_are_nested(seed):
    images = image_set([15, 25, 8])
    chosen = [set(limit(images, total=n, seed=seed).ids) for n in range(3, 49)]
    assert all(small < large for small, large in pairwise(chosen))
    by_class = [set(limit(images, per_class=n, seed=seed).ids) for n in range(1, 26)]
    assert all(small < large for small, large in pairwise(by_class))


def test_choice_does_not_depend_on_order():
    shuffled = np.random.default_rng(0).permutation(48)
    left, right = image_set([15, 25, 8]), image_set([15, 25, 8], shuffled)
    assert set(limit(left, total=20, seed=5).ids) == set(limit(right, total=20, seed=5).ids)
    assert set(pool(left, 0.3, seed=5).ids) == set(pool(right, 0.3, seed=5).ids)


def test_seeds_choose_differently_and_reproducibly():
    images = image_set([100, 100])
    assert limit(images, total=20, seed=1).ids == limit(images, total=20, seed=1).ids
    assert limit(images, total=20, seed=1).ids != limit(images, total=20, seed=2).ids
    assert set(limit(images, per_class=10, seed=1).ids) != set(pool(images, 0.1, seed=1).ids)


def test_choice_is_spread_over_the_set():
    positions = limit(image_set([1000]), total=200).rows
    assert abs(positions.mean() - 499.5) < 80


def test_order_labels_and_rows_go_along():
    images = image_set([10, 10], np.random.default_rng(3).permutation(20))
    chosen = limit(images, total=6)
    where = [images.ids.index(name) for name in chosen.ids]
    assert where == sorted(where)
    assert np.array_equal(chosen.labels, images.labels[where])
    assert np.array_equal(chosen.rows, images.rows[where])
    assert chosen.fingerprint != images.fingerprint


def test_notes_go_along():
    images = replace(image_set([10, 10]), notes=("1 of 21 files left out, undecodable: 0/x.jpg",))
    derived = [limit(images, total=6), pool(images, 0.5), images.subset([3]), mislabelled(images, 0.2, 0)[0]]
    derived += [only_classes(images, (1, 0)), stamped(images, Stamps(0.5))]
    assert [each.notes for each in derived] == [images.notes] * 6


def test_a_limit_that_leaves_nothing_out_is_the_set_itself():
    images = image_set([3, 3])
    assert limit(images) is images
    assert limit(images, total=6, per_class=100) is images
    assert pool(images, 1.0) is images


@pytest.mark.parametrize(
    ("counts", "fraction", "expected"), [([1300, 732, 9], 0.1, [130, 73, 1]), ([100, 1], 0.29, [29, 1])]
)
def test_pool_is_rounded_down_to_at_least_one(counts, fraction, expected):
    assert per_class(pool(image_set(counts), fraction)).tolist() == expected


@pytest.mark.parametrize("options", [{"total": 0}, {"per_class": 0}, {"total": -3}])
def test_limits_below_one_are_refused(options):
    with pytest.raises(EvoscopeError, match="leaves no image"):
        limit(image_set([3]), **options)


def test_a_total_below_the_classes_is_refused():
    with pytest.raises(EvoscopeError, match="cannot cover the 3 classes"):
        limit(image_set([3, 3, 3]), total=2)


def test_limit_allows_classes_that_were_empty_before():
    assert per_class(limit(image_set([4, 0, 4]), total=2)).tolist() == [1, 0, 1]


def test_pool_refuses_empty_classes_and_impossible_shares():
    with pytest.raises(EvoscopeError, match="class 1"):
        pool(image_set([4, 0]), 0.5)
    for fraction in (0, -0.1, 1.5, float("nan")):
        with pytest.raises(EvoscopeError, match="impossible"):
            pool(image_set([4]), fraction)


@pytest.mark.parametrize("most", [None, 9, 12])
def test_a_set_that_is_small_enough_stays_itself(most):
    images = image_set([4, 5])
    assert at_most(images, most, 0) is images


def test_a_larger_set_is_limited():
    images = image_set([4, 5])
    assert at_most(images, 6, 3).ids == limit(images, 6, None, 3).ids
