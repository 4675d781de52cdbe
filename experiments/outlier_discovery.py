"""Confounders and outliers (CDISCO): planted stamps and wrong labels, and which scores find them."""

from collections.abc import Sequence
from dataclasses import replace

from evoscope.data.images import ImageSet, mislabelled
from evoscope.data.scenes import Confounder, concept_scenes
from evoscope.data.stamps import Stamps, only_classes, stamp_disagrees, stamped
from evoscope.discovery.outliers import ScoreOptions
from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import RunFolder
from evoscope.models.zoo import build
from evoscope.store import Artefact, Estimate
from evoscope.training.patience import Crop
from experiments.context import Context
from experiments.costs import TRAINING_FORWARDS, measured, step_bytes
from experiments.protocols import discovery_protocol
from experiments.runner import Exhibits, Plan
from experiments.runs import Run, single_run
from experiments.schema import of_paper
from experiments.selection import PUBLISHED, chosen_classes, chosen_layers
from experiments.stages.outlier_tables import (
    ScoredCase,
    outlier_boards,
    outlier_differences,
    outlier_readings,
    outliers,
    shown,
    stamp_accuracy,
)
from experiments.stages.outliers import Case, CaseImages, check_apart, divided, outlier_findings, outlier_training

PUBLISHED_CLASSES = ("tench", "church")
RESNET = "resnet"  # the architectures that the published recipe crops for
DRAWN = (
    "fig_outliers",
    "fig_outlier_boards",
    "fig_stamp_accuracy",
    "table_outliers",
    "table_outlier_readings",
    "table_stamp_accuracy",
)


def plan(context: Context) -> Plan:
    """Every probability and the share of wrong labels, with every seed.

    Raises
    ------
    EvoscopeError : a number without a meaning, several networks or one that is not trained, unknown classes, or test
        images among those of training.
    """
    config = context.config
    if config.data.confounder is not None:
        raise EvoscopeError(
            f"data.confounder={config.data.confounder} plants a stamp of its own",
            "leave it out and give outlier.probabilities",
        )
    network = classifier(context)
    layers = scored_layers(context, network)
    found = [scored_case(context, network, layers, case) for case in cases(context)]
    exhibits: Exhibits = {
        "outliers": outliers(found),
        "outlier_differences": outlier_differences(found),
        "outlier_readings": outlier_readings(found),
        "stamp_accuracy": stamp_accuracy(found),
        "outlier_boards": outlier_boards(shown(found)),
    }
    return Plan(exhibits, DRAWN)


def classifier(context: Context) -> Run:
    """The one network that is trained.

    Raises
    ------
    EvoscopeError : all of the paper's were asked for.
    """
    if of_paper(context.config) or context.config.brought:
        raise EvoscopeError("outlier_discovery trains one network", "name it, for instance model=resnet50")
    return context.seen(single_run(context.config))


