"""What studies are designed from: neurons with example patches, concepts with images, and synthetic pools of both."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from evoscope.arrays import Bools, Bytes, Doubles, Floats, Ints
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator


@dataclass(frozen=True)
class NeuronPool:
    """Neurons of several models at several epochs, placed in one space.

    ``ids`` [n]: unique; ``vectors``: float32 [n, dim], NaN rows for unplaced neurons; ``model``, ``layer`` [n];
    ``epoch``, ``channel``: int64 [n]; ``patches``: uint8 [n, k, side, side, 3], most exciting first. The layers of
    a model appear in the order of their depth. ``photos``: int64 [n, k], the photograph that each patch is cut of, -1
    for no patch; [0, 0] where that is not known.
    """

    ids: tuple[str, ...]
    vectors: Floats
    model: tuple[str, ...]
    epoch: Ints
    layer: tuple[str, ...]
    channel: Ints
    patches: Bytes
    photos: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))

    def __post_init__(self) -> None:
        parts = (self.vectors, self.model, self.epoch, self.layer, self.channel, self.patches)
        _check("neuron pool", self.ids, [len(part) for part in parts], self.patches)
        if self.photos.size and self.photos.shape != self.patches.shape[:2]:
            raise EvoscopeError(
                f"the photographs of a neuron pool are {list(self.photos.shape)}",
                "give one of every patch: [entries, pictures]",
            )


@dataclass(frozen=True)
class ConceptPool:
    """Concepts (directions, neurons, random directions), each with the images that show it best.

    ``ids`` [n]: unique; ``condition`` [n]: ``svd``, ``neuron``, ``random`` or a name of one's own; ``layer`` [n];
    ``label`` [n]: a name for the concept, "" where none is known; ``vectors``: float32 [n, dim];
    ``images``: uint8 [n, k, side, side, 3], best first; ``names`` [c] and ``shows``, bool [n, k, c]: which known
    concepts each image shows, by which keys are checked; without names nothing is known.
    """

    ids: tuple[str, ...]
    condition: tuple[str, ...]
    layer: tuple[str, ...]
    label: tuple[str, ...]
    vectors: Floats
    images: Bytes
    names: tuple[str, ...] = ()
    shows: Bools = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=bool))

    def __post_init__(self) -> None:
        parts = (self.condition, self.layer, self.label, self.vectors, self.images)
        _check("concept pool", self.ids, [len(part) for part in parts], self.images)
        if self.names and self.shows.shape != (*self.images.shape[:2], len(self.names)):
            raise EvoscopeError(
                f"what the images of a concept pool show is {list(self.shows.shape)}",
                "give bool of [entries, pictures, names]",
            )

    def count(self, row: int, label: str, pictures: int) -> int | None:
        """How many of the first ``pictures`` of a row show what ``label`` names; None where nothing tells."""
        if label not in self.names:
            return None
        return int(self.shows[row, :pictures, self.names.index(label)].sum())


def _check(what: str, ids: tuple[str, ...], lengths: list[int], pictures: Bytes) -> None:
    if len(set(ids)) < len(ids) or set(lengths) != {len(ids)}:
        raise EvoscopeError(
            f"a {what} has {len(ids)} ids and columns of {sorted(set(lengths))}",
            "give every entry one id of its own and one row in every column",
        )
    if pictures.ndim != 5 or pictures.shape[-1] != 3 or pictures.dtype != np.uint8:
        raise EvoscopeError(
            f"the pictures of a {what} are {pictures.dtype} {list(pictures.shape)}",
            "give uint8 of [entries, pictures, side, side, 3]",
        )


def placed(pool: NeuronPool | ConceptPool) -> Bools:
    """Which entries have a finite, non-zero vector."""
    finite = np.isfinite(pool.vectors).all(axis=1)
    return np.asarray(finite & (np.abs(np.nan_to_num(pool.vectors)).sum(axis=1) > 0))


def cosines(vectors: Floats, to: int) -> Doubles:
    """Cosine of every row of ``vectors`` [n, dim] with row ``to``; NaN for rows without a direction."""
    wide = vectors.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(unit @ unit[to])


def depths(pool: NeuronPool) -> Doubles:
    """Relative depth [n] of each neuron's layer in its model, 0 the first and 1 the last; an only layer is the last."""
    order: dict[str, dict[str, int]] = {}
    for model, layer in zip(pool.model, pool.layer, strict=True):
        seen = order.setdefault(model, {})
        seen.setdefault(layer, len(seen))
    pairs = zip(pool.model, pool.layer, strict=True)
    return np.array([order[m][name] / (len(order[m]) - 1) if len(order[m]) > 1 else 1.0 for m, name in pairs])


