"""Trials before they have ids and pictures of their own: what a sampler returns."""

from dataclasses import dataclass

import numpy as np

from evoscope.errors import EvoscopeError
from human_eval.design.trial import Form


@dataclass(frozen=True)
class Draft:
    """A trial by pool rows: ``panels`` hold (row, picture) pairs."""

    condition: str
    item: str
    form: Form
    panels: tuple[tuple[tuple[int, int], ...], ...]
    sources: tuple[str, ...]
    answer: int | None


def panel(row: int, count: int) -> tuple[tuple[int, int], ...]:
    """The first ``count`` pictures of a row."""
    return tuple((row, place) for place in range(count))


def drawn(
    candidates: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    count: int,
    stream: np.random.Generator,
    what: str,
) -> list[int]:
    """``count`` different candidates at random.

    Raises
    ------
    EvoscopeError : there are fewer; names ``what`` was wanted.
    """
    if len(candidates) < count:
        raise EvoscopeError(
            f"{what} needs {count} entries, and the pool has {len(candidates)}",
            "give a larger pool or ask for fewer trials",
        )
    return [int(row) for row in stream.choice(candidates, count, replace=False)]
