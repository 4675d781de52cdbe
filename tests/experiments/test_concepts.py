"""The latent space of a layer as a stage: the memory decides whether it is computed, never what it holds."""

from dataclasses import replace

import numpy as np
import pytest

from evoscope.data.scenes import concept_scenes
from evoscope.discovery.gradients import QUANTITIES
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import INIT
from evoscope.models.spec import ModelSpec
from evoscope.store import Machine, Runtime, Store
from experiments.runs import AsBuilt
from experiments.stages.concepts import LayerSpace, concepts, latents, rows_kept
from experiments.stages.networks import Checkpoint, Files

LAYER = "features.42"


@pytest.fixture(scope="module")
def scenes():
    return concept_scenes("train", 24, 4, seed=0), concept_scenes("test", 8, 4, seed=0)


@pytest.fixture(scope="module")
def checkpoint():
    spec = ModelSpec("vgg16_bn", width=0.125, pixels=32)
    return Checkpoint(spec, 4, INIT, Files(AsBuilt("none"), INIT), 0, Machine())


class Unread:
    """Images that nobody may look at."""

    def read(self, *_):
        raise AssertionError("an image was read")


def spaces_within(memory_mb, checkpoint, scenes, quantities=QUANTITIES):
    return latents(checkpoint, [LAYER], quantities, *scenes, Runtime(memory_mb=memory_mb))


def concepts_in(node, checkpoint, store):
    found = concepts(LayerSpace("vgg16", LAYER, checkpoint, node), DiscoveryProtocol(), seed=0)
    return found.at(store.get(found))


def test_too_little_memory_is_refused_before_an_image_is_read(checkpoint, scenes, tmp_path):
    unread = [replace(images, source=Unread()) for images in scenes]
    with pytest.raises(EvoscopeError, match=r"more than memory_mb=0.* give memory_mb=1 or more"):
        Store(tmp_path).get(spaces_within(0, checkpoint, unread))


def test_the_number_that_is_named_gives_what_any_larger_one_gives(checkpoint, scenes, tmp_path):
    """In one store as in two: a refusal leaves nothing behind, and the budget is no part of the key."""
    tight, wide = spaces_within(1, checkpoint, scenes), spaces_within(4096, checkpoint, scenes)
    assert tight.key == wide.key == spaces_within(0, checkpoint, scenes).key
    store, other = Store(tmp_path / "tight"), Store(tmp_path / "wide")
    with pytest.raises(EvoscopeError):
        store.get(spaces_within(0, checkpoint, scenes))
    first, second = tight.at(store.get(tight)), wide.at(other.get(wide))
    for name in ("features", *QUANTITIES):
        np.testing.assert_array_equal(first.pool.of(LAYER).rows(name), second.pool.of(LAYER).rows(name))
    np.testing.assert_array_equal(first.held_out.of(LAYER).features, second.held_out.of(LAYER).features)
    one, same = concepts_in(tight, checkpoint, store), concepts_in(wide, checkpoint, other)
    np.testing.assert_array_equal(one.basis.directions, same.basis.directions)
    np.testing.assert_array_equal(one.ranking.z, same.ranking.z)


def test_what_is_kept_is_part_of_the_key_and_all_of_it_is_counted(checkpoint, scenes):
    assert rows_kept(*scenes, QUANTITIES) == 4 * 24 + 8
    few, all_of_them = (spaces_within(1, checkpoint, scenes, quantities) for quantities in (("logit",), QUANTITIES))
    assert few.key != all_of_them.key
