"""All stages there are, for pruning and for the lock that ties sources to versions."""

from experiments.stages import (
    alignment,
    coverage,
    curves,
    evolution,
    metrics,
    scenes,
    space,
    stimuli,
    training,
)

STAGES = (
    training.STAGE,
    stimuli.STAGE,
    space.SPACE,
    space.PROJECTION,
    space.MAP,
    metrics.STAGE,
    alignment.STAGE,
    evolution.STAGE,
    curves.STAGE,
    coverage.STAGE,
    scenes.STAGE,
)
