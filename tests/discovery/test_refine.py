from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from sklearn.cluster import AgglomerativeClustering, KMeans

from evoscope import artefacts
from evoscope.discovery.basis import neuron_alignment, random_alignment
from evoscope.discovery.protocol import RefineRule
from evoscope.discovery.refine import (
    UniqueConcepts,
    bands,
    by_band,
    cluster,
    cluster_map,
    concept_counts,
    counted,
    mean_concepts,
    most_activating,
    refine,
    typical_distance,
)
from evoscope.errors import EvoscopeError
from tests import protocols

RELEASED = protocols.discovery("as_released").refine
LOOSE = RefineRule(scale="absolute", ward=6.0, prune=9.0, least=3)


def groups(rng, centres, size, spread=0.5):
    """Points around centres."""
    points = [centre + spread * rng.normal(size=(size, len(centre))) for centre in centres]
    return np.concatenate(points)


def by_definition(points, rule):
    """As published, in the points' own space."""
    ward = AgglomerativeClustering(n_clusters=None, distance_threshold=rule.ward, linkage="ward").fit(points)
    means = KMeans(ward.n_clusters_, n_init=rule.starts, max_iter=rule.iterations, random_state=0).fit(points)
    found = []
    for label in range(ward.n_clusters_):
        centre = means.cluster_centers_[label]
        members = {
            i for i, own in enumerate(means.labels_) if own == label and ((points[i] - centre) ** 2).sum() < rule.prune
        }
        if len(members) >= rule.least:
            found.append(members)
    return ward.n_clusters_, found


@pytest.mark.parametrize("width", [5, 80])
def test_clusters_follow_the_definition(rng, width):
    points = groups(rng, 4 * rng.normal(size=(3, width)) / np.sqrt(width / 5), 12, 1.2 / np.sqrt(width / 5))
    number, found = cluster(points, LOOSE)
    formed, expected = by_definition(points, LOOSE)
    assert number == formed
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
    assert expected


def test_planted_groups_are_found_and_small_ones_dropped(rng):
    centres = 10 * np.eye(4)
    points = np.concatenate([groups(rng, centres[:3], 20, 0.1), groups(rng, centres[3:], 3, 0.1)])
    rule = RefineRule(scale="absolute", ward=15, prune=15)
    number, found = cluster(points, rule)
    assert number == 4
    assert sorted(map(tuple, found)) == [tuple(range(start, start + 20)) for start in (0, 20, 40)]
    assert len(cluster(points, replace(rule, least=3))[1]) == 4


def test_the_relative_rule_does_not_see_the_scale(rng):
    features = groups(rng, 3 * rng.normal(size=(5, 8)), 30)
    directions = np.linalg.qr(rng.normal(size=(8, 8)))[0][:3]
    first, second = (refine(factor * features, directions, RefineRule(images=40)) for factor in (1.0, 0.01))
    np.testing.assert_array_equal(first.surviving, second.surviving)
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_allclose(first.vectors, second.vectors, atol=1e-12)
    assert first.surviving.any()
    absolute = [refine(factor * features, directions, RELEASED).formed for factor in (1.0, 0.01)]
    assert (absolute[1] == 1).all()
    assert (absolute[0] > 1).any()


def test_concept_vectors_are_means_of_the_images_they_name(rng):
    features = groups(rng, 6 * rng.normal(size=(4, 6)), 25)
    directions = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    found = refine(features, directions, LOOSE, which=[4, 1, 4], sides=[1, -1, -1], layer="l", method="svd")
    assert found.surviving.sum() == len(found.vectors) > 0
    assert found.directions.tolist() == [4, 1, 4]
    np.testing.assert_array_equal(np.bincount(found.source, minlength=3), found.surviving)
    for concept, source in enumerate(found.source):
        members = found.images[concept][found.images[concept] >= 0]
        assert len(members) == found.sizes[concept] >= LOOSE.least
        mean = features[members].mean(axis=0)
        np.testing.assert_allclose(found.vectors[concept], mean / np.linalg.norm(mean), rtol=1e-9)
        scores = features @ directions[found.directions[source]] * found.sides[source]
        assert set(members) <= set(np.argsort(-scores)[:100])
        assert (np.diff(scores[members]) <= 0).all()


def test_the_typical_distance_is_the_median(rng):
    features = rng.normal(size=(40, 5))
    assert typical_distance(features, 0) == pytest.approx(np.median(pdist(features)))
    many = rng.normal(size=(1500, 2))
    assert typical_distance(many, 0) == typical_distance(many, 0) != typical_distance(many, 1)
    assert typical_distance(many, 0) == pytest.approx(np.median(pdist(many)), rel=0.05)


def test_most_activating_images_come_in_order():
    assert most_activating(np.array([1.0, 5, 5, 0, 7]), 3).tolist() == [4, 1, 2]
    assert most_activating(np.array([1.0, 2]), 5).tolist() == [1, 0]


def test_constant_features_are_one_concept():
    found = refine(np.ones((30, 4)), np.eye(4), RefineRule())
    assert found.scale == 0
    assert found.surviving.tolist() == [1, 1, 1, 1]
    np.testing.assert_allclose(found.vectors, 0.5)