def scored_layers(context: Context, network: Run) -> tuple[str, ...]:
    """The layers asked for; or the published depth (whatever its size: scores need no places) and two inner layers.

    The published depth is that of the last stage of a ResNet; of other networks a deep layer with places.
    """
    if context.config.discovery.layer is not None:
        return chosen_layers(context, network)
    every = build(network.spec, len(context.data.train.class_names), context.config.seed).layers
    depth = PUBLISHED.get(network.spec.name)
    if depth not in every:
        depth = every[-1] if network.spec.name.startswith(RESNET) else chosen_layers(context, network)[0]
    last = every.index(depth)
    return tuple(dict.fromkeys(every[place] for place in (last, 3 * last // 4, last // 2)))


def cases(context: Context) -> list[Case]:
    """Stamps of every probability, then wrong labels, each with every seed."""
    config = context.config
    asked = config.outlier.probabilities
    probabilities = config.scale.stamp_probabilities if asked is None else asked
    seeds = range(config.seed, config.seed + config.scale.stamp_seeds)
    stamps = [Case("stamp", float(p), seed) for p in sorted(set(probabilities)) for seed in seeds]
    return [*stamps, *(Case("mislabelled", config.outlier.mislabelled, seed) for seed in seeds)]


def scored_case(context: Context, network: Run, layers: Sequence[str], case: Case) -> ScoredCase:
    """A case with its images and the node of its scores, read at the first of ``layers``."""
    images = case_images(context, case)
    names = images.fit.class_names
    classes = ", ".join(names) if len(names) == 2 else f"{len(names)} classes"
    data = "concept_scenes" if planted(context) else context.data.train.name
    config = context.config
    node = outlier_findings(
        network.spec,
        _training(context, network, case, images),
        images,
        layers,
        discovery_protocol(config.protocol),
        ScoreOptions(config.outlier.concepts, config.outlier.neighbours),
        case.seed,
        context.machine,
        context.runtime,
    )
    return ScoredCase(
        case,
        images,
        data,
        classes,
        network.name,
        layers[0],
        node.called(f"outlier scores of {network.name}, {case.name}"),
    )


def _training(context: Context, network: Run, case: Case, images: CaseImages) -> Artefact[RunFolder]:
    if network.recipe is None:
        raise EvoscopeError(
            f"{network.name} comes with checkpoints of its own, but stamps need networks trained from scratch",
            "leave model.checkpoints out, and training.epochs=0",
        )
    node = outlier_training(
        replace(network.spec, listing="once", layers=()),
        network.recipe,
        images.fit,
        images.held_out,
        Crop() if network.spec.name.startswith(RESNET) else None,
        case.seed,
        context.machine,
        context.runtime,
    )
    return node.called(f"training {network.name}, {case.name}").costing(_cost(context, network, images))


def _cost(context: Context, run: Run, images: CaseImages) -> Estimate | None:
    """Estimated cost when patience never runs out (only when a plan is asked for: timing takes a moment)."""
    if not context.estimates or run.recipe is None:
        return None
    found = measured(context, run)
    passes = len(images.fit) * run.recipe.epochs
    memory = step_bytes(found, run.recipe.batch_size)
    return Estimate(found.seconds * passes * TRAINING_FORWARDS, 4 * found.parameters, memory)


def planted(context: Context) -> bool:
    """Whether the confounder of the drawn scenes is used, over all their classes."""
    return context.config.data.name == "concept_scenes" and context.config.outlier.classes is None


def case_images(context: Context, case: Case) -> CaseImages:
    """The images of a case; stamps, wrong labels and the split are drawn anew for each seed.

    Raises
    ------
    EvoscopeError : unknown classes, impossible numbers, or test images among those of training.
    """
    train, plain = (_plain(context, split, case.seed) for split in ("train", "test"))
    check_apart(train, plain)
    if case.setting == "mislabelled":
        return divided(*mislabelled(train, case.p, case.seed), plain, plain, case.seed)
    train, test = (_stamped(context, images, case) for images in (train, plain))
    return divided(train, stamp_disagrees(train), test, plain, case.seed)


def _plain(context: Context, split: str, seed: int) -> ImageSet:
    """The images of a split before anything is done to them; scenes are drawn anew for each seed."""
    if planted(context):
        return _scenes(context, split, seed, None)
    labels = tuple(chosen_classes(context, _class_names(context), "outlier.classes"))
    return only_classes(getattr(context.data, split), labels)


def _stamped(context: Context, images: ImageSet, case: Case) -> ImageSet:
    if planted(context):
        return _scenes(context, images.split, case.seed, Confounder(case.p))
    return stamped(images, Stamps(case.p, case.seed))


def _scenes(context: Context, split: str, seed: int, stamp: Confounder | None) -> ImageSet:
    data = context.config.data
    images = data.train_images if split == "train" else data.test_images
    return concept_scenes(split, int(images or 0), int(data.classes or 0), seed, stamp)


def _class_names(context: Context) -> list[str]:
    """The two classes asked for; or the published ones where there are such, else the first two."""
    asked, known = context.config.outlier.classes, context.data.train.class_names
    if asked is None:
        return list(PUBLISHED_CLASSES) if set(PUBLISHED_CLASSES) <= set(known) else list(known[:2])
    if len(set(asked)) != 2 or len(asked) != 2:
        raise EvoscopeError(f"outlier.classes={asked} are not two different classes", "name two, or leave them out")
    return list(asked)
