"""Concepts of known place and share planted on photographs: stamps, borders and tints, whatever the class."""

from dataclasses import dataclass, replace

import numpy as np

from evoscope.arrays import Bools, Bytes
from evoscope.data.images import SQUASH, ConceptTable, Fit, ImageSet, digest
from evoscope.seeds import generator

PLANTED = "planted"
"""In ``data.concepts``: concepts are planted on the photographs, and these are what is known of them."""
STAMPS = {"red": (214, 39, 40), "yellow": (240, 220, 40), "cyan": (40, 200, 220)}
BORDERS = {"white": (255, 255, 255), "black": (0, 0, 0)}
TINTS = {"green": (30, 160, 60), "violet": (130, 50, 180)}
KINDS = {"stamp": STAMPS, "border": BORDERS, "tint": TINTS}
SHARE = 0.3
"""Of the images that bear one of each kind, independently of the class and of the other kinds."""
SIDE, WIDTH, STRENGTH = 0.2, 0.06, 0.35
"""Of a stamp and of a border, in frames; how far a tint turns every pixel to its colour."""


@dataclass(frozen=True)
class Marks:
    """What one image bears, "" for nothing; ``x``, ``y``: the left upper corner of its stamp, in frames."""

    stamp: str
    border: str
    tint: str
    x: float
    y: float

    @property
    def names(self) -> set[str]:
        """Its concepts, as ``stamp:red``."""
        return {f"{kind}:{found}" for kind in KINDS if (found := getattr(self, kind))}


@dataclass(frozen=True)
class PlantedSource:
    """Reads images of another set and draws their marks on them, as the network sees them (after ``fit``)."""

    images: ImageSet
    seed: int

    @property
    def thread_safe(self) -> bool:
        """Whether several threads may read at once: as the images themselves."""
        return bool(getattr(self.images.source, "thread_safe", False))

    def marks(self, index: int) -> Marks:
        """Draw what image ``index`` bears, from its id."""
        rng = generator(self.seed, "planted", self.images.ids[index])
        drawn = {
            kind: str(rng.choice(list(colours))) if rng.random() < SHARE else "" for kind, colours in KINDS.items()
        }
        x, y = rng.uniform(WIDTH, 1 - WIDTH - SIDE, 2)
        return Marks(**drawn, x=float(x), y=float(y))

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """Image ``index`` with its marks, the stamp and the border over the tint, uint8 [pixels, pixels, 3]."""
        square, marks = self.images.read(index, pixels, fit).copy(), self.marks(index)
        if marks.tint:
            mixed = (1 - STRENGTH) * square + STRENGTH * np.array(TINTS[marks.tint])
            square = np.round(mixed).astype(np.uint8)
        for kind, colours in (("stamp", STAMPS), ("border", BORDERS)):
            name = getattr(marks, kind)
            if name:
                square[_shape(kind, marks, pixels)] = colours[name]
        return square

    def masks(self, index: int, pixels: int) -> dict[str, Bools]:
        """Pixels of each concept of image ``index``, bool [pixels, pixels] by its name; a tint has all of them."""
        marks = self.marks(index)
        return {f"{kind}:{name}": _shape(kind, marks, pixels) for kind in KINDS if (name := getattr(marks, kind))}


def planted(images: ImageSet, seed: int) -> ImageSet:
    """The set with marks on its images and the concepts that these are; ids, labels and order stay."""
    source = PlantedSource(images, seed)
    names = tuple(f"{kind}:{name}" for kind, colours in KINDS.items() for name in colours)

    def present() -> Bools:
        borne = (source.marks(row).names for row in range(len(images)))
        return np.array([[name in own for name in names] for own in borne], dtype=bool)

    return replace(
        images,
        name=f"{images.name}, planted",
        rows=np.arange(len(images), dtype=np.int64),
        source=source,
        fingerprint=digest(images.fingerprint, PLANTED, str(seed), repr((KINDS, SHARE, SIDE, WIDTH, STRENGTH))),
        concepts=ConceptTable(names, present),
    )


def _shape(kind: str, marks: Marks, pixels: int) -> Bools:
    """Pixels of the middle of which a mark lies."""
    middle = (np.arange(pixels) + 0.5) / pixels
    if kind == "stamp":
        across, down = ((place <= middle) & (middle < place + SIDE) for place in (marks.x, marks.y))
        return np.asarray(down[:, None] & across[None, :])
    inside = (middle >= WIDTH) & (middle < 1 - WIDTH)
    frame = ~(inside[:, None] & inside[None, :])
    return frame if kind == "border" else np.ones((pixels, pixels), dtype=bool)
