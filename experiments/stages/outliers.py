"""Outliers among training images (CDISCO): their cases, the trainings, and what a network says of every image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from evoscope.arrays import Bools
from evoscope.data.images import ImageSet
from evoscope.discovery.outlier_judging import LIFT, compared_scores, judged_scores
from evoscope.discovery.outliers import ScoreOptions, outlier_scores, reading_scores
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import RunFolder
from evoscope.models.spec import ModelSpec
from evoscope.models.zoo import build
from evoscope.store import Artefact, Machine, Runtime, folder_stage, stage
from evoscope.training.patience import Crop, hold_out, train_patiently
from evoscope.training.recipe import TrainingRecipe
from experiments.stages.concepts import looked_at
from experiments.stages.networks import Checkpoint

Setting = Literal["stamp", "mislabelled"]


@dataclass(frozen=True)
class Case:
    """One kind of outliers: ``p`` is the probability of a redrawn stamp, or the share of labels that are wrong."""

    setting: Setting
    p: float
    seed: int

    @property
    def name(self) -> str:
        """What the case is called in messages."""
        return f"{self.setting} {self.p:g} seed {self.seed}"


@dataclass(frozen=True)
class CaseImages:
    """Images of a case.

    ``fit``: what the network is trained on and outliers are sought in; ``held_out``: what training is stopped by;
    ``test``: never seen in training, stamped like ``fit``; ``plain``: the same without stamps; ``outliers``: rows of
    ``fit`` whose stamp disagrees with the class or whose label is wrong, ascending.
    """

    fit: ImageSet
    held_out: ImageSet
    test: ImageSet
    plain: ImageSet
    outliers: tuple[int, ...]

    @property
    def outlier(self) -> Bools:
        """Which images of ``fit`` are outliers: bool [images]."""
        return np.isin(np.arange(len(self.fit)), self.outliers)


def divided(train: ImageSet, outlier: Bools, test: ImageSet, plain: ImageSet, seed: int) -> CaseImages:
    """Images of a case: a part of ``train`` is held out; ``outlier``: bool [training images]."""
    wrong = {name for name, flip in zip(train.ids, outlier, strict=True) if flip}
    fit, held_out = hold_out(train, seed)
    rows = tuple(row for row, name in enumerate(fit.ids) if name in wrong)
    return CaseImages(fit, held_out, test, plain, rows)


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


@folder_stage(version=1, read=RunFolder, resumable=True)
def outlier_training(
    folder: Path,
    spec: ModelSpec,
    recipe: TrainingRecipe,
    fit: ImageSet,
    held_out: ImageSet,
    crop: Crop | None,
    seed: int,
    machine: Machine,
    runtime: Runtime,
) -> None:
    """A classifier of the images of a case, trained until held-out images gain no more; its last state is kept."""
    network = build(spec, len(fit.class_names), seed)
    network.module.to(machine.device)
    train_patiently(network, fit, held_out, recipe, folder, seed, crop=crop, **vars(runtime))


@dataclass(frozen=True)
class Findings:
    """What was found in one case.

    ``samples``: one row per training image: ``id``, ``label``, ``prediction``, ``outlier`` (bool), and the scores of
    `evoscope.discovery.outliers.SCORES`; ``judged``, ``compared``: see `evoscope.discovery.outlier_judging`;
    ``readings``: rows like those of ``judged``, with ``layer`` and ``reading``, of the layers and readings that there
    are;
    ``stamped``, ``plain``: bool [test images], whether the prediction is right; ``epochs``: that were trained.
    """

    samples: pd.DataFrame
    judged: pd.DataFrame
    compared: pd.DataFrame
    readings: pd.DataFrame
    stamped: Bools
    plain: Bools
    epochs: int


@stage(version=2)
def outlier_findings(
    spec: ModelSpec,
    training: Artefact[RunFolder],
    images: CaseImages,
    layers: Sequence[str],
    protocol: DiscoveryProtocol,
    options: ScoreOptions,
    seed: int,
    machine: Machine,
    runtime: Runtime,
) -> Findings:
    """What the trained network says of every training image, and whether that finds outliers.

    Read at the first of ``layers``; at the others only for the table of readings.
    """
    last = training.load().epochs[-1]
    network = Checkpoint(spec, len(images.fit.class_names), last, training, seed, machine).open()

    def right(unseen: ImageSet) -> Bools:
        said = looked_at(network, unseen, layers[:1], (), machine.device, runtime).outcomes
        return np.equal(said.labels, said.predictions)

    found = looked_at(network, images.fit, layers, (protocol.evidence,), machine.device, runtime)

    def readings(layer: str) -> pd.DataFrame:
        scores = reading_scores(found.of(layer), found.outcomes, protocol, options, seed)
        parts = [
            judged_scores(pd.DataFrame(scores.xs(reading, axis=1, level=0)), images.outlier, seed).assign(
                layer=layer, reading=reading
            )
            for reading in dict.fromkeys(scores.columns.get_level_values(0))
        ]
        rows = pd.concat(parts, ignore_index=True)
        return rows[rows["metric"].isin(("auroc", LIFT))]

    said = {"label": found.outcomes.labels, "prediction": found.outcomes.predictions}
    samples = pd.DataFrame({"id": list(images.fit.ids), **said, "outlier": images.outlier})
    scores = outlier_scores(found.of(layers[0]), found.outcomes, protocol, options, seed)
    return Findings(
        samples.join(scores),
        judged_scores(scores, images.outlier, seed),
        compared_scores(scores, images.outlier, seed),
        pd.concat([readings(layer) for layer in layers]),
        right(images.test),
        right(images.plain),
        last + 1,
    )
