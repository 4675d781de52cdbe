import numpy as np
import pytest

from evoscope import artefacts
from evoscope.discovery.basis import ConceptBasis, Moments, svd_basis
from evoscope.discovery.latent import Outcomes, scan_latents
from evoscope.discovery.protocol import DiscoveryProtocol, RefineRule
from evoscope.discovery.ranking import (
    ClassRanking,
    Discovery,
    ScoreSums,
    candidates,
    class_concepts,
    discover,
    popularity,
    rank_classes,
    rank_layer,
    sums_of_rows,
)
from evoscope.errors import EvoscopeError
from tests import protocols
from tests.discovery.small import LAYERS, batches_of, noise, small

CLASSES = 4


def outcomes(predictions):
    nothing = np.zeros(len(predictions))
    return Outcomes(predictions, predictions, nothing, nothing, CLASSES)


def basis_of(directions, side="rows"):
    width = directions.shape[1]
    return ConceptBasis("layer", "svd", directions, np.ones(width), False, np.zeros(width), side)


def z_by_loops(scores, predictions):
    z = np.full((CLASSES, scores.shape[1]), np.nan)
    for label in range(CLASSES):
        own = [row for row, prediction in zip(scores, predictions, strict=True) if prediction == label]
        rest = [row for row, prediction in zip(scores, predictions, strict=True) if prediction != label]
        for j in range(scores.shape[1] if own and rest else 0):
            inside, outside = [row[j] for row in own], [row[j] for row in rest]
            z[label, j] = (np.mean(inside) - np.mean(outside)) / np.std(outside)
    return z


@pytest.fixture
def drawn(rng):
    predictions = np.concatenate([np.arange(CLASSES), rng.integers(0, CLASSES, 56)])
    return rng.normal(2, 1, (60, 7)) + predictions[:, None] * rng.normal(size=7), predictions


def test_z_follows_the_definition(drawn):
    rows, predictions = drawn
    found = ScoreSums.of(rows, predictions, CLASSES)
    np.testing.assert_allclose(found.z(), z_by_loops(rows, predictions), rtol=1e-9)
    for label in range(CLASSES):
        own = rows[predictions == label]
        np.testing.assert_allclose(found.means()[label], own.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found.positive_share()[label], (own > 0).mean(axis=0))


def test_sums_merge(drawn):
    rows, predictions = drawn
    parts = [ScoreSums.of(rows[cut], predictions[cut], CLASSES) for cut in (slice(9), slice(9, 40), slice(40, 60))]
    for merged in (parts[0].merge(parts[1]).merge(parts[2]), parts[2].merge(parts[0].merge(parts[1]))):
        np.testing.assert_allclose(merged.z(), ScoreSums.of(rows, predictions, CLASSES).z(), rtol=1e-9)


def test_the_released_projection_is_along_the_wrong_side(drawn):
    """P = g V^T, where the concepts are the rows of V^T and P = g V would be along them."""
    rows, predictions = drawn
    right = np.linalg.svd(rows, full_matrices=False)[2]
    released = sums_of_rows(rows, outcomes(predictions), basis_of(right, "columns"))
    corrected = sums_of_rows(rows, outcomes(predictions), basis_of(right))
    wrong = np.array([[sum(row[i] * right[i, j] for i in range(7)) for j in range(7)] for row in rows])
    true = np.array([[sum(row[i] * right[j, i] for i in range(7)) for j in range(7)] for row in rows])
    np.testing.assert_allclose(released.z(), z_by_loops(wrong, predictions), rtol=1e-8)
    np.testing.assert_allclose(corrected.z(), z_by_loops(true, predictions), rtol=1e-8)
    assert np.abs(released.z() - corrected.z()).max() > 0.1


def test_more_rows_than_a_block(rng):
    rows, predictions = rng.normal(size=(9000, 3)), rng.integers(0, CLASSES, 9000)
    found = sums_of_rows(rows, outcomes(predictions), basis_of(np.eye(3)))
    np.testing.assert_allclose(found.z(), ScoreSums.of(rows, predictions, CLASSES).z(), rtol=1e-9)


