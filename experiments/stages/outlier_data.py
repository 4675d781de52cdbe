"""The images of each outlier experiment: stamped or wrongly labelled, with the truth about every one of them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from evoscope.arrays import Bools
from evoscope.data.images import ImageSet, mislabelled
from evoscope.data.scenes import Confounder, concept_scenes
from evoscope.data.stamps import Stamps, only_classes, stamp_disagrees, stamped
from evoscope.errors import EvoscopeError
from evoscope.training.patience import hold_out
from experiments.context import Context
from experiments.selection import chosen_classes

Setting = Literal["stamp", "mislabelled"]
PUBLISHED = ("tench", "church")


@dataclass(frozen=True)
class Case:
    """One experiment: ``p`` is the probability of a redrawn stamp, or the share of labels that are wrong."""

    setting: Setting
    p: float
    seed: int

    @property
    def name(self) -> str:
        """Name among a node's inputs."""
        return f"{self.setting} {self.p:g} seed {self.seed}"


@dataclass(frozen=True)
class CaseImages:
    """Images of a case.

    ``fit``: what the network is trained on and outliers are sought in; ``held_out``: what training is stopped by;
    ``test``: never seen in training, stamped like ``fit``; ``plain``: the same without stamps; ``outlier``: bool
    [fit], whose stamp disagrees with the class or whose label is wrong.
    """

    fit: ImageSet
    held_out: ImageSet
    test: ImageSet
    plain: ImageSet
    outlier: Bools


def case_images(context: Context, case: Case) -> CaseImages:
    """Prepare the images of a case; stamps, wrong labels and the split are drawn anew for each seed.

    Raises
    ------
    EvoscopeError : unknown classes, impossible numbers, or test images among those of training.
    """
    train, plain = (_plain(context, split, case.seed) for split in ("train", "test"))
    check_apart(train, plain)
    test = plain
    if case.setting == "mislabelled":
        train, flipped = mislabelled(train, case.p, case.seed)
    else:
        train, test = (_stamped(context, images, case) for images in (train, plain))
        flipped = stamp_disagrees(train)
    wrong = {name for name, flip in zip(train.ids, flipped, strict=True) if flip}
    fit, held_out = hold_out(train, case.seed)
    return CaseImages(fit, held_out, test, plain, np.array([name in wrong for name in fit.ids], dtype=bool))


def planted(context: Context) -> bool:
    """Whether the confounder of the drawn scenes is used, over all their classes."""
    return context.config.data.name == "concept_scenes" and context.config.outlier.classes is None


def check_apart(train: ImageSet, test: ImageSet) -> None:
    """Refuse test images that are among those of training.

    Raises
    ------
    EvoscopeError : an id is in both; the published stamped test set seems to have been such a one.
    """
    both = sorted(set(train.ids) & set(test.ids))
    if both:
        raise EvoscopeError(
            f"{len(both)} images are both for training and for testing ({both[0]!r})",
            "remove them from one of the two: accuracy on images seen in training means little",
        )


def _plain(context: Context, split: str, seed: int) -> ImageSet:
    """The images of a split before anything is done to them; scenes are drawn anew for each seed."""
    if planted(context):
        return _scenes(context, split, seed, None)
    labels = tuple(chosen_classes(context, _class_names(context), "outlier.classes"))
    return only_classes(getattr(context.data, split), labels)


def _stamped(context: Context, images: ImageSet, case: Case) -> ImageSet:
    if planted(context):
        return _scenes(context, images.split, case.seed, Confounder(case.p))
    return stamped(images, Stamps(case.p, case.seed))


def _scenes(context: Context, split: str, seed: int, stamp: Confounder | None) -> ImageSet:
    data = context.config.data
    images = data.train_images if split == "train" else data.test_images
    return concept_scenes(split, int(images or 0), int(data.classes or 0), seed, stamp)


def _class_names(context: Context) -> list[str]:
    """The two classes asked for; or the published ones where there are such, else the first two."""
    asked, known = context.config.outlier.classes, context.data.train.class_names
    if asked is None:
        return list(PUBLISHED) if set(PUBLISHED) <= set(known) else list(known[:2])
    if len(set(asked)) != 2 or len(asked) != 2:
        raise EvoscopeError(
            f"outlier.classes={asked} are not two different classes", "name two, or leave them out"
        )
    return list(asked)
