"""Confounders and outliers (CDISCO): planted stamps and wrong labels, and which scores find them."""

from evoscope.errors import EvoscopeError
from experiments.context import Context
from experiments.runner import Plan
from experiments.runs import PAPER, Run, own, single_run
from experiments.selection import PUBLISHED, chosen_layer
from experiments.stages.outlier_boards import Shown, outlier_boards
from experiments.stages.outlier_boards import shown as boards_of
from experiments.stages.outlier_data import Case, case_images, planted
from experiments.stages.outlier_findings import outlier_findings
from experiments.stages.outlier_tables import Found, outlier_table
from experiments.stages.outlier_training import outlier_training
from experiments.status import Status

DRAWN = (
    "fig_outliers",
    "fig_outlier_boards",
    "fig_stamp_accuracy",
    "table_outliers",
    "table_stamp_accuracy",
)


def run(context: Context, status: Status) -> None:
    """Train on stamped and on wrongly labelled images, look for both, and draw."""
    carry_out(context, plan(context), status)


def plan(context: Context) -> Plan:
    """Every probability and the share of wrong labels, with every seed."""
    check_options(context)
    network = classifier(context)
    layer = scored_layer(context, network)
    found = [_found(context, network, layer, case) for case in cases(context)]
    findings = [each.found for each in found]
    exhibits = {
        "outliers": outlier_table("outliers", findings),
        "outlier_differences": outlier_table("outlier_differences", findings),
        "stamp_accuracy": outlier_table("stamp_accuracy", findings),
        "outlier_boards": outlier_boards(boards_of(found)),
    }
    return Plan(exhibits, DRAWN)


def cases(context: Context) -> list[Case]:
    """Stamps of every probability, then wrong labels, each with every seed."""
    config = context.config
    asked = config.outlier.probabilities
    probabilities = config.scale.stamp_probabilities if asked is None else asked
    seeds = range(config.seed, config.seed + config.scale.stamp_seeds)
    stamps = [Case("stamp", float(p), seed) for p in sorted(set(probabilities)) for seed in seeds]
    return [*stamps, *(Case("mislabelled", config.outlier.mislabelled, seed) for seed in seeds)]


def classifier(context: Context) -> Run:
    """The one network that is trained.

    Raises
    ------
    EvoscopeError : all of the paper's were asked for.
    """
    if context.config.model.name == PAPER and not own(context.config):
        raise EvoscopeError("outlier_discovery trains one network", "name it, for instance model=resnet50")
    return single_run(context.config)


def scored_layer(context: Context, network: Run) -> str:
    """The layer asked for, or the published one (whatever its size: scores need no places), or a deep one."""
    asked = context.config.discovery.layer
    if asked is None and network.spec.name in PUBLISHED:
        return PUBLISHED[network.spec.name]
    return chosen_layer(context, network)


def check_options(context: Context) -> None:
    """Refuse numbers without a meaning before any work.

    Raises
    ------
    EvoscopeError : the first that is wrong, with its key.
    """
    config = context.config
    if config.data.confounder is not None:
        raise EvoscopeError(
            f"data.confounder={config.data.confounder} plants a stamp of its own",
            "leave it out and give outlier.probabilities",
        )
    for key, count in (("neighbours", config.outlier.neighbours), ("concepts", config.outlier.concepts)):
        if count < 1:
            raise EvoscopeError(f"outlier.{key}={count} is impossible", "give 1 or more")
    if config.outlier.probabilities == []:
        raise EvoscopeError("outlier.probabilities is empty", "give at least one probability, or null")


def _found(context: Context, network: Run, layer: str, case: Case) -> Shown:
    images = case_images(context, case)
    training = outlier_training(context, network, case, images)
    node = outlier_findings(context, network, case, images, training, layer)
    names = images.fit.class_names
    classes = ", ".join(names) if len(names) == 2 else f"{len(names)} classes"
    data = "concept_scenes" if planted(context) else context.data.train.name
    return Shown(Found(case, node, data, classes, network.name, layer), images)
