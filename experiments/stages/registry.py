"""All stages there are, for pruning and for the lock that ties sources to versions."""

from experiments.stages import (
    alignment,
    behaviour,
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
    behaviour.STAGE,
    coverage.STAGE,
    coverage.TOGETHER,
    scenes.STAGE,
)
