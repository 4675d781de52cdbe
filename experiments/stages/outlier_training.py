"""Stage ``outlier_training``: a classifier of stamped or wrongly labelled images, trained until it gains no more."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from evoscope.errors import EvoscopeError
from evoscope.models.zoo import build
from evoscope.progress import Progress
from evoscope.store import Estimate, Node, Stage
from evoscope.training.patience import PATIENCE, Crop, train_patiently
from evoscope.training.recipe import TrainingRecipe
from experiments.context import Context
from experiments.costs import TRAINING_FORWARDS, measured
from experiments.runs import Run
from experiments.stages.outlier_data import Case, CaseImages

STAGE = Stage(
    "outlier_training",
    version=1,
    modules=(
        "evoscope.training.epochs",
        "evoscope.training.epochs",
        "evoscope.training.patience",
        "evoscope.training.recipe",
        "evoscope.training.loop",
        "evoscope.models",
        "evoscope.data.loader",
        "experiments.stages.outlier_training",
    ),
)
CROPPED = "resnet"  # the architectures that the published recipe crops for


def outlier_training(context: Context, run: Run, case: Case, images: CaseImages) -> Node:
    """Node of the training of a case."""
    recipe, config = _recipe(run), context.config
    spec, crop = replace(run.spec, listing="once", layers=()), crop_of(run)

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        network = build(spec, len(images.fit.class_names), case.seed)
        network.module.to(context.device)
        train_patiently(
            network,
            images.fit,
            images.held_out,
            recipe,
            folder,
            case.seed,
            crop=crop,
            progress=progress,
            memory_mb=config.memory_mb,
            workers=config.workers,
        )

    return Node(
        STAGE,
        config={
            "spec": asdict(spec),
            "recipe": asdict(recipe),
            "patience": PATIENCE,
            "crop": None if crop is None else asdict(crop),
            "classes": len(images.fit.class_names),
        },
        inputs={},
        build=compute,
        seed=case.seed,
        data={"fit": images.fit.fingerprint, "held_out": images.held_out.fingerprint},
        resumable=True,
        estimate=_cost(context, run, recipe, images),
        label=f"training {run.name}, {case.name}",
    )


def crop_of(run: Run) -> Crop | None:
    """Random resized crops for a ResNet, as published; none for others."""
    return Crop() if run.spec.name.startswith(CROPPED) else None


def _recipe(run: Run) -> TrainingRecipe:
    if run.recipe is None:
        raise EvoscopeError(
            f"{run.name} comes with checkpoints of its own, but stamps need networks trained from scratch",
            "leave model.checkpoints and training.epochs=0 out",
        )
    return run.recipe


def _cost(context: Context, run: Run, recipe: TrainingRecipe, images: CaseImages) -> Estimate | None:
    """Estimated cost when patience never runs out (only when a plan is asked for: timing takes a moment)."""
    if not context.config.dry_run:
        return None
    seconds, parameters, neurons = measured(context, run)
    passes = len(images.fit) * recipe.epochs
    memory = 4 * 4 * parameters + 12 * recipe.batch_size * neurons
    return Estimate(seconds * passes * TRAINING_FORWARDS, 4 * parameters, memory)
