"""What is seen of own networks before any work: outputs against classes, ten real images, accuracy, layers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from evoscope.data.images import ImageSet
from evoscope.data.loader import Loader
from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import CheckpointPattern
from evoscope.models.layers import Shape, capture, layer_shapes
from evoscope.models.network import Network
from evoscope.models.outputs import Names, OutputMap, alternatives, map_outputs
from evoscope.models.spec import ModelSpec
from evoscope.models.torchvision_models import published_weights
from evoscope.models.weight_files import read_state
from evoscope.models.zoo import build
from evoscope.seeds import generator
from experiments.own_networks import AsBuilt
from experiments.runs import Run, at

FIRST, SAMPLE = 10, 50  # images that every own network is given, and that its accuracy is measured on
LAYERS_SHOWN, CLASSES_SHOWN = 4, 10
UNLIKELY = 0.05  # an accuracy that chance reaches more often than this is no better than chance


@dataclass(frozen=True)
class FirstLook:
    """What ten and more images showed of a run's network at its last epoch.

    ``right``: of ``seen`` images, how many are put into their class (None: the outputs are unknown, or the network is
    still to be trained); ``shapes``: channels, height and width of each layer; ``left_out``: layers that cannot be
    read, and why; ``remarks``: about its files of weights.
    """

    run: Run
    outputs: OutputMap
    right: int | None
    seen: int
    shapes: dict[str, Shape]
    left_out: Mapping[str, str]
    remarks: tuple[str, ...] = ()


_LOOKS: dict[str, FirstLook] = {}


def is_own(run: Run) -> bool:
    """Whether the network or its weights are somebody's own, so that nothing is known of its outputs."""
    spec = run.spec
    return bool(run.title) or spec.weights is not None or run.told_outputs is not None


def first_look(run: Run, test: ImageSet, seed: int) -> FirstLook:
    """Open an own network, give it ten real images and more, and find the output of each class.

    The run of what is returned gives the logits of the classes alone, wherever its outputs are known.

    Raises
    ------
    EvoscopeError : the network cannot be built or loaded, gives no finite logits [images, outputs] for real images, or
        ``model.outputs`` does not fit.
    """
    state = "/".join(run.checkpoints.fingerprint(epoch) for epoch in run.epochs) if run.checkpoints else ""
    key = json.dumps([asdict(run.spec), state, test.fingerprint, run.told_outputs, seed], default=str)
    if key not in _LOOKS:
        _LOOKS[key] = _look(run, test, seed)
    return replace(_LOOKS[key], run=replace(run, spec=_LOOKS[key].run.spec))


def _look(run: Run, test: ImageSet, seed: int) -> FirstLook:
    order = generator(seed, "first look").permutation(len(test))
    sample = test.subset(np.sort(order[:SAMPLE]))
    spec, network, remarks = _opened(run, test.class_names, seed)
    logits = torch.cat(list(_logits(f"{run.name} at epoch {run.last}" if run.last >= 0 else run.name, network, sample)))
    found = map_outputs(test.class_names, logits.shape[1], run.told_outputs, _known_names(spec))
    if run.recipe is not None and found.count < len(test.class_names):
        raise EvoscopeError(
            f"{run.name} has {found.count} outputs, but there are {len(test.class_names)} classes to train it on",
            "let model.factory take n_classes, or build it with that many outputs",
        )
    if found.problem and run.recipe is not None:
        # What is trained here learns to use its first outputs.
        first = tuple(range(len(test.class_names)))
        found = OutputMap(found.count, first, f"the first {len(first)} of {found.count:,} outputs, to be trained")
    if run.told_outputs is None and run.recipe is None and not found.outputs and not found.problem:
        found = _decided(found, logits, sample)
    right = _right(found, logits, sample)
    unknown = found.problem or run.recipe is not None
    shapes = layer_shapes(network.module, network.layers, network.preprocessing.pixels)
    seen = replace(run, spec=replace(spec, outputs=found.outputs))
    return FirstLook(seen, found, None if unknown else right, len(sample), shapes, network.left_out, remarks)


def _right(found: OutputMap, logits: Tensor, sample: ImageSet) -> int:
    chosen = logits[:, list(found.outputs)] if found.outputs else logits
    return int((chosen.argmax(1).numpy() == sample.labels).sum())


def _decided(found: OutputMap, logits: Tensor, sample: ImageSet) -> OutputMap:
    """As many outputs as classes in one order or another: the one that is right more often, and better than chance."""
    others = alternatives(sample.class_names, found.count)
    if not others:
        return found
    right = {each: _right(each, logits, sample) for each in (found, *others)}
    best = max(right, key=right.__getitem__)
    if list(right.values()).count(right[best]) == 1 and _beats_chance(right[best], len(sample), found.count):
        return replace(best, how=f"{best.how}, as the accuracy tells")
    told = "; ".join(f"{each.how}: {n} of {len(sample)} test images right" for each, n in right.items())
    return replace(found, problem=f"their order may be one of several ({told}); 'order' or 'numbers' would say it")


def _beats_chance(right: int, seen: int, classes: int) -> bool:
    return bool(binomtest(right, seen, 1 / classes, alternative="greater").pvalue <= UNLIKELY)


