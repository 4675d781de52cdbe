"""Stamps on images of any set, and labels made wrong."""

from dataclasses import replace

import numpy as np
import pytest

from evoscope.data.images import SQUASH, ConceptTable, ImageSet, digest, mislabelled
from evoscope.data.scenes import Confounder, concept_scenes
from evoscope.data.scenes import stamp_disagrees as scene_stamp_disagrees
from evoscope.data.stamps import Stamps, only_classes, stamp_colour, stamp_disagrees, stamped
from evoscope.errors import EvoscopeError

PIXELS = 50


@pytest.fixture(params=range(2))
def rng(request):
    return np.random.default_rng(request.param)


class Grey:
    """Pictures of one grey each."""

    thread_safe = True

    def read(self, index, pixels, fit=SQUASH):
        return np.full((pixels, pixels, 3), 40 + index % 100, np.uint8)


def images(count=400, classes=2, split="train"):
    rows = np.arange(count)
    ids = tuple(f"{split}/{row}" for row in rows)
    names = tuple("abcdefghijklmnopqrstuvwxyz"[:classes])
    shown = ConceptTable(("colour:red",), np.zeros((count, 1), dtype=bool))
    return ImageSet("grey", split, names, ids, rows % classes, rows, Grey(), digest(split, str(count)), shown)


def coloured(square):
    """Places that are no grey."""
    return (square[..., :1] != square).any(axis=2)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_a_share_of_half_p_disagrees_and_the_truth_is_what_is_drawn(p):
    drawn = stamped(images(), Stamps(p, seed=3))
    disagrees = stamp_disagrees(drawn)
    assert disagrees.mean() == pytest.approx(p / 2, abs=4 * np.sqrt(0.25 / 400) if p else 0)
    for index in range(0, 400, 23):
        square = drawn.read(index, PIXELS)
        own = stamp_colour(int(drawn.labels[index]), 2)
        assert (np.unique(square[coloured(square)], axis=0) == own).all() == (not disagrees[index])


def test_a_stamp_is_a_square_near_the_middle_and_changes_nothing_else(rng):
    stamps = Stamps(0.5, seed=int(rng.integers(99)))
    plain, drawn = images(40), stamped(images(40), stamps)
    for index in range(40):
        square = drawn.read(index, PIXELS)
        down, across = np.nonzero(coloured(square))
        assert (square[~coloured(square)] == plain.read(index, PIXELS)[0, 0]).all()
        for places in (down, across):
            side = places.max() - places.min() + 1
            assert abs(side - 2 * stamps.size * PIXELS) <= 1
            assert abs((places.max() + places.min() + 1) / 2 / PIXELS - 0.5) <= stamps.jitter + 1 / PIXELS
        assert coloured(square).sum() == np.ptp(down + 1) * np.ptp(across) + np.ptp(down + 1) + np.ptp(across) + 1


def test_redrawn_stamps_are_nested_in_p_and_do_not_depend_on_the_other_images():
    few, many = (stamp_disagrees(stamped(images(), Stamps(p, 1))) for p in (0.2, 0.7))
    assert few.any()
    assert not (few & ~many).any()
    whole = stamped(images(), Stamps(0.5, 1))
    part = stamped(images().subset([5, 3, 300]), Stamps(0.5, 1))
    np.testing.assert_array_equal(part.read(2, PIXELS), whole.read(300, PIXELS))
    np.testing.assert_array_equal(whole.subset([7]).read(0, PIXELS), whole.read(7, PIXELS))
    assert stamp_disagrees(whole.subset([9, 4])).tolist() == stamp_disagrees(whole)[[9, 4]].tolist()


def test_what_decides_the_pixels_decides_the_fingerprint():
    prints = [stamped(images(), each).fingerprint for each in (Stamps(0.5), Stamps(0.6), Stamps(0.5, 1))]
    assert len({*prints, images().fingerprint}) == 4
    assert stamped(images(), Stamps(0.5)).fingerprint == prints[0]
    assert stamped(images(), Stamps(0.5)).ids == images().ids
    assert stamped(images(), Stamps(0.5)).source.thread_safe


def test_scenes_tell_the_truth_about_their_own_stamps():
    scenes = concept_scenes("train", 60, 3, 0, Confounder(0.8))
    np.testing.assert_array_equal(stamp_disagrees(scenes), scene_stamp_disagrees(scenes))
    with pytest.raises(EvoscopeError, match="no scene descriptions"):
        stamp_disagrees(images())


@pytest.mark.parametrize("classes", [2, 3, 8, 24])
def test_every_class_has_its_colour(classes):
    assert len({stamp_colour(code, classes) for code in range(classes)}) == classes


def test_impossible_stamps_are_refused():
    for wrong in ({"probability": 1.2}, {"probability": 0.1, "size": 0}, {"probability": 0.1, "jitter": 0.49}):
        with pytest.raises(EvoscopeError, match="stamp"):
            Stamps(**wrong)
    with pytest.raises(EvoscopeError, match="25 classes, but there are 24"):
        stamped(images(classes=25), Stamps(0.1))


def test_chosen_classes_are_numbered_anew():
    several = images(60, 6)
    two = only_classes(several, (4, 1))
    assert two.class_names == ("e", "b")
    assert [several.class_names[int(name.split("/")[1]) % 6] for name in two.ids] == [
        two.class_names[label] for label in two.labels
    ]
    assert len(two) == 20 == len(two.concepts.present)
    assert two.fingerprint != only_classes(several, (1, 4)).fingerprint
    np.testing.assert_array_equal(two.read(3, 4), several.read(several.ids.index(two.ids[3]), 4))
    with pytest.raises(EvoscopeError, match="1 different classes"):
        only_classes(several, (2, 2))
    with pytest.raises(EvoscopeError, match="'c' has no images"):
        only_classes(several.subset([0, 1, 6, 7]), (0, 2))


@pytest.mark.parametrize(("share", "classes"), [(0.05, 2), (0.3, 5), (0.9, 3)])
def test_exactly_the_share_is_mislabelled_and_nothing_else_changes(share, classes):
    right = images(200, classes)
    wrong, flipped = mislabelled(right, share, seed=4)
    assert flipped.sum() == round(share * 200)
    np.testing.assert_array_equal(flipped, wrong.labels != right.labels)
    assert set(wrong.labels) <= set(range(classes))
    assert (wrong.ids, wrong.source) == (right.ids, right.source)
    assert wrong.fingerprint != right.fingerprint
    again, same = mislabelled(right, share, seed=4)
    assert again.fingerprint == wrong.fingerprint
    assert not np.array_equal(mislabelled(right, share, seed=5)[1], same)


def test_fewer_wrong_labels_are_a_part_of_more_and_spread_over_the_other_classes():
    right = images(600, 4)
    _, few = mislabelled(right, 0.1, 0)
    wrong, many = mislabelled(right, 0.6, 0)
    assert not (few & ~many).any()
    steps = np.bincount((wrong.labels - right.labels)[many] % 4, minlength=4)
    assert steps[0] == 0
    assert (np.abs(steps[1:] - 120) < 4 * np.sqrt(120)).all()


def test_impossible_shares_are_refused():
    for share in (0, 1, -0.1, 0.001):
        with pytest.raises(EvoscopeError, match="wrong labels"):
            mislabelled(images(50), share, 0)
    with pytest.raises(EvoscopeError, match="1 classes"):
        mislabelled(replace(images(50, 1)), 0.1, 0)