def disjoint(photos: Ints, rows: Sequence[int], count: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Panels of ``rows`` of which no two show a photograph twice, of at most ``count`` patches, all as many.

    The panels take their best photograph that is left in turns, and another begins each round.
    """
    used, taken = set[int](), [list[tuple[int, int]]() for _ in rows]
    for turn in range(count):
        order = [(turn + place) % len(rows) for place in range(len(rows))]
        for place in order:
            own = photos[rows[place]]
            rank = next((r for r, photo in enumerate(own) if photo >= 0 and int(photo) not in used), None)
            if rank is None:
                break
            used.add(int(own[rank]))
            taken[place].append((rows[place], rank))
    least = min(map(len, taken))
    if not least:
        raise EvoscopeError(
            f"the photographs of {len(rows)} neurons do not suffice for a set of each",
            "give more held-out images, or protocol as_released",
        )
    return tuple(tuple(each[:least]) for each in taken)


# Synthetic pools show known concepts, to try the whole chain without any network.
COLOURS = {
    "red": (206, 60, 54),
    "green": (62, 142, 84),
    "blue": (58, 94, 178),
    "yellow": (226, 182, 52),
    "purple": (126, 78, 150),
    "grey": (128, 128, 128),
}
SHAPES = ("disc", "square", "stripes", "cross")
CONCEPTS = tuple(f"{colour} {shape}" for shape in SHAPES for colour in COLOURS)


def synthetic_neurons(seed: int, models: int = 2, epochs: int = 3, per_concept: int = 2, side: int = 32) -> NeuronPool:
    """Neurons of known concepts: every model has, at every epoch, ``per_concept`` neurons of each, in two layers."""
    stream = generator(seed, "drawn neurons")
    axes = list(product(range(models), range(2), range(epochs), range(per_concept), range(len(CONCEPTS))))
    channels = [copy * len(CONCEPTS) + concept for *_, copy, concept in axes]
    names = [
        f"net{model}/{epoch}/layer{layer}/{ch}" for (model, layer, epoch, *_), ch in zip(axes, channels, strict=True)
    ]
    concepts = [concept for *_, concept in axes]
    return NeuronPool(
        tuple(names),
        _vectors(concepts, stream),
        tuple(f"net{model}" for model, *_ in axes),
        np.array([epoch for _, _, epoch, *_ in axes]),
        tuple(f"layer{layer}" for _, layer, *_ in axes),
        np.array(channels),
        np.stack([_pictures(concept, 9, side, stream) for concept in concepts]),
        # Every picture is drawn anew.
        np.arange(9 * len(concepts)).reshape(-1, 9),
    )


def synthetic_concepts(seed: int, side: int = 64) -> ConceptPool:
    """Concepts of three conditions: ``svd`` shows one thing, ``neuron`` mostly, ``random`` anything."""
    stream = generator(seed, "drawn concepts")
    rows = [(name, concept) for name in ("svd", "neuron", "random") for concept in range(len(CONCEPTS))]
    purity = {"svd": 1.0, "neuron": 0.7, "random": 0.0}
    shown, images = np.zeros((len(rows), 6, len(CONCEPTS)), dtype=bool), []
    for row, (name, concept) in enumerate(rows):
        pictures = []
        for place in range(6):
            drawn = concept if stream.random() < purity[name] else int(stream.integers(len(CONCEPTS)))
            shown[row, place, drawn] = True
            pictures.append(_pictures(drawn, 1, side, stream))
        images.append(np.concatenate(pictures))
    return ConceptPool(
        tuple(f"{name}-{concept}" for name, concept in rows),
        tuple(name for name, _ in rows),
        ("layer1",) * len(rows),
        tuple(CONCEPTS[concept] if name != "random" else "" for name, concept in rows),
        _vectors([concept for _, concept in rows], stream),
        np.stack(images),
        CONCEPTS,
        shown,
    )


def _vectors(concepts: list[int], stream: np.random.Generator) -> Floats:
    centres = stream.normal(size=(len(CONCEPTS), 12))
    return (centres[concepts] + 0.3 * stream.normal(size=(len(concepts), 12))).astype(np.float32)


def _pictures(concept: int, count: int, side: int, stream: np.random.Generator) -> Bytes:
    colour, shape = CONCEPTS[concept].split(" ")
    return np.stack([_picture(COLOURS[colour], shape, side, stream) for _ in range(count)])


def _picture(colour: tuple[int, int, int], shape: str, side: int, stream: np.random.Generator) -> Bytes:
    y, x = np.mgrid[:side, :side] / side - 0.5 - stream.uniform(-0.15, 0.15, size=(2, 1, 1))
    ground = stream.integers(180, 250) + stream.normal(0, 8, size=(side, side, 3))
    size = stream.uniform(0.22, 0.34)
    inside = {
        "disc": x**2 + y**2 < size**2,
        "square": np.maximum(abs(x), abs(y)) < size,
        "stripes": np.floor((x + y) * 12) % 2 == 0,
        "cross": (np.minimum(abs(x), abs(y)) < size / 3) & (np.maximum(abs(x), abs(y)) < size),
    }[shape]
    picture = np.where(inside[..., None], np.array(colour) + stream.normal(0, 10, size=(side, side, 3)), ground)
    return np.clip(picture, 0, 255).astype(np.uint8)