def test_flipped_signs_change_nothing_when_both_sides_are_candidates(drawn, rng):
    rows, predictions = drawn
    directions = np.linalg.qr(rng.normal(size=(7, 7)))[0]
    flips = np.array([1, -1, -1, 1, -1, 1, -1])
    rankings = [
        rank_classes(sums_of_rows(rows, outcomes(predictions), basis), basis, "both")
        for basis in (basis_of(directions), basis_of(flips[:, None] * directions))
    ]
    (first, side), (second, other) = (ranking.best(7) for ranking in rankings)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(side, other * flips[first])
    one_sided = [ClassRanking("layer", "svd", r.counts, r.z, "positive").best(1)[0] for r in rankings]
    assert (one_sided[0] != one_sided[1]).any()


def test_the_best_candidates_have_the_largest_scores(rng):
    z = rng.normal(size=(CLASSES, 9))
    for sides, score in (("positive", z), ("both", np.abs(z))):
        best, side = ClassRanking("", "", np.ones(CLASSES, int), z, sides).best(9)
        for label in range(CLASSES):
            expected = sorted(range(9), key=lambda j, own=score[label]: -own[j])
            assert best[label].tolist() == expected
            signs = np.sign(z[label][expected]) if sides == "both" else np.ones(9)
            np.testing.assert_array_equal(side[label], signs)


def test_a_class_never_predicted_has_no_candidate(drawn):
    rows, predictions = drawn
    predictions = np.where(predictions == 2, 1, predictions)
    ranking = rank_classes(ScoreSums.of(rows, predictions, CLASSES), basis_of(np.eye(7)))
    best, side = ranking.best(3)
    assert np.isnan(ranking.z[2]).all()
    assert best[2].tolist() == [-1, -1, -1]
    assert not side[2].any()
    assert (best[[0, 1, 3]] >= 0).all()
    assert 2 not in {int(label) for labels in popularity(ranking)["labels"] for label in labels.split()}


def test_one_class_for_all_has_nothing_to_compare_with(drawn):
    rows, predictions = drawn
    found = ScoreSums.of(rows, np.zeros_like(predictions), CLASSES).z()
    assert np.isnan(found).all()


@pytest.mark.parametrize("level", [0.0, 1.7, 1e6])
def test_a_direction_on_which_nothing_varies_has_no_score(drawn, level):
    rows, predictions = drawn
    rows[:, 3] = level
    found = ScoreSums.of(rows, predictions, CLASSES).z()
    assert np.isnan(found[:, 3]).all()
    assert np.isfinite(np.delete(found, 3, axis=1)).all()


def test_the_score_is_the_gradient_weighed_features_along_the_directions():
    """From the rows that are kept to z, for the layer where moments and evidence are both known."""
    network, pixels = small(1), noise(40, 1)
    latents = scan_latents(network, batches_of(pixels), 40, LAYERS, ("loss",))
    layer = latents.of("second")
    basis = svd_basis(layer.moments)
    scores = np.array([[row @ v for v in basis.directions] for row in layer.rows("loss").astype(float)])
    found = rank_layer(layer, latents.outcomes, basis, DiscoveryProtocol(evidence="loss")).z
    expected = z_by_loops(scores, latents.outcomes.predictions)
    assert np.isfinite(expected).all(axis=1).sum() >= 2
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_popular_directions_are_counted():
    z = np.array([[5.0, 1, -3], [4, 3, 0], [1, -9, 2], [6, 1, 0]])
    found = popularity(ClassRanking("", "", np.ones(4, int), z, "both"), places=2)
    assert found.values.tolist() == [
        [1, 0, 1, 3, "0 1 3"],
        [1, 1, -1, 1, "2"],
        [2, 1, 1, 2, "1 3"],
        [2, 2, 1, 1, "2"],
        [2, 2, -1, 1, "0"],
    ]
    assert found.groupby("place")["classes"].sum().tolist() == [4, 4]


