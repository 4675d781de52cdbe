"""The generated data set: an ImageSet whose images are drawn when read, with its ground truth."""

from dataclasses import dataclass, replace

import numpy as np

from evoscope.arrays import Bools, Bytes, Ints
from evoscope.data.images import SQUASH, ConceptTable, Fit, ImageSet, digest
from evoscope.data.scenes.draw import draw, masks
from evoscope.data.scenes.sample import sample_scene
from evoscope.data.scenes.scene import Scene, Stamp
from evoscope.data.scenes.visibility import visible_concepts
from evoscope.data.scenes.vocabulary import STAMPS, concept_names, rules, stamp_names
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator

GENERATOR_VERSION = 5
SPLITS = ("train", "test", "pool")


@dataclass(frozen=True)
class Confounder:
    """A planted shortcut: a small stamp in every image whose colour is tied to the class.

    ``probability`` that the colour is drawn at random from those of all classes instead (0: colour and
    class are one to one; 1: independent); ``size``: half its side, in frames; ``place``: its mean centre;
    ``jitter``: how far it strays from there.

    Raises
    ------
    EvoscopeError : if a number is out of its range.
    """

    probability: float
    size: float = 0.06
    place: tuple[float, float] = (0.86, 0.86)
    jitter: float = 0.04

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise EvoscopeError(f"confounder probability {self.probability} is no probability", "give 0 to 1")
        if not 0 < self.size <= 0.25:
            raise EvoscopeError(
                f"confounder size {self.size} is out of range", "give more than 0, up to 0.25"
            )


@dataclass(frozen=True)
class SceneSource:
    """Draws image ``index`` of a split; everything about it follows from (seed, split, index, classes)."""

    split: str
    classes: int
    seed: int
    confounder: Confounder | None = None

    def label(self, index: int) -> int:
        """Class of an image: each run of ``classes`` images holds every class once, in random order."""
        block, place = divmod(index, self.classes)
        order = generator(self.seed, "scenes", self.split, "labels", block).permutation(self.classes)
        return int(order[place])

    def scene(self, index: int) -> Scene:
        """Describe image ``index``; the stamp changes nothing else in it."""
        rng = generator(self.seed, "scenes", self.split, index)
        scene = sample_scene(rng, self.label(index), rules(self.classes))
        return replace(scene, stamp=self._stamp(index, scene.label)) if self.confounder else scene

    def _stamp(self, index: int, label: int) -> Stamp:
        assert self.confounder is not None
        rng = generator(self.seed, "scenes", self.split, "stamp", index)
        noisy, other, dx, dy = rng.random(), int(rng.integers(self.classes)), *rng.uniform(-1, 1, 2)
        tied = other if noisy < self.confounder.probability else label
        x, y = self.confounder.place
        jitter = self.confounder.jitter
        return Stamp(STAMPS[tied], x + jitter * dx, y + jitter * dy, self.confounder.size, tied != label)

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """Image ``index``, uint8 [pixels, pixels, 3]; scenes are square, so ``fit`` changes nothing."""
        return draw(self.scene(index), pixels)

    def masks(self, index: int, pixels: int) -> dict[str, Bools]:
        """Visible pixels of each concept in image ``index``, bool [pixels, pixels] by name."""
        return masks(self.scene(index), pixels)


def concept_scenes(
    split: str, images: int, classes: int, seed: int, confounder: Confounder | None = None
) -> ImageSet:
    """Images composed of known concepts, with their concept table.

    Parameters
    ----------
    split : ``train``, ``test`` or ``pool``: independent streams of scenes.
    images : how many; a larger set begins with the smaller one.
    classes : 2 to 24, the first rules of the vocabulary.
    seed : of all scenes.
    confounder : a stamp whose colour is tied to the class; None plants none.

    Raises
    ------
    EvoscopeError : if an argument is out of its range.
    """
    _check(split, images)
    source = SceneSource(split, classes, seed, confounder)
    class_names = tuple(rule.name for rule in rules(classes))
    scenes = [source.scene(index) for index in range(images)]
    return ImageSet(
        name="concept_scenes",
        split=split,
        class_names=class_names,
        ids=tuple(f"{split}-{index:06d}" for index in range(images)),
        labels=np.array([scene.label for scene in scenes], np.int64),
        rows=np.arange(images, dtype=np.int64),
        source=source,
        fingerprint=digest("concept_scenes", str(GENERATOR_VERSION), repr(source), str(images)),
        concepts=_table(scenes, confounder is not None),
    )


def _check(split: str, images: int) -> None:
    if split not in SPLITS:
        raise EvoscopeError(f"concept_scenes has no split '{split}'", f"ask for one of {', '.join(SPLITS)}")
    if images < 1:
        raise EvoscopeError(f"{images} images were asked of concept_scenes", "ask for 1 or more")


def _table(scenes: list[Scene], stamped: bool) -> ConceptTable:
    names = concept_names() + (stamp_names() if stamped else ())
    column = {name: place for place, name in enumerate(names)}
    present = np.zeros((len(scenes), len(names)), bool)
    for row, scene in enumerate(scenes):
        present[row, [column[name] for name in visible_concepts(scene)]] = True
    return ConceptTable(names, present)


def scene_source(images: ImageSet) -> SceneSource:
    """Give the source of a concept_scenes set, typed.

    Raises
    ------
    EvoscopeError : if the images are of another kind, so their concepts are not known.
    """
    if not isinstance(images.source, SceneSource):
        raise EvoscopeError(f"'{images.name}' has no scene descriptions", "use data=concept_scenes")
    return images.source


def stamp_disagrees(images: ImageSet) -> Bools:
    """Tell which images bear a stamp of another class's colour, bool [images]."""
    source = scene_source(images)
    stamps = (source.scene(int(row)).stamp for row in images.rows)
    return np.array([stamp is not None and stamp.disagrees for stamp in stamps], bool)


def rule_concepts(images: ImageSet) -> Ints:
    """Pair each class with the concepts that define it, int64 [pairs, 2] of (label, column of the table)."""
    assert images.concepts is not None
    names = images.concepts.names
    pairs = [
        (label, names.index(concept))
        for label, rule in enumerate(rules(len(images.class_names)))
        for concept in sorted(rule.concepts)
    ]
    return np.array(pairs, np.int64)
