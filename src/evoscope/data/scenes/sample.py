"""Scenes drawn at random, each of exactly one class, and what is visible in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import TypeVar

import numpy as np

from evoscope.arrays import Bools, Floats
from evoscope.data.scenes.objects import SHAPE_TABLE, covers, part_covers, part_points, reach, to_frame, to_own
from evoscope.data.scenes.painting import second_tone, shade_of
from evoscope.data.scenes.scene import Backdrop, Body, Light, Pose, Prop, Scene, Texture
from evoscope.data.scenes.vocabulary import BACKGROUNDS, COLOURS, DISTRACTORS, OCCLUDERS, PARTS, SHAPES, TEXTURES, Rule

MIN_VISIBLE = 0.4


def _lattice(half: float, count: int) -> Floats:
    axis = np.linspace(-half, half, count, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


_BODY_POINTS = _lattice(0.8, 6)
_PROP_POINTS = _lattice(0.75, 6)


def _in_frame(points: Floats) -> Bools:
    return np.asarray(((points > 0) & (points < 1)).all(axis=1))


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
    shape, own = SHAPE_TABLE[body.shape], to_own(points, body.pose)
    hidden = shape.distance(*own) < 0
    for part in body.parts:
        hidden |= part_covers(part, shape, *own)
    for other in before:
        hidden |= covers(other, points)
    return float((_in_frame(points) & ~hidden).mean())


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


Item = TypeVar("Item")
PART_PROBABILITY = 0.09
PLAIN_PROBABILITY = 0.65
OCCLUDER_PROBABILITY = 0.25
MOST_DISTRACTORS = 3
SCALE = (0.3, 0.39)
TURN = 0.25
GRAIN = (0.008, 0.03)
DARK_TONED = ("yellow", "orange")  # too bright for a lighter second tone
BODY_VISIBLE, PART_VISIBLE = 0.72, 0.7
_ATTEMPTS = 6


class Chance:
    """Random choices from one generator; numbers are drawn in blocks because single draws are slow."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._numbers: list[float] = []

    def unit(self) -> float:
        """Draw a number in [0, 1)."""
        if not self._numbers:
            self._numbers = self._rng.random(96).tolist()
        return self._numbers.pop()

    def between(self, low: float, high: float) -> float:
        """Draw a number from ``low`` to ``high``."""
        return low + (high - low) * self.unit()

    def one_of(self, items: Sequence[Item]) -> Item:
        """Draw one of ``items``."""
        return items[int(self.unit() * len(items))]


@dataclass(frozen=True)
class _Attributes:
    """What rules are about."""

    shape: str
    colour: str
    texture: str
    parts: tuple[str, ...]
    background: str

    def concepts(self) -> frozenset[str]:
        parts = (f"part:{part}" for part in self.parts)
        named = (f"shape:{self.shape}", f"colour:{self.colour}", f"texture:{self.texture}")
        return frozenset((*named, *parts, f"background:{self.background}"))


def sample_scene(rng: np.random.Generator, label: int, rules: tuple[Rule, ...]) -> Scene:
    """Draw a scene that satisfies the rule of ``label`` and no other of ``rules``."""
    chance = Chance(rng)
    attributes = _attributes(chance, label, rules)
    body = _body(chance, attributes)
    occluder = _occluder(chance, body)
    return Scene(
        label=label,
        backdrop=Backdrop(attributes.background, chance.between(0.38, 0.62), tuple(chance.unit() for _ in range(8))),
        body=body,
        distractors=_distractors(chance, body),
        occluder=occluder,
        light=Light(
            angle=chance.between(pi / 8, 7 * pi / 8),
            gain=chance.between(0.78, 1.12),
            warmth=chance.between(-0.09, 0.09),
            falloff=chance.between(0.0, 0.3),
            grain=chance.between(*GRAIN),
            grain_seed=int(chance.unit() * 2**53),
        ),
    )


def _attributes(chance: Chance, label: int, rules: tuple[Rule, ...]) -> _Attributes:
    """Draw until exactly the rule of ``label`` holds (about every second draw does)."""
    wanted = dict(name.split(":") for name in rules[label].concepts)
    others = [rule for rule in rules if rule is not rules[label]]
    while True:
        drawn = _draw_attributes(chance, wanted)
        concepts = drawn.concepts()
        if not any(rule.holds(concepts) for rule in others):
            return drawn


