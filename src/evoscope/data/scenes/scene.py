"""A scene: the description of an image before it is pixels.

Lengths and positions are in frames (the image's side is 1, the origin top left, y down); angles in radians.
"""

from dataclasses import dataclass

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Pose:
    """Where a thing is: its centre, how far it is turned and the length of its own unit."""

    x: float
    y: float
    angle: float
    scale: float


@dataclass(frozen=True)
class Texture:
    """A pattern of a second tone on a body, laid out in the body's own units."""

    kind: str
    tone: RGB
    period: float
    angle: float
    phase: tuple[float, float]


@dataclass(frozen=True)
class Body:
    """The main object; ``trim`` (0 to 1) varies the colours of its parts."""

    shape: str
    colour: str
    rgb: RGB
    texture: Texture
    parts: tuple[str, ...]
    trim: float
    pose: Pose


@dataclass(frozen=True)
class Prop:
    """A distractor behind the main object, or an occluder before it; ``shade`` (0 to 1) varies its colour."""

    kind: str
    pose: Pose
    shade: float


@dataclass(frozen=True)
class Backdrop:
    """The background: the height of its ``horizon`` in frames, and numbers in [0, 1) it is free to use."""

    kind: str
    horizon: float
    variations: tuple[float, ...]


@dataclass(frozen=True)
class Light:
    """Where light comes from, how bright and warm it is, how it falls off; and the grain of the image."""

    angle: float
    gain: float
    warmth: float
    falloff: float
    grain: float
    grain_seed: int


@dataclass(frozen=True)
class Stamp:
    """The planted confounder; ``disagrees`` where its colour is not that of the image's class."""

    colour: str
    x: float
    y: float
    size: float
    disagrees: bool


@dataclass(frozen=True)
class Scene:
    """All there is to know of one image."""

    label: int
    backdrop: Backdrop
    body: Body
    distractors: tuple[Prop, ...]
    occluder: Prop | None
    light: Light
    stamp: Stamp | None = None

    def concepts(self) -> frozenset[str]:
        """Every concept in the description, hidden or not."""
        body = self.body
        names = [f"shape:{body.shape}", f"colour:{body.colour}", f"texture:{body.texture.kind}"]
        names += [f"part:{part}" for part in body.parts]
        names += [f"background:{self.backdrop.kind}"]
        names += [f"distractor:{prop.kind}" for prop in self.distractors]
        names += [f"occluder:{self.occluder.kind}"] if self.occluder else []
        names += [f"confounder:{self.stamp.colour}"] if self.stamp else []
        return frozenset(names)
