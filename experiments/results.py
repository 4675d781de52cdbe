"""All figures and tables: what is missing is computed, what is drawn already and still right is left alone.

``only=[fig_reversal]`` asks for some. The figures come from the other experiments (`experiments.parts`): a mapping from
a figure to its experiment is nowhere written down, each experiment's plan says what it draws. Stale inputs cannot be
drawn, because artefacts are addressed by their content (`evoscope.store`).
"""

from experiments.context import Context
from experiments.parts import carry_out_parts, names
from experiments.status import Status


def run(context: Context, status: Status) -> None:
    """Every experiment that has a meaning on the job's data and networks."""
    carry_out_parts(context, status, names(context.config))
