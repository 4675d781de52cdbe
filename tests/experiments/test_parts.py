"""Jobs made of other experiments: what is asked for, what is drawn again, and what is left alone."""

import dataclasses

from evoscope.store import stage
from experiments.runner import Plan
from results import registry

SMALL = ("experiment=results", "scale=smoke", "only=[fig_training,table_training]")


@dataclasses.dataclass(frozen=True)
class Nothing:
    """What a stage of these tests would hold."""


@stage(version=1)
def made_up(name: str) -> Nothing:
    raise AssertionError(f"{name} is planned, not computed")


def plan(*ids):
    reads = {name for each in ids for name in registry.entry(each).reads} | {"spare"}
    return Plan({name: made_up(name) for name in sorted(reads)}, ids)


def test_a_narrowed_plan_has_the_exhibits_of_its_results():
    whole = plan("fig_training", "fig_metrics", "fig_reversal")
    first = whole.narrowed(["fig_training", "fig_metrics"])
    assert (tuple(first.drawn), set(first.exhibits)) == (
        ("fig_training", "fig_metrics"),
        {"training", "metrics"},
    )
    found = whole.narrowed(["fig_reversal"])
    assert (tuple(found.drawn), set(found.exhibits)) == (("fig_reversal",), {"reversal", "order"})
    assert (found.origin, found.after) == (whole.origin, whole.after)
