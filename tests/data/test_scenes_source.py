"""The generated set as a data set: determinism, prefixes, balance, rules, the confounder, refusals."""

import pickle

import numpy as np
import pytest

from evoscope.data.images import ImageSet
from evoscope.data.scenes import Confounder, concept_scenes, rules, scene_source, source, stamp_disagrees
from evoscope.data.scenes.sample import sample_scene
from evoscope.data.scenes.vocabulary import STAMPS
from evoscope.errors import EvoscopeError

SEED = 5


def scenes(images: int = 60, split: str = "train", classes: int = 20, **more: object) -> ImageSet:
    return concept_scenes(split, images, classes, more.pop("seed", SEED), **more)


def test_same_arguments_give_the_same_bytes():
    first, second = scenes(8), scenes(8)
    assert first.fingerprint == second.fingerprint
    assert all(first.read(i, 40).tobytes() == second.read(i, 40).tobytes() for i in range(8))
    assert np.array_equal(first.concepts.present, second.concepts.present)


def test_global_generators_are_left_alone():
    np.random.seed(1)  # noqa: NPY002 (the global state is what is tested)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    scenes(5).read(0, 32)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_reading_order_does_not_matter():
    forward, backward = scenes(6), scenes(6)
    images = {i: forward.read(i, 32) for i in range(6)}
    assert all(np.array_equal(images[i], backward.read(i, 32)) for i in reversed(range(6)))


@pytest.mark.parametrize("confounder", [None, Confounder(0.5)])
def test_a_larger_set_begins_with_the_smaller(confounder: Confounder | None):
    small, large = scenes(23, confounder=confounder), scenes(47, confounder=confounder)
    assert large.ids[:23] == small.ids
    assert np.array_equal(large.labels[:23], small.labels)
    assert np.array_equal(large.concepts.present[:23], small.concepts.present)
    assert all(small.source.scene(i) == large.source.scene(i) for i in range(23))
    assert small.fingerprint != large.fingerprint


def test_splits_and_seeds_are_different_streams():
    sets = [scenes(6, split) for split in ("train", "test", "pool")] + [scenes(6, seed=SEED + 1)]
    drawn = [np.stack([images.read(i, 32) for i in range(6)]).tobytes() for images in sets]
    assert len(set(drawn)) == len({images.fingerprint for images in sets}) == 4
    assert scenes(2, "pool").ids == ("pool-000000", "pool-000001")


@pytest.mark.parametrize("classes", [2, 3, 7, 20, 24])
def test_labels_are_balanced_in_every_prefix(classes: int):
    labels = scenes(3 * classes + 1, classes=classes).labels
    for end in (classes, 2 * classes, 3 * classes, len(labels)):
        counts = np.bincount(labels[:end], minlength=classes)
        assert counts.max() - counts.min() <= (end % classes > 0)
    assert list(labels[:classes]) != list(range(classes)) or classes == 2


@pytest.mark.parametrize("classes", [2, 6, 20, 24])
def test_each_image_satisfies_its_own_rule_and_no_other(classes: int):
    images = scenes(120, classes=classes)
    names = np.array(images.concepts.names)
    for row, label in zip(images.concepts.present, images.labels, strict=True):
        shown = frozenset(names[row])
        assert [rule.holds(shown) for rule in rules(classes)] == [i == label for i in range(classes)]


def test_no_concept_alone_gives_the_class_away():
    images = scenes(1000)
    counts = np.zeros((20, images.concepts.present.shape[1]))
    np.add.at(counts, images.labels, images.concepts.present)
    largest = counts.max(0) / np.maximum(1, counts.sum(0))
    assert largest.max() < 0.75


def test_every_concept_occurs_with_and_without_every_rule_family():
    present = scenes(600).concepts.present
    assert present.any(0).all()
    assert not present.all(0).any()


def test_rule_concepts_are_present_in_every_image_of_the_class():
    images = scenes(100)
    pairs = [(label, concept) for label, rule in enumerate(rules(20)) for concept in rule.concepts]
    for label, concept in pairs:
        column = images.concepts.names.index(concept)
        assert images.concepts.present[images.labels == label, column].all()


