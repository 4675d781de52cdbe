"""Signed distances, patterns, colours and visibility, each against its plain definition."""

from colorsys import rgb_to_hsv
from dataclasses import replace

import numpy as np
import pytest

from evoscope.data.scenes.objects import (
    SHAPE_TABLE,
    box,
    covers,
    ellipse,
    part_points,
    reach,
    segment,
    to_frame,
    to_own,
)
from evoscope.data.scenes.painting import pattern, second_tone, shade_of, stamp_rgb
from evoscope.data.scenes.sample import object_visibility, visible_concepts
from evoscope.data.scenes.scene import Pose, Prop, Texture
from evoscope.data.scenes.source import SceneSource
from evoscope.data.scenes.vocabulary import COLOURS, PARTS, SHAPES, STAMPS, TEXTURES, concept_names

AXIS = np.linspace(-1.5, 1.5, 151, dtype=np.float32)
U, V = np.meshgrid(AXIS, AXIS)


def brute_distance(inside: np.ndarray) -> np.ndarray:
    """Distance of every lattice point to the nearest point on the other side of the outline."""
    points = np.stack([U, V], -1)
    edge = inside[1:, 1:] ^ inside[:-1, :-1] | inside[1:, 1:] ^ inside[1:, :-1] | inside[1:, 1:] ^ inside[:-1, 1:]
    border = points[1:, 1:][edge]
    away = np.array([np.sqrt(((row[:, None] - border) ** 2).sum(-1)).min(1) for row in points])
    return np.where(inside, -away, away)


@pytest.mark.parametrize("name", SHAPES)
def test_outlines_are_distances_to_their_own_border(name: str):
    distance = SHAPE_TABLE[name].distance(U, V)
    near = np.abs(distance) < 0.3
    error = np.abs(distance - brute_distance(distance < 0))[near]
    assert distance.dtype == np.float32
    assert np.quantile(error, 0.95) < 0.05


@pytest.mark.parametrize("name", SHAPES)
def test_bodies_are_symmetric_and_fill_their_square(name: str):
    inside = SHAPE_TABLE[name].distance(U, V) < 0
    assert np.array_equal(inside, inside[:, ::-1])
    assert np.abs(np.stack([U, V])[:, inside]).max() <= 1.02
    assert np.ptp(U[inside]) > 1.5
    assert np.ptp(V[inside]) > 1.4


def test_shapes_differ_from_each_other():
    bodies = [SHAPE_TABLE[name].distance(U, V) < 0 for name in SHAPES]
    overlaps = [(a & b).sum() / (a | b).sum() for i, a in enumerate(bodies) for b in bodies[:i]]
    assert max(overlaps) < 0.87


def test_elementary_distances():
    rng = np.random.default_rng(0)
    u, v = rng.uniform(-2, 2, (2, 300)).astype(np.float32)
    a, b = (-0.5, 0.2), (0.9, -0.4)
    line = np.linspace(0, 1, 2001)[:, None] * (np.array(b) - a) + a
    nearest = np.sqrt(((np.stack([u, v], -1)[:, None] - line) ** 2).sum(-1)).min(1)
    assert segment(u, v, a, b) == pytest.approx(nearest, abs=1e-3)
    assert np.array_equal(box(u, v, 0.7, 0.3) < 0, (np.abs(u) < 0.7) & (np.abs(v) < 0.3))
    assert np.array_equal(ellipse(u, v, 0.7, 0.3) < 0, (u / 0.7) ** 2 + (v / 0.3) ** 2 < 1)
    assert ellipse(u, v, 0.5, 0.5) == pytest.approx(np.hypot(u, v) - 0.5, abs=1e-5)


