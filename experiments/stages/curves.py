"""Stage ``curves``: the accuracies of several trainings in one table."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from evoscope.artefacts import save
from evoscope.figure_data import TrainingCurves
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from evoscope.training.loop import read_metrics

STAGE = Stage("curves", version=1, modules=("experiments.stages.curves",))


def curves(trainings: Mapping[str, Node], classes: int) -> Node:
    """Node of the training curves; ``trainings`` by run name (several seeds of a run: ``name/seed``)."""

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        frames = [
            read_metrics(path).assign(run=name.split("/")[0], seed=trainings[name].seed)
            for name, path in inputs.items()
        ]
        save(TrainingCurves(pd.concat(frames, ignore_index=True), classes), folder)

    return Node(
        STAGE,
        config={"classes": classes, "runs": list(trainings)},
        inputs=trainings,
        build=compute,
        seed=0,
        label=f"training curves of {len(trainings)} runs",
    )
