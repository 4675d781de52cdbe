"""Vectors as directions: their length and their sign do not matter."""

import numpy as np

from evoscope.arrays import Array, Doubles


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
