"""Pictures of the evolutions that matter most for a class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from evoscope.activations.stimuli import NeuronIndex
from evoscope.arrays import Array, Bools, Bytes, Floats, Ints
from evoscope.data.images import ImageSet
from evoscope.evolution.importance import sensitivities, sensitivity_maps, significance
from evoscope.evolution.pair import Pair, loader_of
from evoscope.evolution.reversal import ranking
from evoscope.figure_data import ImportantEvolutions, NeuronMap
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.importance import CheckpointPair, ClassImportance
from experiments.stages.stimuli import Look, Patches

NEURONS, IMAGES = 1, 3
BATCH = 32
SIDE = 144  # pixels of an image of the class


@dataclass(frozen=True)
class Pictured:
    """What is shown of one run and class: the importance, and the run at both epochs."""

    importance: Artefact[ClassImportance]
    pair: CheckpointPair
    before: Look
    after: Look


@stage(version=3, label="pictures of important evolutions")
def important(
    places: Artefact[NeuronMap],
    pictured: Sequence[Pictured],
    pool: ImageSet,
    train: ImageSet,
    patches: Patches,
    runtime: Runtime,
) -> ImportantEvolutions:
    """The most important evolution of each case, with patches of the neuron's stimuli and images of the class."""

    def part(each: Pictured) -> ImportantEvolutions:
        found, looks = each.importance.load(), (each.before, each.after)
        stimuli = [look.stimuli.load().stimuli for look in looks]
        healthy = (stimuli[0].status == 0) & (stimuli[1].status == 0)
        neurons = top_neurons(found, healthy & with_places(found.neurons), stimuli[1].images, NEURONS)
        pair, ids = each.pair.open(), set(found.samples[0].image_ids)
        sampled = train.subset([row for row, name in enumerate(train.ids) if name in ids])
        seen = [_images(pair, sampled, found, int(neuron), runtime) for neuron in neurons]
        return ImportantEvolutions(
            neurons=_frame(each, found, neurons, places.load().neurons),
            before=each.before.patches(pool, neurons, patches),
            after=each.after.patches(pool, neurons, patches),
            images=np.stack([images for images, _ in seen]),
            heat=np.stack([heat for _, heat in seen]),
        )

    shown = runtime.progress(pictured, total=len(pictured), what="important evolutions", unit="class")
    parts = [part(each) for each in shown]
    names = ("before", "after", "images", "heat")
    return ImportantEvolutions(
        pd.concat([own.neurons for own in parts], ignore_index=True),
        *(np.concatenate([getattr(own, name) for own in parts]) for name in names),
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


def _frame(pictured: Pictured, found: ClassImportance, neurons: Ints, places: pd.DataFrame) -> pd.DataFrame:
    """What is known of each neuron: importance, its false discovery rate, concepts and places at both epochs."""
    index, before, after = found.neurons, pictured.before, pictured.after
    step = after.projection.load().vectors[neurons] - before.projection.load().vectors[neurons]
    frame = {
        "run": pictured.pair.run,
        "from_epoch": before.epoch,
        "to_epoch": after.epoch,
        "class_name": found.class_name,
        "layer": [index.layers[index.layer[neuron]] for neuron in neurons],
        "channel": index.channel[neurons].astype(np.int64),
        "score": found.score[neurons],
        "mean": found.mean[neurons],
        "q": significance(found.samples[0])[1][neurons],
        "moved": np.linalg.norm(step.astype(np.float64), axis=1),
    }
    for name, look in (("before", before), ("after", after)):
        concepts, rows = look.stimuli.load().concepts, look.rows(places)
        frame[f"concept_{name}"] = [concepts.name(int(neuron)) for neuron in neurons]
        frame[f"x_{name}"] = rows["x"].to_numpy()[neurons]
        frame[f"y_{name}"] = rows["y"].to_numpy()[neurons]
    return pd.DataFrame(frame)


def _images(
    pair: Pair, sampled: ImageSet, found: ClassImportance, neuron: int, runtime: Runtime
) -> tuple[Bytes, Floats]:
    """The sampled images on which one evolution helped most, [IMAGES, SIDE, SIDE, 3], and where, in logits."""
    layer, channel = found.neurons.layers[found.neurons.layer[neuron]], int(found.neurons.channel[neuron])
    most = BATCH, runtime.memory_mb, runtime.workers
    helped = [
        sensitivities(pair, batch.pixels, found.label)[layer][:, channel].cpu().numpy()
        for batch in loader_of(pair.after, sampled, *most).ordered()
    ]
    best = sampled.subset(np.argsort(-np.concatenate(helped), kind="stable")[:IMAGES])
    pixels = torch.cat([batch.pixels for batch in loader_of(pair.after, best, *most).ordered()])
    heat = sensitivity_maps(pair, pixels, found.label, layer)[:, channel, None]
    wide = torch.nn.functional.interpolate(heat, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    drawn = np.stack([best.read(row, SIDE, pair.after.preprocessing.fit) for row in range(len(best))])
    return _filled(drawn, 255), _filled(wide[:, 0].cpu().numpy().astype(np.float32), 0)


def _filled(values: Array, missing: int) -> Array:
    """Pad to `IMAGES` where a class has fewer."""
    short = IMAGES - len(values)
    return np.pad(values, [(0, short)] + [(0, 0)] * (values.ndim - 1), constant_values=missing)
