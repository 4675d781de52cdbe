"""What the drawn scenes look like, what is known about them, and how hard they are without concepts."""

from evoscope.errors import EvoscopeError
from experiments.carry_out import carry_out
from experiments.context import Context
from experiments.plan import Plan
from experiments.stages.scenes import scenes
from experiments.status import Status


def run(context: Context, status: Status) -> None:
    """Draw the sheet and measure the baselines."""
    carry_out(context, plan(context), status)


def plan(context: Context) -> Plan:
    """The scene sheet."""
    if context.config.data.name != "concept_scenes":
        raise EvoscopeError(f"data={context.config.data.name} has no scenes", "use data=concept_scenes")
    return Plan({"scenes": scenes(context)}, ("fig_scenes",))
