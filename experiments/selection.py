"""What an experiment looks at: which runs, classes, layers, and epochs between which evolutions are judged."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pandas as pd

from evoscope.data.images import ImageSet
from evoscope.discovery.latent import width
from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import INIT
from evoscope.models.layers import layer_shapes
from evoscope.models.network import Network, closest
from evoscope.models.zoo import outline
from evoscope.seeds import generator
from evoscope.training.loop import read_metrics
from experiments.base import training
from experiments.context import Context
from experiments.reporting import say
from experiments.runs import Run, subjects
from experiments.stages.importance import EpochPair

Found = TypeVar("Found")
# The architectures that the papers compare.
COMPARED = ("vgg16", "inception_v3", "convnext")


def judged_runs(runs: Mapping[str, Run]) -> list[Run]:
    """The runs that are judged: the user's, or the paper's three, or all but the base, or the base if it is alone."""
    return subjects(runs, COMPARED)


def evolving_runs(runs: Mapping[str, Run]) -> list[Run]:
    """The judged runs that have two states or more, between which something evolves.

    Raises
    ------
    EvoscopeError : none has.
    """
    judged = judged_runs(runs)
    found = [run for run in judged if len(run.epochs) > 1 or run.recipe is not None]
    if not found:
        raise EvoscopeError(
            f"{', '.join(run.name for run in judged)} has one state only, and an evolution leads from one to another",
            "give checkpoints of two epochs or more (model.checkpoints='run/ep{epoch}.pt')",
        )
    return found


def require_outputs(run: Run) -> None:
    """Refuse a network where it is unknown which output is which class.

    Raises
    ------
    EvoscopeError : also for a network with fewer outputs than there are classes.
    """
    if run.problem:
        raise EvoscopeError(
            f"which output of {run.name} is which class is unknown ({run.problem})",
            "say it in model.outputs (a file, a list, or {class: number}), or name the class folders as the outputs",
        )


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
        empty = [images.class_names[label] for label in labels if not (images.labels == label).any()]
        if empty:
            raise EvoscopeError(
                f"class {empty[0]!r} has no images in {images.name} {images.split}",
                f"choose another class ({key}=[...]) or add images",
            )
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


# The layers of the paper (CDISCO); other networks take their deepest layer that has places.
PUBLISHED = {"inception_v3": "Mixed_7b", "resnet50": "layer4.0"}
CELLS = 3


_KNOWN: dict[str, Any] = {}
"""What was found of outlines, which plans ask for at every epoch."""


def _once(find: Callable[..., Found], context: Context, run: Run, asked: object) -> Found:
    """What ``find`` tells of the outline of a run's network, found once for networks that are alike."""
    classes = len(context.data.train.class_names)
    key = f"{find.__name__}/{run.spec}/{classes}/{asked}"
    if key not in _KNOWN:
        _KNOWN[key] = find(outline(run.spec, classes), run.spec.name, asked)
    found: Found = _KNOWN[key]
    return found


def chosen_layers(context: Context, run: Run) -> tuple[str, ...]:
    """The layers asked for; or the published one, or the deepest neuron layer with a map of 3 x 3 cells or more.

    Small images leave the published layer a single cell, which has no places to show a concept in.

    Raises
    ------
    EvoscopeError : a layer that the network does not have, that does not run once, or that gives no map.
    """
    return _once(_layers_in, context, run, context.config.discovery.layer)


def _layers_in(network: Network, name: str, asked: str | list[str] | None) -> tuple[str, ...]:
    pixels = network.preprocessing.pixels
    if asked is not None:
        layers = [str(layer) for layer in asked] if isinstance(asked, list) else [str(asked)]
        return tuple(layer_shapes(network.module, layers, pixels))
    published = PUBLISHED.get(name)
    named = dict.fromkeys((*network.layers, *([published] if published else [])))
    shapes = layer_shapes(network.module, tuple(named), pixels)
    sides = {layer: min(height, width) for layer, (_, height, width) in shapes.items()}
    if published and sides[published] >= CELLS:
        return (published,)
    wide = [layer for layer in network.layers if sides[layer] >= CELLS]
    return ((wide or list(network.layers))[-1],)


def channels_of(context: Context, run: Run, layers: Sequence[str]) -> int:
    """Neurons of some layers of a run's network together."""
    return _once(_width_in, context, run, tuple(layers))


