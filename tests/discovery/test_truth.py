import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from evoscope.data.images import ConceptTable
from evoscope.data.scenes import concept_scenes, scene_source
from evoscope.discovery.truth import (
    BOARD,
    board,
    compare,
    concept_maps,
    localisation_by_concept,
    localise,
    map_batches,
    peaks,
    predicted_board,
    recovery,
    segments,
    selectivity,
)
from evoscope.errors import EvoscopeError
from evoscope.stats import correlations
from tests.discovery.small import batches_of, image_set, maps_of, noise, small


def test_maps_are_projections_place_by_place(rng):
    maps, directions = rng.normal(size=(2, 5, 3, 4)), rng.normal(size=(6, 5))
    found = concept_maps(torch.from_numpy(maps), directions).numpy()
    for image, direction, row, column in np.ndindex(found.shape):
        expected = sum(directions[direction, i] * maps[image, i, row, column] for i in range(5))
        assert found[image, direction, row, column] == pytest.approx(expected)


def test_their_mean_is_the_projection_of_the_features(rng):
    network, pixels, directions = small(), noise(9), rng.normal(size=(3, 6))
    found = list(map_batches(network, batches_of(pixels, size=4), "second", directions))
    maps = maps_of(network, pixels)["second"]
    assert np.concatenate([rows for rows, _ in found]).tolist() == list(range(9))
    means = np.concatenate([each.mean(axis=(2, 3)) for _, each in found])
    np.testing.assert_allclose(means, maps.mean((2, 3)).numpy() @ directions.T, rtol=1e-9, atol=1e-12)
    ((_, large),) = map_batches(network, batches_of(pixels, size=9), "second", directions, pixels=16)
    expected = interpolate(concept_maps(maps, directions), size=(16, 16), mode="bilinear")
    np.testing.assert_allclose(large, expected.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("percentile", [50.0, 80.0, 85.0])
def test_segments_keep_the_share_above_the_percentile(rng, percentile):
    maps = rng.normal(size=(2, 3, 20, 20))
    found = segments(maps, percentile)
    np.testing.assert_allclose(found.mean(axis=(2, 3)), 1 - percentile / 100, atol=1 / 400)
    for one, own in zip(maps.reshape(6, -1), found.reshape(6, -1), strict=True):
        assert one[own].min() > one[~own].max()
    assert not segments(np.full((1, 4, 4), 3.0)).any()


def test_peaks_are_where_the_map_is_largest(rng):
    maps = rng.integers(0, 9, (4, 5, 6))
    for one, (row, column) in zip(maps, peaks(maps), strict=True):
        assert (row, column) == min(map(tuple, np.argwhere(one == one.max())))


def test_boards_show_the_most_activating_images_in_order(rng):
    scores = rng.normal(size=(30, 5))
    shown = board(scores)
    for concept in range(5):
        assert shown[concept].tolist() == sorted(range(30), key=lambda i, c=concept: -scores[i, c])[:BOARD]
    assert board(scores[:2])[:, 2:].tolist() == [[-1, -1]] * 5


def test_predicted_images_are_drawn_at_random_of_those_of_the_class():
    predictions = np.repeat([1, 0, 1, 1, 0], 20)
    shown = predicted_board(predictions, 1, 0, 10)
    assert len(set(shown)) == 10
    assert (predictions[shown] == 1).all()
    assert shown.tolist() == predicted_board(predictions, 1, 0, 10).tolist()
    assert shown.tolist() != sorted(shown)
    assert predicted_board(predictions, 7, 0).tolist() == []


CONCEPTS = 4


def table(present):
    return ConceptTable(tuple(f"part:{i}" for i in range(present.shape[1])), present)


def drawn(rng, noise, images=80):
    """Presence, and projections on directions of which the first ones show the concepts, the second reversed."""
    present = rng.random((images, CONCEPTS)) < 0.4
    shown = present * np.where(np.arange(CONCEPTS) == 1, -1.0, 1.0)
    scores = np.hstack([shown + noise * rng.normal(size=shown.shape), rng.normal(size=(images, 3))])
    return table(present), scores


def auc(score, present):
    pairs = [
        (score[i] > score[j]) + 0.5 * (score[i] == score[j])
        for i in np.flatnonzero(present)
        for j in np.flatnonzero(~present)
    ]
    return float(np.mean(pairs))


def test_planted_concepts_are_recovered(rng):
    (shown, chosen_on), (held_out, judged_on) = drawn(rng, 0.01), drawn(rng, 0.01)
    found = recovery(chosen_on, shown, judged_on, held_out)
    assert found.direction.tolist() == found.partner.tolist() == [0, 1, 2, 3]
    assert found.side.tolist() == [1, -1, 1, 1]
    np.testing.assert_allclose(found.auc, 1)
    assert found.correlation.min() > 0.99
    assert found.mean_auc(seed=0).value == pytest.approx(1)
    assert found.mean_correlation(seed=0).value == pytest.approx(found.correlation.mean())


def test_detectors_are_chosen_on_one_set_and_judged_on_the_other(rng):
    (shown, chosen_on), (held_out, judged_on) = drawn(rng, 1.0), drawn(rng, 1.0)
    found = recovery(chosen_on, shown, judged_on, held_out)
    for concept in range(CONCEPTS):
        areas = [auc(column, shown.present[:, concept]) for column in chosen_on.T]
        best = int(np.argmax(np.abs(np.array(areas) - 0.5)))
        assert found.direction[concept] == best
        assert found.side[concept] == (1 if areas[best] >= 0.5 else -1)
        judged = auc(found.side[concept] * judged_on[:, best], held_out.present[:, concept])
        assert found.auc[concept] == pytest.approx(judged, abs=1e-6)
        partner = found.partner[concept]
        pair = [
            np.corrcoef(scores[:, partner], truth.present[:, concept])[0, 1]
            for scores, truth in ((chosen_on, shown), (judged_on, held_out))
        ]
        assert found.correlation[concept] == pytest.approx(np.sign(pair[0]) * pair[1])
    assert len(set(found.partner)) == CONCEPTS


def test_noise_recovers_nothing_on_other_images(rng):
    (shown, _), (held_out, _) = drawn(rng, 1.0, 200), drawn(rng, 1.0, 200)
    found = recovery(rng.normal(size=(200, 300)), shown, rng.normal(size=(200, 300)), held_out)
    assert abs(found.auc.mean() - 0.5) < 0.08
    assert abs(found.correlation.mean()) < 0.12


def test_flipped_directions_recover_the_same(rng):
    (shown, chosen_on), (held_out, judged_on) = drawn(rng, 1.0), drawn(rng, 1.0)
    flips = rng.choice([-1.0, 1.0], chosen_on.shape[1])
    one = recovery(chosen_on, shown, judged_on, held_out)
    other = recovery(chosen_on * flips, shown, judged_on * flips, held_out)
    np.testing.assert_allclose(one.auc, other.auc, atol=1e-6)
    np.testing.assert_allclose(one.correlation, other.correlation)
    np.testing.assert_array_equal(one.side, other.side * flips[one.direction])


def test_concepts_that_cannot_be_judged_and_directions_too_few(rng):
    (shown, chosen_on), (held_out, judged_on) = drawn(rng, 0.1), drawn(rng, 0.1)
    shown.present[:, 0], held_out.present[:, 2] = True, False
    found = recovery(chosen_on[:, 3:4], shown, judged_on[:, 3:4], held_out)
    assert found.names == ("part:1", "part:3")
    assert found.columns.tolist() == [1, 3]
    assert sorted(found.partner) == [-1, 0]
    assert found.correlation[found.partner == -1] == 0
    assert not correlations(np.ones((80, 1)), shown.present).any()


def test_selective_directions_tell_one_concept_apart(rng):
    shown, scores = drawn(rng, 0.01)
    assert selectivity(scores, shown.present)[:CONCEPTS].min() > 0.25
    assert selectivity(scores, shown.present[:, :1]).tolist() == [0] * 7


def test_selectivity_is_the_gap_to_the_second_concept(rng):
    shown, scores = drawn(rng, 1.0, 40)
    for column, gap in zip(scores.T, selectivity(scores, shown.present), strict=True):
        areas = sorted(abs(auc(column, shown.present[:, concept]) - 0.5) for concept in range(CONCEPTS))
        assert gap == pytest.approx(areas[-1] - areas[-2], abs=1e-6)


def test_a_map_is_compared_with_a_mask(rng):
    mask, segment = rng.random((2, 6, 6)) < 0.4
    peak = np.argwhere(mask)[0]
    hit, share, iou, _ = compare(segment, peak, mask)
    assert hit
    assert not compare(segment, np.argwhere(~mask)[0], mask)[0]
    assert share == mask.mean()
    assert iou == (segment & mask).sum() / (segment | mask).sum()
    assert compare(mask, peak, mask)[2] == 1
    assert compare(~mask, peak, mask)[2] == 0


def test_the_chance_of_an_overlap_is_that_of_shuffled_segments():
    rng = np.random.default_rng(0)
    mask, segment = rng.random((2, 30, 30)) < 0.3
    shuffled = [compare(rng.permutation(segment.ravel()).reshape(30, 30), [0, 0], mask)[2] for _ in range(200)]
    assert compare(segment, [0, 0], mask)[3] == pytest.approx(np.mean(shuffled), abs=0.01)


def test_localisation_looks_at_the_images_that_show_a_concept(rng):
    network, images = small(), concept_scenes("test", 12, 4, seed=1)
    network.module.float()
    concepts = np.array([images.concepts.names.index(name) for name in ("part:eyes", "background:sea", "shape:star")])
    directions = rng.normal(size=(3, 6))
    found = localise(network, images, "second", directions, concepts, batch_size=5)
    shown = images.concepts.present[:, concepts]
    assert len(found) == shown.sum() > 5
    for row in found.itertuples():
        number = concepts.tolist().index(row.concept)
        assert shown[row.image, number]
        mask = scene_source(images).masks(row.image, 8)[images.concepts.names[row.concept]]
        assert row.share == mask.mean()
        size = segments(rng.normal(size=(8, 8))).mean()
        assert row.iou_chance == pytest.approx(row.share * size / (row.share + size - row.share * size))
        assert 0 <= row.iou <= 1


def test_localisation_of_a_subset_reads_its_own_masks(rng):
    network, images = small(), concept_scenes("test", 12, 4, seed=1)
    network.module.float()
    concepts, directions = (np.arange(len(images.concepts.names)), rng.normal(size=(len(images.concepts.names), 6)))
    whole = localise(network, images, "second", directions, concepts)
    part = localise(network, images.subset([7, 3]), "second", directions, concepts)
    for position, image in enumerate((7, 3)):
        one = whole[whole["image"] == image].drop(columns="image").to_numpy(float)
        other = part[part["image"] == position].drop(columns="image").to_numpy(float)
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_localisation_is_summed_up_by_concept(rng):
    network, images = small(), concept_scenes("test", 12, 4, seed=1)
    network.module.float()
    concepts = np.arange(20)
    found = localise(network, images, "second", rng.normal(size=(20, 6)), concepts)
    for row in localisation_by_concept(found, seed=0).itertuples():
        part = found[found["concept"] == row.concept]
        assert row.images == len(part)
        assert row.hit == pytest.approx(part["hit"].mean())
        assert row.iou == pytest.approx(part["iou"].mean())
        assert row.images == 1 or row.iou_low <= row.iou <= row.iou_high


def test_photographs_have_no_masks():
    with pytest.raises(EvoscopeError, match="does not say where its concepts are"):
        localise(small(), image_set(4), "second", np.eye(6)[:1], np.array([0]))


def test_a_perfect_map_is_a_perfect_score(rng):
    mask = np.zeros((10, 10), bool)
    mask[2:6, 3:8] = True
    smooth = mask + rng.random((10, 10)) / 10
    assert compare(segments(smooth, 80.0), peaks(smooth), mask)[:3] == (True, 0.2, 1.0)
