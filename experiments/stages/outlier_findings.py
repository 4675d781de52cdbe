"""Stage ``outlier_findings``: what a trained network says of every training image, and whether that finds outliers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.arrays import Bools
from evoscope.artefacts import load, save
from evoscope.data.images import ImageSet
from evoscope.discovery.gradients import Quantity
from evoscope.discovery.latent import Latents, latent_pass
from evoscope.discovery.outlier_judging import compared_scores, judged_scores
from evoscope.discovery.outliers import ScoreOptions, outlier_scores
from evoscope.models.checkpoints import RunFolder
from evoscope.models.zoo import build
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.discovery_protocol import discovery_protocol
from experiments.runs import Run
from experiments.stages.outlier_data import Case, CaseImages

STAGE = Stage(
    "outlier_findings",
    version=1,
    modules=(
        "evoscope.discovery.outliers",
        "evoscope.discovery.latent",
        "evoscope.discovery.basis",
        "evoscope.discovery.ranking",
        "evoscope.discovery.basis",
        "evoscope.discovery.gradients",
        "evoscope.discovery.gradients",
        "evoscope.models",
        "evoscope.stats",
        "evoscope.data.loader",
        "experiments.stages.outlier_findings",
    ),
)


@dataclass(frozen=True)
class Findings:
    """What was found in one case.

    ``samples``: one row per training image: ``id``, ``label``, ``prediction``, ``outlier`` (bool), and the scores of
    `evoscope.discovery.outliers.SCORES`; ``judged``, ``compared``: see `evoscope.discovery.outlier_judging`;
    ``stamped``, ``plain``: bool [test images], whether the prediction is right; ``epochs``: that were trained.
    """

    samples: pd.DataFrame
    judged: pd.DataFrame
    compared: pd.DataFrame
    stamped: Bools
    plain: Bools
    epochs: int


def outlier_findings(
    context: Context, run: Run, case: Case, images: CaseImages, training: Node, layer: str
) -> Node:
    """Node of the scores of a case, read at ``layer``."""
    config, protocol = context.config, discovery_protocol(context.config.protocol)
    options = ScoreOptions(config.outlier.concepts, config.outlier.neighbours)

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        network = build(run.spec, len(images.fit.class_names), case.seed)
        checkpoints = RunFolder(inputs["training"])
        checkpoints.load(network.module, checkpoints.epochs[-1])

        def look(at: ImageSet, quantities: tuple[Quantity, ...] = ()) -> Latents:
            return latent_pass(
                network,
                at,
                [layer],
                quantities=quantities,
                memory_mb=config.memory_mb,
                workers=config.workers,
                device=context.device,
                progress=progress,
            )

        found = look(images.fit, (protocol.evidence,))
        scores = outlier_scores(found.of(layer), found.outcomes, protocol, options, case.seed)
        save(
            Findings(
                _samples(images, found).join(scores),
                judged_scores(scores, images.outlier, case.seed),
                compared_scores(scores, images.outlier, case.seed),
                _right(look(images.test)),
                _right(look(images.plain)),
                checkpoints.epochs[-1] + 1,
            ),
            folder,
        )

    return Node(
        STAGE,
        config={
            "case": asdict(case),
            "spec": asdict(run.spec),
            "layer": layer,
            "protocol": asdict(protocol),
            "options": asdict(options),
        },
        inputs={"training": training},
        build=compute,
        seed=case.seed,
        data={
            "fit": images.fit.fingerprint,
            "test": images.test.fingerprint,
            "plain": images.plain.fingerprint,
        },
        label=f"outlier scores of {run.name}, {case.name}",
    )


def findings(folder: Path) -> Findings:
    """Read back what an ``outlier_findings`` node left."""
    return load(Findings, folder)


def _right(seen: Latents) -> Bools:
    return np.equal(seen.outcomes.labels, seen.outcomes.predictions)


def _samples(images: CaseImages, found: Latents) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": list(images.fit.ids),
            "label": found.outcomes.labels,
            "prediction": found.outcomes.predictions,
            "outlier": images.outlier,
        }
    )
