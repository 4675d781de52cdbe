"""Independent random streams, each from one seed and the name of its purpose."""

import hashlib
from collections.abc import Sequence

import numpy as np

from evoscope.arrays import Ints


def derive(seed: int, *names: str | int) -> int:
    """Seed of 63 bits for one purpose, stable over machines and library versions.

    >>> derive(0, "training", 3) == derive(0, "training", 3) != derive(0, "training", 4)
    True
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def derive_many(seed: int, purpose: str, names: Sequence[str]) -> Ints:
    """`derive` of each name for one purpose, int64 [names], several times as fast."""
    start = hashlib.sha256(f"{seed}/{purpose}/".encode())
    found = bytearray()
    for name in names:
        state = start.copy()
        state.update(name.encode())
        found += state.digest()[:8]
    return (np.frombuffer(found, dtype=">u8") >> np.uint64(1)).astype(np.int64)


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Numpy generator of the stream ``names`` of ``seed``."""
    return np.random.default_rng(derive(seed, *names))
