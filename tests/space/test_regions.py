"""Regions are where every model has neurons near an anchor of the base."""

import json

import numpy as np
import pytest

from evoscope.errors import EvoscopeError
from evoscope.space.regions import (
    COPIES,
    DIFFERENT,
    MOST,
    NamedRegion,
    central,
    far_apart,
    find_regions,
    read_regions,
    region_name,
)


def clusters(rng, sizes, dim=8, noise=0.1):
    centres = np.linalg.qr(rng.normal(size=(dim, len(sizes))))[0].T
    return np.concatenate(
        [centre + noise * rng.normal(size=(n, dim)) for centre, n in zip(centres, sizes, strict=True)]
    )


def test_finds_the_clusters_that_all_models_share():
    rng = np.random.default_rng()
    seed = rng.integers(1 << 30)
    # The third cluster has no neuron of the second model, so it is no region.
    models = [clusters(np.random.default_rng(seed), sizes) for sizes in ([5, 5, 5], [4, 4, 0])]
    regions = find_regions([model.astype(np.float32) for model in models], count=3, members=2)
    found = {int(region.anchor) // 5 for region in regions[:2]}
    assert found == {0, 1}
    for region in regions[:2]:
        cluster = region.anchor // 5
        assert all(member // 5 == cluster for member in region.members[0])
        assert all(member // 4 == cluster for member in region.members[1])


def two_nearest(vectors, cosines) -> list[int]:
    first, *others = np.argsort(-cosines)
    return [first, next(row for row in others if vectors[row] @ vectors[first] <= COPIES)]


def test_copies_of_one_neuron_count_once():
    rng = np.random.default_rng()
    base = rng.normal(size=(6, 5)).astype(np.float32)
    copied = np.repeat(rng.normal(size=(4, 5)), 3, axis=0).astype(np.float32)
    for region in find_regions([base, copied], count=3, members=2):
        assert region.members[1][0] // 3 != region.members[1][1] // 3


def test_tightness_is_the_smallest_cosine_and_regions_differ():
    rng = np.random.default_rng()
    models = [rng.normal(size=(n, 6)).astype(np.float32) for n in (30, 20, 25)]
    models[1][3] = np.nan
    regions = find_regions(models, count=5, members=2)
    unit = [m / np.linalg.norm(m.astype(float), axis=1, keepdims=True) for m in models]
    tightness = []
    for region in regions:
        anchor = unit[0][region.anchor]
        for vectors, members in zip(unit, region.members, strict=True):
            cosines = np.nan_to_num(vectors @ anchor, nan=-2)
            np.testing.assert_array_equal(members, two_nearest(vectors, cosines))
        tightness.append(
            min((vectors[members] @ anchor).min() for vectors, members in zip(unit, region.members, strict=True))
        )
    assert (np.diff(tightness) < 1e-5).all()
    anchors = unit[0][[r.anchor for r in regions]]
    assert np.all(anchors @ anchors.T - np.eye(len(regions)) * 2 <= DIFFERENT + 1e-5)


def test_no_region_when_a_model_has_collapsed():
    rng = np.random.default_rng()
    models = [rng.normal(size=(10, 4)).astype(np.float32), np.full((10, 4), np.nan, dtype=np.float32)]
    assert find_regions(models, count=3, members=2) == []


WHEELS = {
    "name": "wheels",
    "neurons": [
        {"run": "vgg16", "epoch": -1, "layer": "features.3", "channel": 5},
        {"run": "convnext", "epoch": 6, "layer": "features.1.0", "channel": 0},
    ],
}


def test_named_regions_are_read_as_the_explorer_saves_them(tmp_path):
    path = tmp_path / "regions.json"
    path.write_text(json.dumps({"regions": [WHEELS]}))
    neurons = (("vgg16", -1, "features.3", 5), ("convnext", 6, "features.1.0", 0))
    assert read_regions(path) == (NamedRegion("wheels", neurons),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no regions of the explorer"),
        ("[1]", "no regions of the explorer"),
        ('{"regions": [{"name": "a", "neurons": []}]}', "'a' has no neurons"),
        ('{"regions": [{"name": "a", "neurons": [{"run": "b"}]}]}', "'epoch'"),
        ('{"regions": []}', "holds 0 regions"),
        (json.dumps({"regions": [WHEELS] * (MOST + 1)}), f"at most {MOST}"),
    ],
)
def test_a_file_without_regions_is_refused_in_one_sentence(tmp_path, text, says):
    path = tmp_path / "regions.json"
    path.write_text(text)
    with pytest.raises(EvoscopeError, match=says):
        read_regions(path)
    with pytest.raises(EvoscopeError, match="FileNotFoundError"):
        read_regions(tmp_path / "none.json")


def test_central_rows_are_the_nearest_to_the_mean_direction():
    angles = np.array([0.0, 0.1, 0.2, 0.9, np.nan])
    vectors = np.stack([3 * np.cos(angles), 3 * np.sin(angles)], axis=1).astype(np.float32)
    vectors[0] *= 100  # length does not count
    assert list(central(vectors, 2)) == [2, 1]
    assert list(central(vectors, 9)) == [2, 1, 0, 3]


def test_a_region_is_named_by_what_all_models_show_more_often_than_chance():
    families = ["colour", "colour", "texture"]
    red, _, dots = np.eye(3, dtype=bool)
    both, nothing = red | dots, np.zeros(3, bool)
    content = [np.array([both, both, both, red]), np.array([both, both, dots, nothing])]
    anywhere = np.array([dots, dots, dots, red])  # dots are seen nearly everywhere, red dots nowhere
    columns, lead = region_name(content, anywhere, families)
    assert columns == [0, 2]
    assert lead == 0.5
    assert region_name(content, np.zeros((4, 3), bool), ["class"] * 3)[0] in ([0], [2])


def test_regions_are_far_apart_while_they_are_clear_and_named_once():
    places = np.array([[0, 0], [1.2, 0], [9, 0], [9, 9], [0.5, 0]], dtype=float)
    leads = np.array([0.9, 0.8, 0.7, 0.3, 0.95])
    assert far_apart(places, leads, ["a", "b", "c", "d", "e"], 3) == [4, 2, 1]
    assert far_apart(places, leads, ["a", "b", "c", "d", "e"], 5) == [4, 2, 1, 0, 3]
    assert far_apart(places, leads, ["a", "a", "a", "a", "a"], 3) == [4]
    assert far_apart(places, leads - 0.6, ["a", "b", "c", "d", "e"], 2) == [4, 0]
