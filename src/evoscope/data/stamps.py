"""A coloured stamp on every image of any set, whose colour codes the class except where it is redrawn (CDISCO).

The published set is two classes of Imagenette with a stamp near the centre. The stamps of the drawn scenes are part
of their scenes: see `evoscope.data.scenes.Confounder`.
"""

from dataclasses import dataclass, replace

import numpy as np

from evoscope.arrays import Bools, Bytes
from evoscope.data import scenes
from evoscope.data.images import SQUASH, Fit, ImageSet, digest
from evoscope.data.scenes.painting import stamp_rgb
from evoscope.data.scenes.vocabulary import HUES, STAMPS
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator


@dataclass(frozen=True)
class Stamps:
    """How stamps are drawn.

    ``probability`` that a stamp's colour is drawn at random from those of all classes (0: colour and class are one;
    1: independent); ``seed``: with an image's id it decides that image's stamp; ``size``: half the side, in frames;
    ``jitter``: how far the middle strays from the middle of the image, in frames.

    Raises
    ------
    EvoscopeError : a number is out of its range.
    """

    probability: float
    seed: int = 0
    size: float = 0.08
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise EvoscopeError(f"stamp probability {self.probability} is no probability", "give 0 to 1")
        if not 0 < self.size <= 0.25 or not 0 <= self.jitter <= 0.5 - self.size:
            raise EvoscopeError(
                f"a stamp of size {self.size} with jitter {self.jitter} does not stay in the image",
                "give a size up to 0.25, and a jitter up to 0.5 less the size",
            )


@dataclass(frozen=True)
class StampedSource:
    """Reads images of another set and draws their stamps on them."""

    images: ImageSet
    stamps: Stamps

    @property
    def thread_safe(self) -> bool:
        """Whether several threads may read at once: as the images themselves."""
        return bool(getattr(self.images.source, "thread_safe", False))

    def stamp(self, index: int) -> tuple[int, float, float]:
        """Draw the stamp of an image: the class whose colour it has, and its middle (x, y) in frames.

        The same draws serve every probability, so redrawn stamps are nested.
        """
        rng = generator(self.stamps.seed, "stamp", self.images.ids[index])
        redrawn, other = rng.random(), int(rng.integers(len(self.images.class_names)))
        x, y = 0.5 + self.stamps.jitter * rng.uniform(-1, 1, 2)
        code = other if redrawn < self.stamps.probability else int(self.images.labels[index])
        return code, float(x), float(y)

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """Image ``index`` of the set with its stamp, uint8 [pixels, pixels, 3]."""
        square, (code, x, y) = self.images.read(index, pixels, fit).copy(), self.stamp(index)
        middle = (np.arange(pixels) + 0.5) / pixels
        across, down = (np.abs(middle - place) <= self.stamps.size for place in (x, y))
        square[np.ix_(down, across)] = stamp_colour(code, len(self.images.class_names))
        return square


def stamped(images: ImageSet, stamps: Stamps) -> ImageSet:
    """Draw a stamp on every image of a set when it is read; ids, labels and order stay.

    Raises
    ------
    EvoscopeError : there are more classes than colours.
    """
    if len(images.class_names) > len(STAMPS):
        raise EvoscopeError(
            f"{images.name} has {len(images.class_names)} classes, but there are {len(STAMPS)} stamp colours",
            "choose fewer classes, two for instance (outlier.classes=[...])",
        )
    return replace(
        images,
        name=f"{images.name}, stamped",
        rows=np.arange(len(images), dtype=np.int64),
        source=StampedSource(images, stamps),
        fingerprint=digest(images.fingerprint, repr(stamps)),
    )


def stamp_disagrees(images: ImageSet) -> Bools:
    """Tell which images bear a stamp of another class's colour, bool [images].

    Raises
    ------
    EvoscopeError : neither `stamped` nor the scenes drew these images.
    """
    if not isinstance(images.source, StampedSource):
        return scenes.stamp_disagrees(images)
    codes = [images.source.stamp(int(row))[0] for row in images.rows]
    return np.asarray(np.array(codes, dtype=np.int64) != images.labels)


def only_classes(images: ImageSet, labels: tuple[int, ...]) -> ImageSet:
    """Images of some classes, which are numbered anew in the given order.

    Raises
    ------
    EvoscopeError : fewer than two classes, or one of them has no images.
    """
    if len(set(labels)) < 2 or len(set(labels)) < len(labels):
        raise EvoscopeError(
            f"{len(set(labels))} different classes were chosen among {len(labels)}", "choose two or more, each once"
        )
    kept = images.subset(np.flatnonzero(np.isin(images.labels, labels)))
    new = {label: place for place, label in enumerate(labels)}
    for label in labels:
        if not (kept.labels == label).any():
            raise EvoscopeError(
                f"class {images.class_names[label]!r} has no images in {images.name} {images.split}",
                "choose another class or add images",
            )
    return replace(
        kept,
        class_names=tuple(images.class_names[label] for label in labels),
        labels=np.array([new[int(label)] for label in kept.labels], dtype=np.int64),
        fingerprint=digest(kept.fingerprint, "classes", *map(str, labels)),
    )


def stamp_colour(code: int, classes: int) -> tuple[int, int, int]:
    """Colour that stands for a class among ``classes``, RGB from 0 to 255; few classes have colours far apart."""
    red, green, blue = (round(255 * part) for part in stamp_rgb(STAMPS[code * max(1, len(HUES) // classes)]))
    return red, green, blue
