import dataclasses

import pytest

from evoscope.errors import EvoscopeError
from evoscope.space.protocol import SpaceProtocol, as_released, corrected, v1


def test_the_named_protocols_hold_the_numbers_of_the_paper():
    released = as_released()
    assert (released.k, released.dim, released.negatives) == (20, 30, 3)
    assert (released.skipgram_lr, released.skipgram_epochs, released.skipgram_threshold) == (0.01, 20, 0.01)
    assert (released.image_lr, released.image_threshold, released.image_sweeps) == (0.1, 0.01, 10_000)
    assert (released.indirect_lr, released.indirect_epochs, released.indirect_negatives) == (0.01, 1, 2)
    assert (released.pairs_per_neuron, released.responsive, released.responsive_rule) == (500, 20, "raw")
    first = v1()
    assert (first.k, first.skipgram_lr, first.skipgram_epochs, first.skipgram_stop) == (
        10,
        0.05,
        10_000,
        "none",
    )
    assert (first.image_solver, first.image_lr, first.image_threshold) == ("batch_descent", 10.0, 1e-3)
    assert first.indirect == "none"
    assert first.responsive_rule == "none"


def test_corrected_is_the_default_and_differs_from_both_published_ones_in_every_mended_option():
    mended = ("skipgram_stop", "image_solver", "indirect", "projection", "unplaced", "responsive_rule")
    assert corrected() == SpaceProtocol()
    for published in (as_released(), v1()):
        assert all(getattr(published, name) != getattr(corrected(), name) for name in mended)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("k", 0),
        ("dim", 0),
        ("negatives", 0),
        ("skipgram_epochs", 0),
        ("skipgram_lr", 0.0),
        ("image_lr", -1.0),
    ],
)
def test_numbers_without_a_meaning_are_refused_by_name(name, value):
    with pytest.raises(EvoscopeError, match=f"{name}={value}"):
        dataclasses.replace(corrected(), **{name: value})


def test_an_indirect_embedding_without_responsive_neurons_is_refused():
    with pytest.raises(EvoscopeError, match="without responsive neurons"):
        SpaceProtocol(responsive_rule="none")
    with pytest.raises(EvoscopeError, match="without responsive neurons"):
        SpaceProtocol(responsive=0)
