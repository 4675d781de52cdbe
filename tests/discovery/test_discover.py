import numpy as np
import pytest

from evoscope import artefacts
from evoscope.discovery.latent import scan_latents
from evoscope.discovery.protocol import RefineRule, as_released, corrected
from evoscope.discovery.ranking import ClassRanking, Discovery, candidates, class_concepts, discover
from evoscope.errors import EvoscopeError
from tests.discovery.small import LAYERS, batches_of, noise, small


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
    found = discover(layer, latents.outcomes, as_released())
    best, side = found.ranking.best(1)
    expected = released_by_definition(layer, latents.outcomes, found.basis.directions)
    assert len(expected) > 1
    assert {label: best[label, 0] for label in expected} == expected
    assert (side[list(expected)] == 1).all()
    numpys = np.linalg.svd(layer.features.astype(float), full_matrices=False)[2]
    np.testing.assert_allclose(np.abs((found.basis.directions * numpys).sum(axis=1)), 1, atol=1e-5)


def test_the_protocols_disagree(latents):
    layer = latents.of("second")
    released, mended = (discover(layer, latents.outcomes, each()) for each in (as_released, corrected))
    assert np.nanmax(np.abs(released.ranking.z - mended.ranking.z)) > 0.1


def test_the_concepts_of_the_classes_are_refined(latents):
    layer, protocol = latents.of("second"), corrected()
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
    found = discover(layer, latents.outcomes, corrected())
    found.ranking.z[:] = np.nan
    concepts = class_concepts(layer, found, corrected())
    assert len(concepts.directions) == len(concepts.vectors) == 0


def test_the_evidence_must_have_been_kept():
    latents = scan_latents(small(), batches_of(noise(8)), 8, LAYERS, ("loss",))
    with pytest.raises(EvoscopeError, match="logit of layer 'norm' was not kept"):
        discover(latents.of("norm"), latents.outcomes, corrected())


def test_discoveries_can_be_kept(latents, tmp_path):
    found = discover(latents.of("norm"), latents.outcomes, corrected())
    artefacts.save(found, tmp_path)
    again = artefacts.load(Discovery, tmp_path)
    np.testing.assert_array_equal(again.ranking.z, found.ranking.z)


def test_a_rule_is_a_value_that_can_be_kept(tmp_path):
    artefacts.save(as_released(), tmp_path)
    assert artefacts.load(type(corrected()), tmp_path) == as_released()
    assert as_released().refine != RefineRule()
