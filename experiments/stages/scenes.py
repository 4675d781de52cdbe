"""What concept_scenes looks like, what is known about its images, and how hard it is for simple classifiers."""

import numpy as np
import pandas as pd

from evoscope.arrays import Bools, Bytes
from evoscope.data.images import ImageSet
from evoscope.data.scenes.source import SceneSource, histogram_baseline, pixel_baseline, scene_source
from evoscope.figure_data import SceneSheet
from evoscope.stats import wilson
from evoscope.store import stage

SIDE = 192
MASKS = 6
AMONG = 200  # first images, of which that with most concepts shows their masks
GREY = 0.25  # how much of the scene shows where a concept is not


@stage(version=1, label="sheet and difficulty of the scenes")
def scenes(train: ImageSet, test: ImageSet, pixels: int, seed: int) -> SceneSheet:
    """A contact sheet of concept_scenes, one scene with its concept masks, and simple baselines."""
    firsts = [int(np.flatnonzero(train.labels == label)[0]) for label in range(len(train.class_names))]
    images = np.stack([train.read(index, SIDE) for index in firsts])
    assert train.concepts is not None  # of scenes they are known
    richest = int(np.argmax(train.concepts.present[:AMONG].sum(axis=1)))
    shown, titles = _masks(scene_source(train), richest)
    baselines = {
        "logistic regression on pixels": pixel_baseline,
        "logistic regression on colour histograms": histogram_baseline,
    }
    rows = []
    for name, baseline in baselines.items():
        accuracy = baseline(train, test, pixels, seed)
        interval = wilson(round(accuracy * len(test)), len(test))
        rows.append({"classifier": name, "accuracy": accuracy, "low": interval.low, "high": interval.high})
    return SceneSheet(images, train.class_names, shown, titles, pd.DataFrame(rows))


def _masks(source: SceneSource, index: int) -> tuple[Bytes, tuple[str, ...]]:
    """The scene, then the scene with all but one concept faded, for its largest concepts of different families."""
    scene, masks = source.read(index, SIDE), source.masks(index, SIDE)
    large = sorted(masks, key=lambda name: (-int(masks[name].sum()), name))
    chosen = list({name.split(":")[0]: name for name in reversed(large)}.values())[::-1][:MASKS]
    return np.stack([scene, *[_faded(scene, masks[name]) for name in chosen]]), ("the scene", *chosen)


def _faded(scene: Bytes, mask: Bools) -> Bytes:
    faded = 255 - GREY * (255 - scene.mean(axis=2, keepdims=True))
    return np.where(mask[:, :, None], scene, faded).astype(np.uint8)
