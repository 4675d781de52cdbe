"""The base: the run whose neurons, at its last epoch, span the semantic space."""

from dataclasses import replace

from evoscope.store import Node
from experiments.context import Context
from experiments.runs import Run
from experiments.stages.looks import Look
from experiments.stages.space import projection, space
from experiments.stages.stimuli import stimuli


def base_run(context: Context) -> Run:
    """The first of the job's runs."""
    return next(iter(context.runs.values()))


def base_stimuli(context: Context) -> Node:
    """Node of the stimuli that the space is made of."""
    base = base_run(context)
    return stimuli(context, base, base.last, base=True)


def base_space(context: Context) -> Node:
    """Node of the semantic space."""
    return space(context, base_stimuli(context))


def base_look(context: Context, semantic: Node) -> Look:
    """The base at its last epoch only, placed in the space."""
    base, found = base_run(context), base_stimuli(context)
    run = replace(base, epochs=(base.last,))
    return Look(run, base.last, True, found, projection(context, semantic, found))