def test_moments_and_evidence_may_have_one_channel(rng):
    features, predictions = rng.normal(size=(30, 1)), rng.integers(0, CLASSES, 30)
    basis = svd_basis(Moments.of("layer", features, predictions, predictions, CLASSES))
    ranking = rank_classes(sums_of_rows(features, outcomes(predictions), basis), basis)
    assert (ranking.best(3)[0] == 0).all()
    assert ranking.best(3)[0].shape == (CLASSES, 1)


@pytest.fixture(scope="module")
def latents():
    return scan_latents(small(), batches_of(noise(60)), 60, LAYERS, ("loss", "logit"))


def released_by_definition(layer, outcomes, right):
    """P = g V^T with the gradient of the loss; top-1 by signed z."""
    scores = layer.loss.astype(float) @ right
    tops = {}
    for label in np.unique(outcomes.predictions):
        own = outcomes.predictions == label
        z = (scores[own].mean(axis=0) - scores[~own].mean(axis=0)) / scores[~own].std(axis=0)
        tops[label] = int(z.argmax())
    return tops


@pytest.mark.parametrize("name", LAYERS)
def test_the_released_protocol_is_reproduced(latents, name):
    layer = latents.of(name)
    found = discover(layer, latents.outcomes, protocols.discovery("as_released"))
    best, side = found.ranking.best(1)
    expected = released_by_definition(layer, latents.outcomes, found.basis.directions)
    assert len(expected) > 1
    assert {label: best[label, 0] for label in expected} == expected
    assert (side[list(expected)] == 1).all()
    numpys = np.linalg.svd(layer.features.astype(float), full_matrices=False)[2]
    np.testing.assert_allclose(np.abs((found.basis.directions * numpys).sum(axis=1)), 1, atol=1e-5)


def test_the_protocols_disagree(latents):
    layer = latents.of("second")
    released, mended = (
        discover(layer, latents.outcomes, protocols.discovery(name)) for name in ("as_released", "corrected")
    )
    assert np.nanmax(np.abs(released.ranking.z - mended.ranking.z)) > 0.1


def test_the_concepts_of_the_classes_are_refined(latents):
    layer, protocol = latents.of("second"), protocols.discovery("corrected")
    found = discover(layer, latents.outcomes, protocol)
    concepts = class_concepts(layer, found, protocol, places=2)
    which, sides = candidates(found.ranking, 2)
    np.testing.assert_array_equal(concepts.directions, which)
    np.testing.assert_array_equal(concepts.sides, sides)
    assert (concepts.layer, concepts.method) == ("second", "svd")
    assert concepts.formed.min() >= 1


def test_each_candidate_counts_once():
    z = np.array([[3.0, -5, 1], [2, -1, 1], [1, 4, 2], [np.nan] * 3])
    which, sides = candidates(ClassRanking("", "", np.array([1, 1, 1, 0]), z, "both"))
    assert list(zip(which, sides, strict=True)) == [(0, 1), (1, -1), (1, 1)]


def test_without_a_class_there_is_nothing_to_refine(latents):
    layer = latents.of("second")
    found = discover(layer, latents.outcomes, protocols.discovery("corrected"))
    found.ranking.z[:] = np.nan
    concepts = class_concepts(layer, found, protocols.discovery("corrected"))
    assert len(concepts.directions) == len(concepts.vectors) == 0


def test_the_evidence_must_have_been_kept():
    latents = scan_latents(small(), batches_of(noise(8)), 8, LAYERS, ("loss",))
    with pytest.raises(EvoscopeError, match="the pass over layer 'norm' took no logit"):
        discover(latents.of("norm"), latents.outcomes, protocols.discovery("corrected"))


def test_discoveries_can_be_kept(latents, tmp_path):
    found = discover(latents.of("norm"), latents.outcomes, protocols.discovery("corrected"))
    artefacts.save(found, tmp_path)
    again = artefacts.load(Discovery, tmp_path)
    np.testing.assert_array_equal(again.ranking.z, found.ranking.z)


def test_a_rule_is_a_value_that_can_be_kept(tmp_path):
    artefacts.save(protocols.discovery("as_released"), tmp_path)
    assert artefacts.load(DiscoveryProtocol, tmp_path) == protocols.discovery("as_released")
    assert protocols.discovery("as_released").refine != RefineRule()
