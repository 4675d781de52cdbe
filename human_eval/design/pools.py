"""What studies are designed from: neurons with their example patches, and concepts with their images."""

from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Bools, Bytes, Doubles, Floats, Ints
from evoscope.errors import EvoscopeError


@dataclass(frozen=True)
class NeuronPool:
    """Neurons of several models at several epochs, placed in one space.

    ``ids`` [n]: unique; ``vectors``: float32 [n, dim], NaN rows for unplaced neurons; ``model``, ``layer`` [n];
    ``epoch``, ``channel``: int64 [n]; ``patches``: uint8 [n, k, side, side, 3], most exciting first. The layers of
    a model appear in the order of their depth.
    """

    ids: tuple[str, ...]
    vectors: Floats
    model: tuple[str, ...]
    epoch: Ints
    layer: tuple[str, ...]
    channel: Ints
    patches: Bytes

    def __post_init__(self) -> None:
        parts = (self.vectors, self.model, self.epoch, self.layer, self.channel, self.patches)
        _check("neuron pool", self.ids, [len(part) for part in parts], self.patches)


@dataclass(frozen=True)
class ConceptPool:
    """Concepts (directions, neurons, random directions), each with the images that show it best.

    ``ids`` [n]: unique; ``condition`` [n]: ``svd``, ``neuron``, ``random`` or a name of one's own; ``layer`` [n];
    ``label`` [n]: a name for the concept, "" where none is known; ``vectors``: float32 [n, dim];
    ``images``: uint8 [n, k, side, side, 3], best first.
    """

    ids: tuple[str, ...]
    condition: tuple[str, ...]
    layer: tuple[str, ...]
    label: tuple[str, ...]
    vectors: Floats
    images: Bytes

    def __post_init__(self) -> None:
        parts = (self.condition, self.layer, self.label, self.vectors, self.images)
        _check("concept pool", self.ids, [len(part) for part in parts], self.images)


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
    """Relative depth [n] of each neuron's layer in its model, 0 the first and 1 the last."""
    order: dict[str, dict[str, int]] = {}
    for model, layer in zip(pool.model, pool.layer, strict=True):
        seen = order.setdefault(model, {})
        seen.setdefault(layer, len(seen))
    pairs = zip(pool.model, pool.layer, strict=True)
    return np.array([order[m][name] / max(1, len(order[m]) - 1) for m, name in pairs])