def test_a_subset_reads_its_own_images_and_table():
    images = scenes(12)
    chosen = images.subset([7, 2])
    assert np.array_equal(chosen.read(0, 32), images.read(7, 32))
    assert np.array_equal(chosen.concepts.present, images.concepts.present[[7, 2]])


def test_scenes_are_described_when_the_table_is_read(monkeypatch):
    seen = []
    monkeypatch.setattr(source, "sample_scene", lambda *given: seen.append(given) or sample_scene(*given))
    images = scenes(12)
    chosen = images.subset([7, 2])
    assert not seen
    assert images.labels.tolist() == [images.source.label(row) for row in range(12)]
    assert len(chosen.concepts.present) == 2
    assert len(images.concepts.present) == len(seen) == 12


def test_the_set_and_its_table_travel_to_worker_processes():
    images = scenes(3, confounder=Confounder(0.2))
    whole = pickle.loads(pickle.dumps(images))  # noqa: S301 (our own bytes)
    assert np.array_equal(whole.concepts.present, images.concepts.present)


def test_the_source_travels_to_worker_processes():
    images = scenes(3, confounder=Confounder(0.2))
    copy = pickle.loads(pickle.dumps(images.source))  # noqa: S301 (our own bytes)
    assert np.array_equal(copy.read(1, 32), images.read(1, 32))


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_stamps_disagree_as_often_as_asked(probability: float):
    classes, count = 6, 900
    images = concept_scenes("train", count, classes, SEED, Confounder(probability))
    expected = probability * (classes - 1) / classes
    assert stamp_disagrees(images).mean() == pytest.approx(expected, abs=4 * np.sqrt(0.25 / count))


def test_disagreement_is_what_the_concept_table_says():
    images = scenes(80, confounder=Confounder(0.5))
    stamped = images.concepts.present[:, -len(STAMPS) :]
    assert (stamped.sum(1) == 1).all()
    assert np.array_equal(stamp_disagrees(images), stamped.argmax(1) != images.labels)


def test_a_random_stamp_is_independent_of_the_class():
    images = concept_scenes("train", 2000, 2, SEED, Confounder(1.0))
    colours = images.concepts.present[:, -len(STAMPS) :].argmax(1)
    assert np.mean(colours == images.labels) == pytest.approx(0.5, abs=0.05)


def test_the_stamp_changes_nothing_outside_itself():
    plain, stamped = scenes(10), scenes(10, confounder=Confounder(0.5))
    for index in range(10):
        scene = stamped.source.scene(index)
        mask = stamped.source.masks(index, 64)[f"confounder:{scene.stamp.colour}"]
        changed = (plain.read(index, 64) != stamped.read(index, 64)).any(2)
        assert 20 < mask.sum() < 200
        assert not changed[: 64 // 2].any()
        assert changed[mask].mean() > 0.95


def test_without_a_confounder_there_is_no_stamp_in_table_or_truth():
    images = scenes(5)
    assert not any(name.startswith("confounder:") for name in images.concepts.names)
    assert not stamp_disagrees(images).any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "valid"}, "train, test, pool"),
        ({"classes": 1}, "2 to 24"),
        ({"classes": 25}, "2 to 24"),
        ({"images": 0}, "1 or more"),
    ],
)
def test_impossible_requests_are_refused(arguments: dict[str, object], words: str):
    with pytest.raises(EvoscopeError, match=words):
        concept_scenes(**({"split": "train", "images": 3, "classes": 6, "seed": 0} | arguments))


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_a_confounder_needs_a_probability(probability: float):
    with pytest.raises(EvoscopeError, match="0 to 1"):
        Confounder(probability)


@pytest.mark.parametrize("size", [0.0, 0.3])
def test_a_stamp_needs_a_sensible_size(size: float):
    with pytest.raises(EvoscopeError, match="size"):
        Confounder(0.5, size=size)


def test_other_images_have_no_scene_source():
    images = scenes(2)
    with pytest.raises(EvoscopeError, match="no scene descriptions"):
        scene_source(ImageSet("x", "train", (), (), images.labels, images.rows, object(), ""))
