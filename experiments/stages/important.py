"""Stage ``important``: pictures of the evolutions that matter most for a class."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from evoscope.activations.stimuli import NeuronIndex
from evoscope.arrays import Array, Bools, Bytes, Floats, Ints
from evoscope.artefacts import load, save
from evoscope.data.images import ImageSet
from evoscope.data.loader import Loader
from evoscope.evolution.importance import sensitivities, sensitivity_maps, significance
from evoscope.evolution.pair import Pair, loader_of
from evoscope.evolution.reversal import ranking
from evoscope.figure_data import ImportantEvolutions, NeuronMap
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.importance import ClassImportance, Judged, found_importance, open_pair
from experiments.stages.looks import Found, Look, read_looks, roles
from experiments.stages.showing import patch_options, patches_of, rows_of
from experiments.stages.training import both_sources

STAGE = Stage(
    "important",
    version=2,
    modules=(
        "evoscope.activations.patches",
        "evoscope.evolution.reversal",
        "evoscope.evolution.importance",
        "experiments.stages.important",
    ),
)
NEURONS, PATCHES, IMAGES = 3, 4, 3
BATCH = 32
SIDE = 144  # pixels of an image of the class


@dataclass(frozen=True)
class Pictured:
    """What is shown of one run: its importance for a class, and its looks at both epochs."""

    judged: Judged
    before: Look
    after: Look


def important(context: Context, neuron_map: Node, pictured: Sequence[Pictured]) -> Node:
    """Node of the exhibit ``important``: the top neurons of each run."""

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        places = load(NeuronMap, inputs["map"]).neurons
        parts = [
            _of_run(context, each, inputs, places)
            for each in progress(pictured, total=len(pictured), what="important evolutions", unit="run")
        ]
        save(_joined(parts), folder)

    looks = [look for each in pictured for look in (each.before, each.after)]
    sources = [both_sources(context, each.judged.run, _epochs(each)) for each in pictured]
    return Node(
        STAGE,
        config={
            "shown": [each.judged.name for each in pictured],
            "counts": [NEURONS, PATCHES, IMAGES],
            "patches": asdict(patch_options(context, PATCHES)),
        },
        inputs={
            "map": neuron_map,
            **{each.judged.name: each.judged.node for each in pictured},
            **{
                f"{name} {each.judged.run.name}": node
                for each, source in zip(pictured, sources, strict=True)
                for name, node in source.inputs.items()
            },
            **roles(looks),
        },
        build=compute,
        seed=context.config.seed,
        data={"pool": context.data.pool.fingerprint, "train": context.data.train.fingerprint},
        label="pictures of important evolutions",
    )


def top_neurons(found: ClassImportance, shown: Array, stimuli: Array, count: int) -> Ints:
    """The neurons of the highest score, mean sensitivity breaking ties: int64 [<= count].

    At most one of a layer, and none that shares half of its stimuli with one before it: residual streams carry a
    channel through many layers.

    Parameters
    ----------
    found : the importance; shown : bool [neurons], those that may be shown;
    stimuli : [neurons, k], images that excite each neuron after the evolution.
    """
    chosen: list[int] = []
    for neuron in ranking(found.score, found.mean):
        alike = any(_alike(found.neurons, stimuli, int(neuron), each) for each in chosen)
        if shown[neuron] and not alike:
            chosen.append(int(neuron))
        if len(chosen) == count:
            break
    return np.array(chosen, dtype=np.int64)


def _alike(neurons: NeuronIndex, stimuli: Array, one: int, other: int) -> bool:
    shared = len(np.intersect1d(stimuli[one], stimuli[other]))
    return bool(neurons.layer[one] == neurons.layer[other] or 2 * shared >= stimuli.shape[1])


def with_places(neurons: NeuronIndex) -> Bools:
    """Neurons whose map has more than one cell, so that it shows where; all of them where none has: bool [neurons]."""
    wide = (neurons.grid.prod(axis=1) > 1)[neurons.layer]
    return np.asarray(wide if wide.any() else ~wide)


def _epochs(pictured: Pictured) -> tuple[int, int]:
    return pictured.judged.pair.before, pictured.judged.pair.after


def _of_run(
    context: Context, pictured: Pictured, inputs: Mapping[str, Path], places: pd.DataFrame
) -> ImportantEvolutions:
    judged = pictured.judged
    found = found_importance(inputs[judged.name])
    looks = (pictured.before, pictured.after)
    before, after = read_looks(looks, inputs)
    healthy = (before.looked.stimuli.status == 0) & (after.looked.stimuli.status == 0)
    shown = healthy & with_places(found.neurons)
    neurons = top_neurons(found, shown, after.looked.stimuli.images, NEURONS)
    role = f"training {judged.run.name}"
    own = {"training": inputs[role]} if role in inputs else {}
    pair = open_pair(context, judged.run, judged.pair, own)
    seen = [_images(context, pair, found, int(neuron)) for neuron in neurons]
    options, pool = patch_options(context, PATCHES), context.data.pool
    return ImportantEvolutions(
        neurons=_frame(judged, found, neurons, (before, after), [rows_of(places, look) for look in looks]),
        before=patches_of(pool, pictured.before, before, neurons, options),
        after=patches_of(pool, pictured.after, after, neurons, options),
        images=np.stack([images for images, _ in seen]),
        heat=np.stack([heat for _, heat in seen]),
    )


def _frame(
    judged: Judged,
    found: ClassImportance,
    neurons: Ints,
    states: Sequence[Found],
    places: Sequence[pd.DataFrame],
) -> pd.DataFrame:
    index = found.neurons
    _, q = significance(found.samples[0])
    before, after = states
    step = after.projection.vectors[neurons] - before.projection.vectors[neurons]
    frame = {
        "run": judged.run.name,
        "from_epoch": judged.pair.before,
        "to_epoch": judged.pair.after,
        "class_name": found.class_name,
        "layer": [index.layers[index.layer[neuron]] for neuron in neurons],
        "channel": index.channel[neurons].astype(np.int64),
        "score": found.score[neurons],
        "mean": found.mean[neurons],
        "q": q[neurons],
        "moved": np.linalg.norm(step.astype(np.float64), axis=1),
    }
    for name, state, rows in zip(("before", "after"), states, places, strict=True):
        frame[f"concept_{name}"] = [state.looked.concepts.name(int(neuron)) for neuron in neurons]
        frame[f"x_{name}"] = rows["x"].to_numpy()[neurons]
        frame[f"y_{name}"] = rows["y"].to_numpy()[neurons]
    return pd.DataFrame(frame)


def _images(context: Context, pair: Pair, found: ClassImportance, neuron: int) -> tuple[Bytes, Floats]:
    """The sampled images on which one evolution helped most, and where in them."""
    ids = set(found.samples[0].image_ids)
    train = context.data.train
    images = train.subset([row for row, name in enumerate(train.ids) if name in ids])
    layer = found.neurons.layers[found.neurons.layer[neuron]]
    channel = int(found.neurons.channel[neuron])
    best = images.subset(_strongest(context, pair, images, found.label, layer, channel))
    pixels = _pixels(context, pair, best)
    heat = sensitivity_maps(pair, pixels, found.label, layer)[:, channel, None]
    wide = torch.nn.functional.interpolate(heat, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    fit = pair.after.preprocessing.fit
    drawn = np.stack([best.read(row, SIDE, fit) for row in range(len(best))])
    return _filled(drawn, 255), _filled(wide[:, 0].cpu().numpy().astype(np.float32), 0)


def _strongest(context: Context, pair: Pair, images: ImageSet, label: int, layer: str, channel: int) -> Ints:
    values = [
        sensitivities(pair, batch.pixels, label)[layer][:, channel].cpu().numpy()
        for batch in _loader(context, pair, images).ordered()
    ]
    return np.argsort(-np.concatenate(values), kind="stable")[:IMAGES]


def _pixels(context: Context, pair: Pair, images: ImageSet) -> torch.Tensor:
    return torch.cat([batch.pixels for batch in _loader(context, pair, images).ordered()])


def _loader(context: Context, pair: Pair, images: ImageSet) -> Loader:
    return loader_of(pair, images, BATCH, context.config.memory_mb, context.config.workers)


def _filled(values: Array, missing: int) -> Array:
    """Pad to `IMAGES` where a class has fewer."""
    short = IMAGES - len(values)
    return np.pad(values, [(0, short)] + [(0, 0)] * (values.ndim - 1), constant_values=missing)


def _joined(parts: Sequence[ImportantEvolutions]) -> ImportantEvolutions:
    return ImportantEvolutions(
        neurons=pd.concat([part.neurons for part in parts], ignore_index=True),
        before=np.concatenate([part.before for part in parts]),
        after=np.concatenate([part.after for part in parts]),
        images=np.concatenate([part.images for part in parts]),
        heat=np.concatenate([part.heat for part in parts]),
    )