def _draw_attributes(chance: Chance, wanted: dict[str, str]) -> _Attributes:
    def pick(family: str, values: tuple[str, ...]) -> str:
        return wanted.get(family) or chance.one_of(values)

    parts = tuple(part for part in PARTS if wanted.get("part") == part or chance.unit() < PART_PROBABILITY)
    plain = "plain" if chance.unit() < PLAIN_PROBABILITY else chance.one_of(TEXTURES)
    return _Attributes(
        pick("shape", SHAPES),
        pick("colour", COLOURS),
        wanted.get("texture") or plain,
        parts,
        pick("background", BACKGROUNDS),
    )


def _body(chance: Chance, attributes: _Attributes) -> Body:
    rgb = shade_of(attributes.colour, *(chance.between(-1, 1) for _ in range(3)))
    texture = Texture(
        attributes.texture,
        second_tone(rgb, chance.between(0.62, 0.86), light=chance.unit() < 0.8 and attributes.colour not in DARK_TONED),
        chance.between(0.56, 0.66),
        chance.between(-0.4, 0.4),
        (chance.between(-0.5, 0.5), chance.between(-0.5, 0.5)),
    )
    pose = _pose(chance, attributes)
    return Body(attributes.shape, attributes.colour, rgb, texture, attributes.parts, chance.unit(), pose)


def _pose(chance: Chance, attributes: _Attributes) -> Pose:
    """Draw a pose that keeps the body and its parts in the frame."""
    left, top, right, bottom = reach(attributes.parts, SHAPE_TABLE[attributes.shape])
    scale = min(chance.between(*SCALE), 0.94 / max(right - left, bottom - top))
    angle = chance.between(-TURN, TURN)
    c, s = abs(cos(angle)), abs(sin(angle))
    middle = (scale * -sin(angle) * (top + bottom) / 2, scale * cos(angle) * (top + bottom) / 2)
    wide, high = (right - left) / 2, (bottom - top) / 2
    x = _place(chance, scale * (c * wide + s * high)) - middle[0]
    y = _place(chance, scale * (s * wide + c * high)) - middle[1]
    return Pose(x, y, angle, scale)


def _place(chance: Chance, half: float) -> float:
    """Draw the centre of something ``half`` to either side, anywhere it stays within the frame."""
    room = max(0.0, 0.5 - half)
    return 0.5 + chance.between(-room, room)


def _distractors(chance: Chance, body: Body) -> tuple[Prop, ...]:
    """Draw none to MOST_DISTRACTORS different things, most of them beside the object."""
    count = int(chance.unit() * (MOST_DISTRACTORS + 1))
    kinds = sorted(DISTRACTORS, key=lambda _: chance.unit())[:count]
    return tuple(_distractor(chance, kind, body) for kind in kinds)


def _distractor(chance: Chance, kind: str, body: Body) -> Prop:
    scale, turn = chance.between(0.1, 0.17), chance.between(-0.25, 0.25)
    for _ in range(_ATTEMPTS):
        x, y = chance.between(0.06, 0.94), chance.between(0.08, 0.92)
        if (x - body.pose.x) ** 2 + (y - body.pose.y) ** 2 > (body.pose.scale + 0.6 * scale) ** 2:
            break
    return Prop(kind, Pose(x, y, turn, scale), chance.unit())


def _occluder(chance: Chance, body: Body) -> Prop | None:
    """Draw something before the object that leaves the body and every part recognisable, or nothing."""
    if chance.unit() > OCCLUDER_PROBABILITY:
        return None
    for _ in range(_ATTEMPTS):
        prop = _occluder_anywhere(chance)
        shares = object_visibility(body, prop)
        if shares.pop("body") >= BODY_VISIBLE and all(share >= PART_VISIBLE for share in shares.values()):
            return prop
    return None


def _occluder_anywhere(chance: Chance) -> Prop:
    kind = chance.one_of(OCCLUDERS)
    if kind == "post":
        pose = Pose(chance.between(0.1, 0.9), 0.5, chance.between(-0.2, 0.2), chance.between(0.5, 0.8))
        return Prop(kind, pose, chance.unit())
    side, edge = chance.between(0.05, 0.95), chance.one_of((0.0, 1.0))
    x, y = (edge, side) if chance.unit() < 0.5 else (side, edge)
    towards = np.arctan2(0.5 - y, 0.5 - x) + chance.between(-0.6, 0.6) + pi / 2
    return Prop(kind, Pose(x, y, float(towards), chance.between(0.24, 0.36)), chance.unit())