@pytest.mark.parametrize("images", [1, 4])
def test_fewer_images_than_a_cluster_needs_hold_no_concept(images):
    found = refine(np.eye(4)[:images], np.eye(4), RELEASED)
    assert found.surviving.tolist() == [0] * 4
    assert found.vectors.shape == (0, 4)
    assert found.images.shape == (0, 0)


def test_one_channel_can_be_refined(rng):
    features = np.concatenate([rng.normal(0, 0.1, (30, 1)), rng.normal(50, 0.1, (30, 1))])
    assert refine(features, np.eye(1), RELEASED).surviving.tolist() == [2]


def test_what_cannot_be_refined_is_said():
    with pytest.raises(EvoscopeError, match="layer 'deep' are NaN"):
        refine(np.full((9, 2), np.nan), np.eye(2), RELEASED, layer="deep")
    with pytest.raises(EvoscopeError, match="one image has no distances"):
        refine(np.ones((1, 2)), np.eye(2), RefineRule())


def test_unique_concepts_can_be_kept(rng, tmp_path):
    found = refine(groups(rng, 6 * rng.normal(size=(3, 4)), 20), np.eye(4), LOOSE)
    artefacts.save(found, tmp_path)
    again = artefacts.load(UniqueConcepts, tmp_path)
    np.testing.assert_array_equal(again.images, found.images)
    assert again.scale == found.scale


def test_counts_report_none_apart():
    surviving = np.array([0, 2, 1, 0, 4, 0])
    found = concept_counts(surviving)
    assert found["concepts"].tolist() == [0, 1, 2, 3, 4]
    assert found["directions"].tolist() == [3, 1, 1, 0, 1]
    assert found["share"].sum() == pytest.approx(1)
    assert counted(surviving, empty_is_one=True).tolist() == [1, 2, 1, 1, 4, 1]
    means = mean_concepts(surviving, seed=0)
    assert means["released"].value == pytest.approx(10 / 6)
    assert means["none"].value == pytest.approx(7 / 6)
    assert means["holding"].value == pytest.approx(7 / 3)
    assert means["empty"].value == pytest.approx(0.5)
    assert means["none"].low < means["none"].value < means["none"].high
    assert "holding" not in mean_concepts(np.zeros(4, int), seed=0)


def test_bands_are_the_published_ones_at_the_published_width(rng):
    first = [0, 50, 100, 200, 300, 400, 500, 750, 1000, 1250, 1500, 1750]
    surviving = rng.integers(0, 3, 2048)
    found = by_band(surviving)
    assert found["first_index"].tolist() == first
    assert found["last_index"].tolist() == [*[index - 1 for index in first[1:]], 2047]
    assert found["directions"].sum() == 2048
    for row in found.itertuples():
        part = surviving[row.first_index : row.last_index + 1]
        assert row.mean_clusters == pytest.approx(part.mean())
        assert row.directions_with_zero == (part == 0).sum()
    assert isinstance(found, pd.DataFrame)


@pytest.mark.parametrize("width", [1, 2, 7, 64, 300, 4096])
def test_bands_cover_every_direction_once(width):
    edges = bands(width)
    assert edges[0] == 0
    assert edges[-1] == width
    assert (np.diff(edges) > 0).all()
    assert by_band(np.ones(width, int))["directions"].sum() == width


def test_alignment_is_the_largest_component(rng):
    directions = np.linalg.qr(rng.normal(size=(9, 9)))[0]
    found = neuron_alignment(directions)
    for row, component in zip(directions, found, strict=True):
        assert component in row
        assert abs(component) == max(abs(value) for value in row)
    assert neuron_alignment(-np.eye(5)).tolist() == [-1.0] * 5


def test_random_directions_are_the_less_aligned_the_more_neurons_there_are():
    few, many = (random_alignment(width, 500, seed=3) for width in (3, 300))
    assert ((few >= 1 / np.sqrt(3)) & (few <= 1)).all()
    assert np.median(many) < 0.25 < np.median(few)


@pytest.mark.parametrize("scale", ["absolute", "median"])
def test_a_map_over_thresholds_is_refinement_at_each_of_them(rng, scale):
    features = groups(rng, 6 * rng.normal(size=(4, 6)), 25)
    directions = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    rule = RefineRule(images=60, scale=scale)
    wards, prunes = ((1.0, 15.0, 40.0), (0.5, 5.0, 40.0)) if scale == "absolute" else ((0.5, 3.0), (0.05, 0.5))
    found = cluster_map(features, directions, rule, wards, prunes)
    for row, ward in enumerate(wards):
        for column, prune in enumerate(prunes):
            own = refine(features, directions, replace(rule, ward=ward, prune=prune))
            np.testing.assert_array_equal(found.surviving[:, row, column], own.surviving)
            kept = np.bincount(own.source, own.sizes, minlength=6)
            np.testing.assert_array_equal(found.images[:, row, column], kept)
    assert len(np.unique(found.images)) > 2
