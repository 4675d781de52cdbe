"""From the ``data`` group to image sets."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evoscope.data.files import Reading
from evoscope.data.folder import open_folder
from evoscope.data.images import ImageSet, limit, pool
from evoscope.data.labels import CLASSES, read_labels, with_classes
from evoscope.data.named import open_cifar10, open_cue_conflict, open_imagenet, open_imagenette, open_imagewoof
from evoscope.data.planted import PLANTED, planted
from evoscope.data.scenes import Confounder, concept_scenes
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress
from experiments.schema import DataConfig


@dataclass(frozen=True)
class Data:
    """The image sets of a job: ``train`` and ``test``, and the ``pool`` that stimuli are looked for in.

    ``scored``: the test images as trainings have them, to which labels of concepts are nothing.
    """

    train: ImageSet
    test: ImageSet
    pool: ImageSet
    scored: ImageSet

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was left out of them or replaced in them, each sentence once."""
        sets = (self.train, self.test, self.pool)
        return tuple(dict.fromkeys(f"{each.name} {each.split}: {note}" for each in sets for note in each.notes))


def open_data(config: DataConfig, seed: int, progress: Progress, listings: Path | None = None) -> Data:
    """Open the data set of ``config`` with its limits applied; ``listings``: see `evoscope.data.listing`.

    Raises
    ------
    EvoscopeError : unknown or missing data set, unreadable files, an empty class.
    """
    if config.name == "concept_scenes":
        return _scenes(config, seed)
    whole = [_real(config, split, seed, progress, listings) for split in ("train", "test")]
    if config.concepts == PLANTED:
        whole = [planted(images, seed) for images in whole]
    train = _limited(whole[0], config, config.train_images, seed)
    test = _limited(whole[1], config, config.test_images, seed)
    images = limit(train, config.pool_images, None, seed) if config.pool_images else train
    if config.pool_fraction:
        images = pool(images, config.pool_fraction, seed)
    if config.concepts in (None, PLANTED):
        return Data(train, test, images, test)
    if config.concepts == CLASSES:
        return Data(train, with_classes(test), with_classes(images), test)
    labels = read_labels(Path(config.concepts).expanduser()).of(*whole)
    return Data(train, labels.on(test), labels.on(images), test)


def _scenes(config: DataConfig, seed: int) -> Data:
    if config.concepts is not None:
        raise EvoscopeError("data.concepts is for photographs", "leave it out: what drawn scenes show is known")
    counts = {"train": config.train_images, "test": config.test_images}
    if config.classes is None or None in counts.values():
        raise EvoscopeError(
            "concept_scenes is drawn, so it has no size of its own",
            "give data.classes, data.train_images and data.test_images",
        )
    stamp = None if config.confounder is None else Confounder(probability=config.confounder)
    train, test = (concept_scenes(split, int(n or 0), config.classes, seed, stamp) for split, n in counts.items())
    images = train
    if config.pool_images is not None and config.pool_images <= len(train):
        images = train.subset(range(config.pool_images))
    elif config.pool_images is not None:
        images = concept_scenes("train", config.pool_images, config.classes, seed, stamp)
    if config.pool_fraction:
        images = pool(images, config.pool_fraction, seed)
    return Data(train, test, images, test)


def _limited(images: ImageSet, config: DataConfig, total: int | None, seed: int) -> ImageSet:
    if total is None and config.per_class is None:
        return images
    return limit(images, total, config.per_class, seed)


def _real(config: DataConfig, split: str, seed: int, progress: Progress, listings: Path | None) -> ImageSet:
    if config.name not in _OPENERS:
        raise EvoscopeError(
            f"data.name={config.name} is not a data set", f"choose one of concept_scenes, {', '.join(_OPENERS)}"
        )
    reading = Reading(config.on_error.value, progress, listings)
    return _OPENERS[config.name](config, Path(config.root).expanduser(), split, seed, reading)


Opener = Callable[[DataConfig, Path, str, int, Reading], ImageSet]

_OPENERS: dict[str, Opener] = {
    "cifar10": lambda config, root, split, seed, reading: open_cifar10(root, split, config.download),
    "imagenette": lambda config, root, split, seed, reading: open_imagenette(root, split, config.download, reading),
    "imagewoof": lambda config, root, split, seed, reading: open_imagewoof(root, split, reading),
    "imagenet": lambda config, root, split, seed, reading: open_imagenet(root, split, config.download, reading),
    "folder": lambda config, root, split, seed, reading: open_folder(root, split, config.val_fraction, seed, reading),
    "cue_conflict": lambda config, root, split, seed, reading: open_cue_conflict(root, split, seed, reading),
}
