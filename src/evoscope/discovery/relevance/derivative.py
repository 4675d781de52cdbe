"""How a class's logit changes to first order when a direction is added to a layer's map (TCAV, Kim 2018)."""

from dataclasses import dataclass

from evoscope.arrays import Doubles, Ints
from evoscope.discovery.ranking import ScoreSums


@dataclass(frozen=True)
class DirectionalDerivative:
    """Derivative of the logit of the predicted class, over the images predicted as each class.

    ``counts``: int64 [classes]; ``mean``: float64 [classes, r], logits per unit of the direction, added at every
    place; ``positive``: float64 [classes, r], share of the images that it helps (the TCAV score); NaN for a class
    that is never predicted.
    """

    counts: Ints
    mean: Doubles
    positive: Doubles


def directional_derivative(sums: ScoreSums) -> DirectionalDerivative:
    """Read the derivatives off the summed scores of ``slope`` rows along a basis."""
    return DirectionalDerivative(sums.counts, sums.means(), sums.positive_share())