def _opened(run: Run, class_names: tuple[str, ...], seed: int) -> tuple[ModelSpec, Network, tuple[str, ...]]:
    """The network in its last state, once all are read, with a head for the classes or as in its files; and remarks."""
    refusal: EvoscopeError | None = None
    for count in _heads(run, len(class_names)):
        spec = replace(run.spec, built_for=None if count == len(class_names) else count)
        try:
            network = build(spec, len(class_names), seed)
            remarks: list[str] = []
            for epoch in run.epochs if run.checkpoints is not None else ():
                assert run.checkpoints is not None
                remarks += run.checkpoints.load(network.module, epoch)
        except EvoscopeError as problem:
            refusal = refusal or problem
        else:
            return spec, network, tuple(dict.fromkeys(remarks))
    assert refusal is not None
    raise refusal


def _heads(run: Run, classes: int) -> Iterator[int]:
    """Numbers of outputs that the network may be trained with: one per class, or as its file's last tensor has them."""
    yield classes
    files, spec = run.checkpoints, run.spec
    try:
        if isinstance(files, CheckpointPattern):
            state = read_state(files.file(run.last), files.state_dict_key)
        elif isinstance(files, AsBuilt) and files.file is not None:
            state = read_state(files.file, files.key)
        elif spec.weights is not None and Path(spec.weights).expanduser().exists():
            state = read_state(Path(spec.weights).expanduser())
        else:
            return
    except EvoscopeError:  # said when the network is loaded
        return
    yield from dict.fromkeys(int(each.shape[0]) for each in list(state.values())[-1:] if each.ndim)


def _known_names(spec: ModelSpec) -> Names:
    """Names of the outputs, where torchvision's own weights say them."""
    published = None if spec.factory is not None else published_weights(spec.name, spec.weights)
    return () if published is None else [[name] for name in published.meta.get("categories", ())]


def _logits(name: str, network: Network, images: ImageSet) -> Iterator[Tensor]:
    """Logits of real images, ten at a time; refuses what is none."""
    for batch in Loader(images, network.preprocessing, batch_size=FIRST).ordered():
        try:
            with torch.inference_mode():
                logits = network.module(batch.pixels)
        except Exception as error:
            reason = (str(error).splitlines() or [""])[0]
            raise EvoscopeError(
                f"{name} fails on real images of {network.preprocessing.pixels} pixels "
                f"({type(error).__name__}: {reason})",
                "set model.pixels to the size it was made for, or correct its forward",
            ) from error
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(batch.labels):
            shape = f"a tensor {list(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
            raise EvoscopeError(
                f"{name} returns {shape} for {len(batch.labels)} images, not logits [images, classes]",
                "wrap the module so that its forward returns one tensor of logits in eval mode",
            )
        if not torch.isfinite(logits).all():
            raise EvoscopeError(
                f"{name} has NaN or infinite {_first_infinite(network, batch.pixels)}",
                "check its weights, model.mean and model.std, or choose an epoch before it diverged",
            )
        yield logits.float()


def _first_infinite(network: Network, pixels: Tensor) -> str:
    """Where the first NaN or infinite value of a pass is."""
    with torch.no_grad(), capture(network.module, network.layers, lambda _, map: torch.isfinite(map).all()) as fine:
        network.module(pixels)
    wrong = [layer for layer in network.layers if not fine[layer]]
    return f"activations in layer {wrong[0]!r}" if wrong else "logits"


def described(look: FirstLook, classes: int) -> list[str]:
    """Lines on an own network, for the console."""
    layers = [f"{name} ({c} x {h} x {w})" for name, (c, h, w) in look.shapes.items()]
    more = f" and {len(layers) - LAYERS_SHOWN} between" if len(layers) > LAYERS_SHOWN else ""
    half = LAYERS_SHOWN // 2
    shown = layers if not more else [*layers[:half], *layers[-half:]]
    outputs = look.outputs.problem or look.outputs.how
    lines = [f"  outputs: {outputs}", f"  layers (channels x grid): {', '.join(shown)}{more}"]
    if look.right is not None:
        share, among = (look.right / look.seen, "" if not look.outputs.outputs else f" among the {classes} classes")
        lines.insert(1, f"  accuracy{among}: {share:.0%} of {look.seen} test images (chance {1 / classes:.0%})")
    if look.left_out:
        name, reason = next(iter(look.left_out.items()))
        lines.append(f"  layers left out: {len(look.left_out)}; {name!r} {reason}")
    run = look.run
    return [f"{run.name} ({run.title or run.spec.name}, {run.origin}), {at(run.last)}:", *lines]


def at_chance(look: FirstLook, classes: int) -> str | None:
    """A warning where the accuracy is no better than chance."""
    if look.right is None or classes < 2 or _beats_chance(look.right, look.seen, classes):
        return None
    return (
        f"{look.run.name} is right on {look.right} of {look.seen} test images, no better than chance: check which "
        "output is which class (model.outputs), and model.mean, model.std, model.pixels"
    )


def class_line(images: ImageSet) -> str:
    """The classes that were found, for the console."""
    names = images.class_names
    more = f" and {len(names) - CLASSES_SHOWN} more" if len(names) > CLASSES_SHOWN else ""
    return f"{len(names)} classes in {images.name}: {', '.join(names[:CLASSES_SHOWN])}{more}"
