"""Experiments: what each of them plans from a job's configuration.

Every experiment is a function ``plan(context) -> Plan`` and a file of its name in ``conf/experiment``.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from experiments.context import Context
    from experiments.runner import Plan

CONF = Path(__file__).resolve().parent.parent / "conf"


def experiment_names() -> tuple[str, ...]:
    """Experiments in alphabetical order."""
    return tuple(sorted(path.stem for path in (CONF / "experiment").glob("*.yaml")))


def planner(name: str) -> "Callable[[Context], Plan]":
    """The plan of an experiment, imported only now because the libraries behind it take seconds."""
    module, function = PLANS.get(name, (name, "plan"))
    found = getattr(import_module(f"experiments.{module}"), function)
    return cast("Callable[[Context], Plan]", found)


PLANS = {
    "quickstart": ("composed", "quickstart"),
    "scenes": ("networks", "scenes_plan"),
    "train": ("networks", "train_plan"),
    "training_behaviour": ("networks", "behaviour_plan"),
}
