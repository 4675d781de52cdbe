"""The generated data set: images that are drawn when read, their ground truth, and baselines on their pixels."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from evoscope.arrays import Array, Bools, Bytes, Floats, Ints
from evoscope.data.images import SQUASH, ConceptTable, Fit, ImageSet, digest
from evoscope.data.scenes.objects import BEHIND, PART_PAINTERS, SHAPE_TABLE, box, paint_prop, reach
from evoscope.data.scenes.painting import Canvas, Patch, coverage, grain, mix, paint_background, pattern, stamp_rgb
from evoscope.data.scenes.sample import sample_scene, visible_concepts
from evoscope.data.scenes.scene import RGB, Body, Light, Pose, Scene, Stamp
from evoscope.data.scenes.vocabulary import STAMPS, concept_names, rules, stamp_names
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator

OUTLINE = 0.018
SHADOW = (0.022, 0.032)
INK: RGB = (0.1, 0.08, 0.14)


def draw(scene: Scene, pixels: int) -> Bytes:
    """Draw the scene as an RGB image, uint8 [pixels, pixels, 3]; the same picture at every size."""
    return _paint(scene, pixels, with_owner=False).bytes()


def masks(scene: Scene, pixels: int) -> dict[str, Bools]:
    """Tell where each concept of the scene is to be seen, bool [pixels, pixels] by concept name.

    A pixel belongs to whatever covers most of it, after occlusion. Shape, colour and texture share the pixels
    of the body that no part covers; a concept that is wholly hidden has an empty mask.
    """
    owned = _paint(scene, pixels, with_owner=True).owned()
    body = owned.get("body", np.zeros((pixels, pixels), bool))
    shared = {f"shape:{scene.body.shape}", f"colour:{scene.body.colour}", f"texture:{scene.body.texture.kind}"}
    result = {}
    for name in sorted(scene.concepts()):
        if name in shared:
            result[name] = body
        elif name.startswith("background:"):
            result[name] = owned[""]
        else:
            result[name] = owned.get(name, np.zeros((pixels, pixels), bool))
    return result


def _paint(scene: Scene, pixels: int, with_owner: bool) -> Canvas:
    canvas = Canvas.blank(pixels, with_owner)
    paint_background(canvas, scene.backdrop)
    for prop in scene.distractors:
        paint_prop(canvas, prop, "distractor")
    _paint_object(canvas, scene.body, scene.light)
    if scene.occluder:
        paint_prop(canvas, scene.occluder, "occluder")
    _illuminate(canvas, scene.light)
    if scene.stamp:
        _paint_stamp(canvas, scene.stamp)
    return canvas


def _paint_object(canvas: Canvas, body: Body, light: Light) -> None:
    shape = SHAPE_TABLE[body.shape]
    patch = canvas.patch(body.pose, reach(body.parts, shape))
    _paint_shadow(canvas, body, light)
    for part in body.parts:
        if part in BEHIND:
            PART_PAINTERS[part](canvas, patch, shape, body.trim)
    _paint_body(canvas, body, light)
    for part in body.parts:
        if part not in BEHIND:
            PART_PAINTERS[part](canvas, patch, shape, body.trim)


def _paint_shadow(canvas: Canvas, body: Body, light: Light) -> None:
    side = -np.sign(np.cos(light.angle)) or 1.0
    pose = Pose(body.pose.x + side * SHADOW[0], body.pose.y + SHADOW[1], body.pose.angle, body.pose.scale)
    patch = canvas.patch(pose, (-1.1, -1.1, 1.1, 1.1))
    distance = SHAPE_TABLE[body.shape].distance(patch.u, patch.v)
    canvas.paint(patch, np.float32(0.34) * np.clip(0.5 - distance * np.float32(4.0), 0, 1), INK)


def _paint_body(canvas: Canvas, body: Body, light: Light) -> None:
    patch = canvas.patch(body.pose, (-1.0, -1.0, 1.0, 1.0))
    distance = SHAPE_TABLE[body.shape].distance(patch.u, patch.v)
    canvas.paint(patch, coverage(distance, patch.pixel), mix(body.rgb, INK, 0.75), "body")
    inner = coverage(distance + np.float32(OUTLINE / body.pose.scale), patch.pixel)
    canvas.paint(patch, inner, _skin(body, patch, distance, light), "body")


def _skin(body: Body, patch: Patch, distance: Floats, light: Light) -> Floats:
    """Shade the body: brighter towards the light, darker at the rim; float32 [3, height, width]."""
    rgb = np.array(body.rgb, np.float32)[:, None, None]
    share = pattern(body.texture, patch.u, patch.v, patch.pixel)
    if share is not None:
        rgb = rgb + share * (np.array(body.texture.tone, np.float32)[:, None, None] - rgb)
    turned = light.angle - body.pose.angle
    towards = patch.u * np.float32(np.cos(turned)) - patch.v * np.float32(np.sin(turned))
    rim = np.clip(distance * np.float32(4.0) + 1, 0, 1)
    return np.asarray(rgb * (1 + np.float32(0.17) * towards - np.float32(0.16) * rim * rim))


def _illuminate(canvas: Canvas, light: Light) -> None:
    """Exposure, tint, fall-off away from the light, and grain."""
    whole = canvas.whole()
    x, y = np.float32(np.cos(light.angle) * light.falloff), np.float32(-np.sin(light.angle) * light.falloff)
    level = np.float32(light.gain) + x * (whole.u - np.float32(0.5)) + y * (whole.v - np.float32(0.5))
    tint = np.array([1 + light.warmth, 1.0, 1 - light.warmth], np.float32)[:, None, None]
    canvas.colour *= level * tint
    canvas.colour += np.float32(light.grain) * grain(light.grain_seed, canvas.pixels)


def _paint_stamp(canvas: Canvas, stamp: Stamp) -> None:
    patch = canvas.patch(Pose(stamp.x, stamp.y, 0.0, stamp.size), (-1.0, -1.0, 1.0, 1.0))
    distance = box(patch.u, patch.v, 0.7, 0.7) - np.float32(0.3)
    tag = f"confounder:{stamp.colour}"
    canvas.paint(patch, coverage(distance, patch.pixel), (1.0, 1.0, 1.0), tag)
    canvas.paint(patch, coverage(distance + np.float32(0.15), patch.pixel), stamp_rgb(stamp.colour), tag)


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
            raise EvoscopeError(f"confounder size {self.size} is out of range", "give more than 0, up to 0.25")


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
        return int(self._order(block)[place])

    def labels(self, images: int) -> Ints:
        """Classes of the first images, int64 [images]."""
        return np.concatenate([self._order(block) for block in range(-(-images // self.classes))])[:images]

    def _order(self, block: int) -> Ints:
        return generator(self.seed, "scenes", self.split, "labels", block).permutation(self.classes)

    def scene(self, index: int) -> Scene:
        """Describe image ``index``; the stamp changes nothing else in it."""
        rng = generator(self.seed, "scenes", self.split, index)
        scene = sample_scene(rng, self.label(index), rules(self.classes))
        return replace(scene, stamp=self.stamp(index, scene.label)) if self.confounder else scene

    def stamp(self, index: int, label: int) -> Stamp:
        """The stamp that image ``index`` of class ``label`` bears; there must be a confounder."""
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


def concept_scenes(split: str, images: int, classes: int, seed: int, confounder: Confounder | None = None) -> ImageSet:
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
    if split not in SPLITS:
        raise EvoscopeError(f"concept_scenes has no split '{split}'", f"ask for one of {', '.join(SPLITS)}")
    if images < 1:
        raise EvoscopeError(f"{images} images were asked of concept_scenes", "ask for 1 or more")
    source = SceneSource(split, classes, seed, confounder)
    class_names = tuple(rule.name for rule in rules(classes))
    names = concept_names() + (stamp_names() if confounder else ())
    return ImageSet(
        name="concept_scenes",
        split=split,
        class_names=class_names,
        ids=tuple(f"{split}-{index:06d}" for index in range(images)),
        labels=source.labels(images),
        rows=np.arange(images, dtype=np.int64),
        source=source,
        fingerprint=digest("concept_scenes", str(GENERATOR_VERSION), repr(source), str(images)),
        # Describing thousands of scenes takes seconds, and plans do not read the table.
        concepts=ConceptTable(names, partial(_present, source, images, names)),
    )


def _present(source: SceneSource, images: int, names: tuple[str, ...]) -> Bools:
    """Which of the concepts ``names`` are visible in each of the first images, bool [images, concepts]."""
    column = {name: place for place, name in enumerate(names)}
    present = np.zeros((images, len(names)), bool)
    for row in range(images):
        present[row, [column[name] for name in visible_concepts(source.scene(row))]] = True
    return present


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
    if source.confounder is None or len(images) == 0:
        return np.zeros(len(images), bool)
    # A stamp is drawn apart from the rest of its scene, which takes long to describe.
    labels = source.labels(int(images.rows.max()) + 1)
    return np.array([source.stamp(int(row), int(labels[row])).disagrees for row in images.rows], bool)


HISTOGRAM_BINS = 8
_ITERATIONS = 300
_TOLERANCE = 1e-3
_STRENGTHS = (1e-3, 1e-2, 1e-1)


def pixel_baseline(train: ImageSet, test: ImageSet, pixels: int, seed: int) -> float:
    """Test accuracy of logistic regression on raw pixels.

    Parameters
    ----------
    train, test : images with the same classes.
    pixels : side at which the images are drawn.
    seed : of the solver.

    Returns
    -------
    Share of the test images classified correctly, 0 to 1.
    """
    features = [_stack(images, pixels).reshape(len(images), -1) / np.float32(255) for images in (train, test)]
    return _accuracy(features, train, test, seed)


def histogram_baseline(train: ImageSet, test: ImageSet, pixels: int, seed: int) -> float:
    """Test accuracy of logistic regression on joint colour histograms (8 x 8 x 8 bins of RGB).

    Parameters and result are those of `pixel_baseline`.
    """
    features = [np.stack([colour_histogram(image) for image in _stack(x, pixels)]) for x in (train, test)]
    return _accuracy(features, train, test, seed)


def colour_histogram(image: Bytes) -> Floats:
    """Share of the pixels of ``image`` [height, width, 3] in each RGB cell, float32 [512], square-rooted.

    The root evens out the weights of large and small areas (Hellinger kernel).
    """
    cells = (image.astype(np.int64) * HISTOGRAM_BINS) // 256
    flat = (cells @ np.array([HISTOGRAM_BINS**2, HISTOGRAM_BINS, 1])).ravel()
    counts = np.bincount(flat, minlength=HISTOGRAM_BINS**3)
    return np.asarray(np.sqrt(counts / flat.size), np.float32)


def _stack(images: ImageSet, pixels: int) -> Bytes:
    return np.stack([images.read(index, pixels) for index in range(len(images))])


def _accuracy(features: list[Array], train: ImageSet, test: ImageSet, seed: int) -> float:
    """Best over a few strengths of regularisation, so that the baseline is not weak by neglect."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scores = []
    for strength in _STRENGTHS:
        solver = LogisticRegression(C=strength, max_iter=_ITERATIONS, tol=_TOLERANCE, random_state=seed)
        model = make_pipeline(StandardScaler(), solver).fit(features[0], train.labels)
        scores.append(float(model.score(features[1], test.labels)))
    return max(scores)
