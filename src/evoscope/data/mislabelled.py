"""Labels made wrong on purpose, to be found again."""

from dataclasses import replace

import numpy as np

from evoscope.arrays import Bools
from evoscope.data.images import ImageSet, digest
from evoscope.errors import EvoscopeError
from evoscope.seeds import derive, generator


def mislabelled(images: ImageSet, share: float, seed: int) -> tuple[ImageSet, Bools]:
    """Give a share of the images another label, drawn evenly among the other classes.

    Which images follows from the seed and their ids, and a smaller share flips a subset of a larger one's.

    Parameters
    ----------
    share : of all images, rounded to whole ones.

    Returns
    -------
    The set with wrong labels, its pixels and ids as before, and which they are, bool [images].

    Raises
    ------
    EvoscopeError : the share is not within (0, 1), it rounds to no image, or there is one class only.
    """
    classes, count = len(images.class_names), round(share * len(images))
    if not 0 < share < 1 or count < 1 or classes < 2:
        raise EvoscopeError(
            f"a share of {share} wrong labels among {len(images)} images of {classes} classes is impossible",
            "give a share between 0 and 1 (outlier.mislabelled) that is at least one image, and two classes",
        )
    order = np.argsort([derive(seed, "mislabelled", name) for name in images.ids], kind="stable")
    flipped = np.zeros(len(images), dtype=bool)
    flipped[order[:count]] = True
    steps = [int(generator(seed, "wrong label", name).integers(1, classes)) for name in images.ids]
    labels = np.where(flipped, (images.labels + steps) % classes, images.labels).astype(np.int64)
    marks = digest(images.fingerprint, "mislabelled", *map(str, labels))
    return replace(images, labels=labels, fingerprint=marks, name=f"{images.name}, mislabelled"), flipped
