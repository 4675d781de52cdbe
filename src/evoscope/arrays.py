"""Names for the array types that the whole library passes around."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
SmallInts = NDArray[np.int32]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Array = NDArray[Any]

IN_MEMORY = 4_000_000
"""Numbers of 8 bytes that work done in pieces holds at once, a few times over."""


def unit_rows(vectors: Array) -> Doubles:
    """Rows [n, d] scaled to length 1 in float64; a zero row stays zero."""
    exact = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(exact, axis=1, keepdims=True)
    scaled: Doubles = np.divide(exact, length, out=np.zeros_like(exact), where=length > 0)
    return scaled


def canonical(directions: Doubles) -> Doubles:
    """Turn each row so that its largest component by size (the first of equals) is positive."""
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    return directions * np.where(signs == 0, 1.0, signs)[:, None]
