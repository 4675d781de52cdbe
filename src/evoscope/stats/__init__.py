"""How sure a number is: bootstrap and Student intervals, and what it would be by chance."""

from evoscope.stats.intervals import (
    Interval,
    bootstrap_interval,
    paired_difference,
    percentile_interval,
    t_interval,
)
from evoscope.stats.nulls import exceedance, permutation_null, shuffle_within

__all__ = [
    "Interval",
    "bootstrap_interval",
    "exceedance",
    "paired_difference",
    "percentile_interval",
    "permutation_null",
    "shuffle_within",
    "t_interval",
]