def _width_in(network: Network, name: str, layers: Sequence[str]) -> int:
    return width(network, layers)


NAMES = ("early to middle", "middle to late")


def pairs_of(context: Context, run: Run) -> tuple[EpochPair, ...]:
    """The pairs of epochs of a run; trains it where accuracies decide them and it has not been trained.

    A dry run does not train: it takes epochs evenly spread instead.

    Raises
    ------
    EvoscopeError : an epoch that does not exist, or a training too short for two pairs.
    """
    asked = context.config.evolution.pairs
    if asked is not None:
        return tuple(_asked(run, pair, context) for pair in asked)
    stages = stages_of(context, run)
    return tuple(EpochPair(*values) for values in zip(NAMES, stages[:-1], stages[1:], strict=False))


def stages_of(context: Context, run: Run) -> tuple[int, ...]:
    """Early, middle and late epoch of a run."""
    if run.recipe is None:
        return _thinned(run.epochs, run.name)
    if run.stages:
        for epoch in run.stages:
            check_epoch(run, epoch)
        return run.stages
    node = training(context, run)
    if context.config.dry_run and not context.store.plan([node])[0].cached:
        context.guesses.append(run.name)
        return _thinned(tuple(range(INIT, run.recipe.epochs)), run.name)
    metrics = read_metrics(context.get(node))
    stages = reaching(metrics, context.config.evolution.thresholds, run.name)
    accuracies = metrics.set_index("epoch")["train_top1"].loc[list(stages)]
    told = ", ".join(f"{epoch} ({accuracy:.2f})" for epoch, accuracy in accuracies.items())
    say(f"{run.name}: evolutions between epochs {told}, in brackets their training accuracy")
    return stages


def reaching(metrics: pd.DataFrame, thresholds: Sequence[float], name: str) -> tuple[int, ...]:
    """The first epochs, each after the one before, whose training top-1 accuracy reaches each threshold.

    Every threshold leaves an epoch for each that follows; one that is not reached in time takes the most accurate
    epoch there is.

    Raises
    ------
    EvoscopeError : fewer epochs than thresholds.
    """
    trained = metrics[metrics["epoch"] > INIT].sort_values("epoch")
    if len(trained) < len(thresholds):
        raise EvoscopeError(
            f"run {name} has {len(trained)} epochs, too few for {len(thresholds)} stages of training",
            "train longer (training.epochs=...) or give the epochs (evolution.pairs=[[a,b]])",
        )
    chosen: list[int] = []
    for later, threshold in zip(reversed(range(len(thresholds))), thresholds, strict=True):
        left = trained.iloc[: len(trained) - later]
        left = left[left["epoch"] > (chosen[-1] if chosen else INIT)]
        fine = left[left["train_top1"] >= threshold]
        best = left["epoch"].iloc[int(left["train_top1"].argmax())] if fine.empty else fine["epoch"].iloc[0]
        chosen.append(int(best))
    return tuple(chosen)


def _asked(run: Run, pair: Sequence[int], context: Context) -> EpochPair:
    if len(pair) != 2 or pair[0] == pair[1]:
        raise EvoscopeError(
            f"evolution.pairs has {list(pair)}, which is no pair", "give two different epochs, as in [[0,3],[3,7]]"
        )
    for epoch in pair:
        check_epoch(run, epoch)
    return EpochPair(f"{pair[0]} to {pair[1]}", pair[0], pair[1])


def check_epoch(run: Run, epoch: int) -> None:
    """Refuse an epoch without a checkpoint."""
    there = run.checkpoints.epochs if run.checkpoints is not None else _kept(run)
    if epoch not in there:
        raise EvoscopeError(
            f"run {run.name} has no checkpoint of epoch {epoch}", f"choose among {', '.join(map(str, there))}"
        )


def _kept(run: Run) -> tuple[int, ...]:
    """Epochs whose checkpoints the training leaves (-1: before training)."""
    assert run.recipe is not None
    last = run.recipe.epochs - 1
    return tuple(sorted({INIT, *(run.recipe.keep or range(last)), last}))


def _thinned(epochs: tuple[int, ...], name: str) -> tuple[int, ...]:
    """First, middle and last of some epochs."""
    if len(epochs) < 2:
        raise EvoscopeError(f"run {name} has only one checkpoint", "an evolution leads from one to another: give two")
    return tuple(sorted({epochs[0], epochs[len(epochs) // 2], epochs[-1]}))
