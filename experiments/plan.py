"""The plan of a job: what it needs, what is there already, and what the rest will cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evoscope.store import Node, PlanRow
from experiments.context import Context
from experiments.reporting import duration, say, size, table


@dataclass(frozen=True)
class Plan:
    """Exhibits by name (as `results` reads them) and the figures and tables drawn from them."""

    exhibits: Mapping[str, Node]
    drawn: Sequence[str]


def show(context: Context, plan: Plan) -> None:
    """Print the stages with their state and the estimated time, disk and memory of the missing ones."""
    rows = context.store.plan(list(plan.exhibits.values()))
    say(table([_cells(row) for row in rows], ["stage", "what", "state", "time", "disk", "memory"]))
    missing = [row for row in rows if row.needed]
    costs = [row.node.estimate for row in missing if row.node.estimate]
    seconds, disk = sum(cost.seconds for cost in costs), sum(cost.disk_bytes for cost in costs)
    memory = max((cost.memory_bytes for cost in costs), default=0)
    say(
        f"to compute: {len(missing)} of {len(rows)} stages, about {duration(seconds)}, {size(disk)} of disk, "
        f"{size(memory)} of memory at most"
    )


def _cells(row: PlanRow) -> list[str]:
    state = "cached" if row.cached else ("to compute" if row.needed else "not needed")
    estimate = row.node.estimate
    if estimate is None or not row.needed:
        return [row.node.stage.name, row.node.label, state, "", "", ""]
    costs = [duration(estimate.seconds), size(estimate.disk_bytes), size(estimate.memory_bytes)]
    return [row.node.stage.name, row.node.label, state, *costs]