@pytest.mark.parametrize("kind", [kind for kind in TEXTURES if kind != "plain"])
def test_patterns_cover_a_fair_share_and_repeat(kind: str):
    texture = Texture(kind, (0.0, 0.0, 0.0), 0.5, 0.3, (0.1, 0.2))
    share = pattern(texture, U, V, 0.01)
    assert 0.2 < share.mean() < 0.6
    assert share.min() == 0
    assert share.max() == pytest.approx(1)
    if kind != "rings":
        step = 0.5 * {"checks": 1.2, "dots": 0.8, "stripes": 1.0}[kind]
        c, s = np.float32(np.cos(0.3) * step), np.float32(np.sin(0.3) * step)
        assert pattern(texture, U - s, V + c, 0.01) == pytest.approx(share, abs=0.02)


def test_a_plain_body_has_no_pattern():
    assert pattern(Texture("plain", (0, 0, 0), 0.5, 0, (0, 0)), U, V, 0.01) is None


def test_hues_of_different_names_stay_apart():
    ends = [-1.0, 0.0, 1.0]
    hues = {
        name: [rgb_to_hsv(*shade_of(name, h, s, v))[0] * 360 for h in ends for s in ends for v in ends]
        for name in COLOURS
    }
    for first in COLOURS:
        for second in COLOURS:
            gaps = np.abs(np.subtract.outer(hues[first], hues[second]))
            assert first == second or np.minimum(gaps, 360 - gaps).min() >= 10


def test_second_tones_contrast_with_the_body():
    for name in COLOURS:
        rgb = shade_of(name, 0, 0, 0)
        for light in (False, True):
            assert np.abs(np.subtract(second_tone(rgb, 0.62, light), rgb)).max() > 0.25


def test_stamps_have_colours_of_their_own():
    colours = np.array([stamp_rgb(name) for name in STAMPS])
    gaps = np.abs(colours[:, None] - colours[None]).max(-1)
    assert gaps[~np.eye(len(STAMPS), dtype=bool)].min() > 0.1


def test_own_units_and_frame_are_inverse():
    pose = Pose(0.3, 0.6, 0.8, 0.2)
    points = np.random.default_rng(1).uniform(-1, 1, (40, 2)).astype(np.float32)
    assert np.stack(to_own(to_frame(points, pose), pose), -1) == pytest.approx(points, abs=1e-5)
    assert to_frame(np.array([[1, 0]], np.float32), Pose(0, 0, np.pi / 2, 2.0)) == pytest.approx(
        np.array([[0, 2]]), abs=1e-6
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_parts_lie_within_the_reach_of_their_body(shape: str):
    for part in PARTS:
        left, top, right, bottom = reach((part,), SHAPE_TABLE[shape])
        points = part_points(part, SHAPE_TABLE[shape])
        assert (points >= np.array([left, top]) - 0.05).all()
        assert (points <= np.array([right, bottom]) + 0.05).all()


def test_an_occluder_over_everything_hides_everything():
    scene = SceneSource("train", 20, 0).scene(3)
    wall = Prop("leaf", Pose(scene.body.pose.x, scene.body.pose.y, 0.0, 3.0), 0.5)
    assert all(share == 0 for share in object_visibility(scene.body, wall).values())
    assert min(object_visibility(scene.body, None).values()) > 0.9
    shown = visible_concepts(replace(scene, occluder=wall))
    assert not any(name.startswith(("part:", "distractor:")) for name in shown)


def test_a_thing_out_of_the_frame_is_not_visible():
    scene = SceneSource("train", 20, 0).scene(0)
    outside = Prop("tree", Pose(-0.2, 0.5, 0.0, 0.15), 0.5)
    inside = Prop("cloud", Pose(0.5, 0.5, 0.0, 0.15), 0.5)
    body = replace(scene.body, pose=Pose(5.0, 5.0, 0.0, 0.3))
    shown = visible_concepts(replace(scene, body=body, distractors=(outside, inside), occluder=None))
    assert "distractor:cloud" in shown
    assert "distractor:tree" not in shown


def test_props_cover_their_middle_and_not_far_away():
    points = np.array([[0.5, 0.5], [0.99, 0.02]], np.float32)
    for name in concept_names():
        family, kind = name.split(":")
        if family in ("distractor", "occluder"):
            at = Pose(0.5, 0.5, 0.0, 0.2)
            assert covers(Prop(kind, at, 0.5), points).tolist() == [True, False], name
