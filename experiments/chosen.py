"""Which runs, classes and protocols an experiment judges."""

from collections.abc import Sequence

from evoscope.data.images import ImageSet
from evoscope.errors import EvoscopeError
from evoscope.models.network import closest
from evoscope.seeds import generator
from experiments.context import Context
from experiments.runs import Run

# The architectures that the papers compare.
COMPARED = ("vgg16", "inception_v3", "convnext")


def judged_runs(context: Context) -> list[Run]:
    """The runs that are judged: the paper's three, or all but the base, or the base if it is alone."""
    runs = context.runs
    paper = [runs[name] for name in COMPARED if name in runs]
    return paper or list(runs.values())[1:] or list(runs.values())


def protocol_names(context: Context) -> list[str]:
    """The job's own protocol first, then the others to compare with."""
    own = context.config.protocol.name
    return [own, *(name for name in context.config.protocols if name != own)]


def chosen_classes(context: Context, asked: Sequence[str] | None, key: str) -> list[int]:
    """Labels of the classes asked for, or of as many as the scale says, drawn by the seed.

    Parameters
    ----------
    asked : names or numbers; ``key``: where they were asked for, for the message.

    Raises
    ------
    EvoscopeError : an unknown class, or one without images.
    """
    train, config = context.data.train, context.config
    if asked is not None:
        labels = [_label(train, name) for name in asked]
    else:
        order = generator(config.seed, "classes").permutation(len(train.class_names))
        labels = sorted(int(label) for label in order[: config.scale.importance_classes])
    for images in (train, context.data.test):
        _check_images(images, labels, key)
    return labels


def _label(images: ImageSet, name: str) -> int:
    names = images.class_names
    if name in names:
        return names.index(name)
    if name.isdigit() and int(name) < len(names):
        return int(name)
    raise EvoscopeError(
        f"there is no class {name!r} in {images.name}",
        f"give a name or a number below {len(names)}; the closest are {closest(name, list(names))}",
    )


def _check_images(images: ImageSet, labels: Sequence[int], key: str) -> None:
    empty = [images.class_names[label] for label in labels if not (images.labels == label).any()]
    if empty:
        raise EvoscopeError(
            f"class {empty[0]!r} has no images in {images.name} {images.split}",
            f"choose another class ({key}=[...]) or add images",
        )
