"""How much of each thing in a scene is to be seen, from the description alone: no pixels, no drawing size."""

import numpy as np

from evoscope.arrays import Bools, Floats
from evoscope.data.scenes.parts import part_covers, part_points
from evoscope.data.scenes.props import covers, to_frame, to_own
from evoscope.data.scenes.scene import Body, Prop, Scene
from evoscope.data.scenes.shapes import SHAPE_TABLE

MIN_VISIBLE = 0.4


def _lattice(half: float, count: int) -> Floats:
    axis = np.linspace(-half, half, count, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


_BODY_POINTS = _lattice(0.8, 6)
_PROP_POINTS = _lattice(0.75, 6)


def _in_frame(points: Floats) -> Bools:
    return np.asarray(((points > 0) & (points < 1)).all(axis=1))


def _share(points: Floats, hidden: Bools) -> float:
    return float((_in_frame(points) & ~hidden).mean())


def object_visibility(body: Body, occluder: Prop | None) -> dict[str, float]:
    """Share of the body (key ``body``) and of each of its parts that is in the frame and not occluded."""
    shape = SHAPE_TABLE[body.shape]
    inside = shape.distance(_BODY_POINTS[:, 0], _BODY_POINTS[:, 1]) < 0
    groups = {"body": _BODY_POINTS[inside], **{part: part_points(part, shape) for part in body.parts}}
    points = to_frame(np.concatenate(list(groups.values())), body.pose)
    seen = _in_frame(points)
    if occluder:
        seen &= ~covers(occluder, points)
    ends = np.cumsum([len(group) for group in groups.values()])[:-1]
    return {name: float(part.mean()) for name, part in zip(groups, np.split(seen, ends), strict=True)}


def prop_visibility(prop: Prop, before: tuple[Prop, ...], body: Body) -> float:
    """Share of a prop that is in the frame and behind neither the object nor the props ``before`` it."""
    points = to_frame(_PROP_POINTS, prop.pose)
    points = points[covers(prop, points)]
    hidden = _object_covers(body, points)
    for other in before:
        hidden |= covers(other, points)
    return _share(points, hidden)


def _object_covers(body: Body, points: Floats) -> Bools:
    """Tell which points [n, 2] of the frame lie on the body or one of its parts."""
    shape = SHAPE_TABLE[body.shape]
    own = to_own(points, body.pose)
    covered = shape.distance(*own) < 0
    for part in body.parts:
        covered |= part_covers(part, shape, *own)
    return covered


def visible_concepts(scene: Scene) -> frozenset[str]:
    """Concepts of which at least MIN_VISIBLE is to be seen: what the concept table calls present.

    Backgrounds and stamps always are; an occluder reaches beyond the frame and counts if it is there.
    """
    front = (scene.occluder,) if scene.occluder else ()
    shares = object_visibility(scene.body, scene.occluder)
    hidden = {f"part:{name}" for name, share in shares.items() if share < MIN_VISIBLE}
    visible = set()
    for index, prop in enumerate(scene.distractors):
        if prop_visibility(prop, scene.distractors[index + 1 :] + front, scene.body) >= MIN_VISIBLE:
            visible.add(f"distractor:{prop.kind}")
    hidden |= {f"distractor:{prop.kind}" for prop in scene.distractors} - visible
    return scene.concepts() - hidden
