import pytest

from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.errors import EvoscopeError
from evoscope.evolution.reversal import BinRule, ReversalProtocol
from evoscope.space.protocol import SpaceProtocol
from tests import protocols


def test_the_released_protocols_hold_the_numbers_of_the_paper():
    released = protocols.space("as_released")
    assert (released.k, released.dim, released.negatives) == (20, 30, 3)
    assert (released.skipgram_lr, released.skipgram_epochs, released.skipgram_threshold) == (0.01, 20, 0.01)
    assert (released.image_lr, released.image_threshold) == (0.1, 0.01)
    assert (released.indirect_lr, released.indirect_epochs, released.indirect_negatives) == (0.01, 1, 2)
    assert (released.pairs_per_neuron, released.responsive, released.responsive_rule) == (500, 20, "raw")
    first = protocols.space("v1")
    assert (first.k, first.skipgram_lr, first.skipgram_stop) == (10, 0.05, "none")
    assert (first.image_solver, first.image_lr, first.image_threshold) == ("batch_descent", 10.0, 1e-3)
    assert first.indirect == "none"
    assert first.responsive_rule == "none"


def test_the_released_thresholds_of_clusters_and_bins_of_importance():
    refine = protocols.discovery("as_released").refine
    assert (refine.scale, refine.ward, refine.prune) == ("absolute", 15.0, 15.0)
    assert protocols.discovery("v1") == protocols.discovery("as_released")
    released = ReversalProtocol(BinRule(ties="channel", cut="quarter"), random="per_batch")
    assert protocols.reversal("v1") == protocols.reversal("as_released") == released


def test_corrected_is_the_default_and_differs_from_both_published_ones_in_every_mended_option():
    mended = ("skipgram_stop", "image_solver", "indirect", "projection", "unplaced", "responsive_rule")
    corrected = protocols.space("corrected")
    assert corrected == SpaceProtocol()
    assert protocols.discovery("corrected") == DiscoveryProtocol()
    assert protocols.reversal("corrected") == ReversalProtocol()
    for published in (protocols.space("as_released"), protocols.space("v1")):
        assert all(getattr(published, name) != getattr(corrected, name) for name in mended)


@pytest.mark.parametrize(
    ("name", "value"),
    [("k", 0), ("dim", 0), ("negatives", 0), ("skipgram_epochs", 0), ("skipgram_lr", 0.0), ("image_lr", -1.0)],
)
def test_numbers_without_a_meaning_are_refused_by_name(name, value):
    with pytest.raises(EvoscopeError, match=f"{name}={value}"):
        protocols.space("corrected", **{name: value})


def test_an_indirect_embedding_without_responsive_neurons_is_refused():
    with pytest.raises(EvoscopeError, match="without responsive neurons"):
        SpaceProtocol(responsive_rule="none")
    with pytest.raises(EvoscopeError, match="without responsive neurons"):
        SpaceProtocol(responsive=0)
