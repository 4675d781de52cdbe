"""Stage ``training``: a network with a checkpoint before training and after every epoch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import Checkpoints, RunFolder
from evoscope.models.zoo import build
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from evoscope.training.loop import train
from experiments.context import Context
from experiments.costs import training_cost
from experiments.runs import Run

STAGE = Stage(
    "training",
    version=1,
    modules=("evoscope.training", "evoscope.models", "evoscope.data.loader", "experiments.stages.training"),
)


def training(context: Context, run: Run, seed: int | None = None) -> Node:
    """Node of the run's training; ``seed`` replaces the job's own."""
    recipe, data, config = run.recipe, context.data, context.config
    if recipe is None:
        raise EvoscopeError(f"run {run.name} has checkpoints of its own", "there is nothing to train")
    seed = config.seed if seed is None else seed
    # Which layers are looked at later does not change the training.
    spec = replace(run.spec, listing="once", layers=())

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        network = build(spec, len(data.train.class_names), seed)
        network.module.to(context.device)
        train(
            network, data.train, data.test, recipe, folder, seed, progress, config.memory_mb, config.workers
        )

    return Node(
        STAGE,
        config={"spec": asdict(spec), "recipe": asdict(recipe), "classes": len(data.train.class_names)},
        inputs={},
        build=compute,
        seed=seed,
        data={"train": data.train.fingerprint, "test": data.test.fingerprint},
        resumable=True,
        estimate=training_cost(context, run),
        label=f"training {run.name}" + (f", seed {seed}" if seed != config.seed else ""),
    )


@dataclass(frozen=True)
class Source:
    """Where a run's checkpoints come from: a training node, or files that exist already."""

    inputs: Mapping[str, Node]
    fingerprints: Mapping[str, str]

    def open(self, run: Run, inputs: Mapping[str, Path]) -> Checkpoints:
        """The checkpoints, once ``inputs`` are computed."""
        return run.checkpoints if run.checkpoints is not None else RunFolder(inputs["training"])


def source(context: Context, run: Run, epoch: int) -> Source:
    """Checkpoints of ``run`` as an input of a node that looks at ``epoch``."""
    if run.checkpoints is not None:
        return Source({}, {"checkpoint": run.checkpoints.fingerprint(epoch)})
    return Source({"training": training(context, run)}, {})


def both_sources(context: Context, run: Run, epochs: tuple[int, int]) -> Source:
    """Checkpoints of ``run`` as inputs of a node that looks at two epochs."""
    if run.checkpoints is not None:
        prints = zip(("before", "after"), map(run.checkpoints.fingerprint, epochs), strict=True)
        return Source({}, dict(prints))
    return Source({"training": training(context, run)}, {})
