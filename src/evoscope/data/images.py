"""A set of labelled images with stable ids, whatever they are read from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from evoscope.arrays import Bools, Bytes, Ints


@dataclass(frozen=True)
class Fit:
    """How an image of any shape becomes a square: squashed, or its central part cropped.

    ``crop_fraction`` is the part of the shorter side that is kept (torchvision's 224 of 256 is .875).
    """

    mode: Literal["squash", "crop"] = "squash"
    crop_fraction: float = 1.0


SQUASH = Fit()


class ImageSource(Protocol):
    """Where pixels come from: files, an array, or a drawing program."""

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """RGB image ``index`` of the source as uint8 [pixels, pixels, 3]."""
        ...


@dataclass(frozen=True)
class ConceptTable:
    """Which known concepts each image shows.

    ``names``: one per concept, written ``family:value`` (``colour:red``);
    ``present``: bool [images, concepts].
    """

    names: tuple[str, ...]
    present: Bools


@dataclass(frozen=True)
class ImageSet:
    """Images of one split, in the order of their ids.

    ``name``: of the data set; ``split``: ``train`` or ``test``; ``class_names``: one per class;
    ``ids``: unique and stable under any directory order; ``labels``: int64 [images];
    ``rows``: int64 [images], position of each image in ``source``; ``fingerprint``: hex digest of what decides
    the pixels, the ids and the labels; ``concepts``: the ground truth, where it is known;
    ``notes``: what was skipped or converted while opening the set, for the report.
    """

    name: str
    split: str
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    labels: Ints
    rows: Ints
    source: ImageSource
    fingerprint: str
    concepts: ConceptTable | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """Image ``index`` of this set as uint8 [pixels, pixels, 3]."""
        return self.source.read(int(self.rows[index]), pixels, fit)

    def subset(self, indices: Sequence[int] | Ints) -> "ImageSet":
        """The images at ``indices`` (positions in this set), with a fingerprint of their own."""
        chosen = np.asarray(indices, dtype=np.int64)
        ids = tuple(self.ids[i] for i in chosen)
        return replace(
            self,
            ids=ids,
            labels=self.labels[chosen],
            rows=self.rows[chosen],
            fingerprint=digest(self.fingerprint, *ids),
            concepts=self.concepts and replace(self.concepts, present=self.concepts.present[chosen]),
        )


def digest(*texts: str) -> str:
    """Hex SHA-256 of texts, each ended so that ("ab", "c") and ("a", "bc") differ."""
    state = hashlib.sha256()
    for text in texts:
        state.update(text.encode() + b"\0")
    return state.hexdigest()
