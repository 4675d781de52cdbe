"""Whether a run did what its recipe is there to show: learn gradually, collapse, or overfit.

ConceptEvo's discovery figure shows a well-trained VGG16, one whose too large learning rate lets it lose
what it had learnt, and one without dropout that overfits. These are the measured criteria for that.
"""

from dataclasses import dataclass

import pandas as pd

GOOD = 0.8  # test top-1 at the end
GRADUAL = 0.5  # test top-1 after the first epoch
COLLAPSE_PEAK = 2.0  # times chance
COLLAPSE_KEPT = 0.5  # of the peak


@dataclass(frozen=True)
class Behaviour:
    """A training run in a few numbers, all from test top-1 unless said; the untrained network does not count.

    ``chance``: 1 / classes; ``first``: after the first epoch; ``peak``: the best after any epoch; ``final``: after
    the last; ``gap``: training minus test top-1 after the last.
    """

    chance: float
    first: float
    peak: float
    final: float
    gap: float

    @property
    def kept(self) -> float:
        """Share of the peak that is left after the last epoch; NaN where nothing was ever right."""
        return self.final / self.peak if self.peak > 0 else float("nan")

    @property
    def good(self) -> bool:
        """Whether it ended well trained."""
        return self.final >= GOOD

    @property
    def gradual(self) -> bool:
        """Whether the first epoch left most to learn: concepts form over several epochs."""
        return self.first <= GRADUAL

    @property
    def collapsed(self) -> bool:
        """Whether it reached twice chance after some epoch and ended with at most half of its peak."""
        return self.peak >= COLLAPSE_PEAK * self.chance and self.kept <= COLLAPSE_KEPT


def behaviour(metrics: pd.DataFrame, classes: int) -> Behaviour:
    """Summarise the metrics of one finished run (`evoscope.training.loop.read_metrics`), epochs in any order."""
    trained = metrics[metrics["epoch"] >= 0].sort_values("epoch")
    test = trained["test_top1"]
    return Behaviour(
        chance=1 / classes,
        first=float(test.iloc[0]),
        peak=float(test.max()),
        final=float(test.iloc[-1]),
        gap=float(trained["train_top1"].iloc[-1] - test.iloc[-1]),
    )
