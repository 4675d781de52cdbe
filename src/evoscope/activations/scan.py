"""What to take from an activation pass, checked before any work."""

from dataclasses import dataclass

import torch

from evoscope.activations.responsive import ResponsiveRule
from evoscope.errors import EvoscopeError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Scan:
    """What to take from a pass; the fields are those of `evoscope.activations.streaming.activation_pass`.

    Raises
    ------
    EvoscopeError : a value is out of range.
    """

    k: int = 20
    responsive: int = 0
    responsive_rule: ResponsiveRule = "raw"
    keep_maxima: bool = False
    keep_means: bool = False
    memory_mb: int = 2048
    device: str = "cpu"
    precision: str = "fp32"

    def __post_init__(self) -> None:
        require(self.k >= 1, f"k is {self.k}", "ask for at least one stimulus per neuron")
        require(self.responsive >= 0, f"responsive is {self.responsive}", "give 0 (none) or more per image")
        rules = ("raw", "standardised")
        require(self.responsive_rule in rules, f"no responsive rule {self.responsive_rule!r}", _choose(rules))
        require(self.precision in PRECISIONS, f"no precision {self.precision!r}", _choose(tuple(PRECISIONS)))

    @property
    def layout(self) -> torch.memory_format:
        """Memory format of images and weights: channels last, but for fp32 on an accelerator.

        On a CPU convolutions run up to twice as fast on it.
        """
        on_accelerator = torch.device(self.device).type != "cpu"
        slow = on_accelerator and self.precision == "fp32"
        return torch.contiguous_format if slow else torch.channels_last

    @property
    def standardises(self) -> bool:
        """Whether responsive neurons wait for the end of the pass."""
        return self.responsive > 0 and self.responsive_rule == "standardised"

    @property
    def all_maxima(self) -> bool:
        """Whether the maxima of every image are needed to the end."""
        return self.keep_maxima or self.standardises

    @property
    def listed_at_once(self) -> int:
        """Responsive neurons per image that can be told batch by batch."""
        return self.responsive if self.responsive_rule == "raw" else 0


def require(condition: bool, problem: str, mend: str) -> None:
    """Raise an `EvoscopeError` unless ``condition`` holds."""
    if not condition:
        raise EvoscopeError(problem, mend)


def _choose(names: tuple[str, ...]) -> str:
    return "choose " + " or ".join(map(repr, names))
