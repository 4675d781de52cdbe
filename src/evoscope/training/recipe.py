"""How a network is trained, as plain values, and how its training went."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd
import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.torchvision_compat import torchvision


@dataclass(frozen=True)
class TrainingRecipe:
    """Cross-entropy, constant learning rate, no augmentation, no warm-up (ConceptEvo, Models and training).

    ``precision``: ``auto`` uses bfloat16 where the architecture gains by it on this device;
    ``on_divergence``: what to do after an epoch whose loss was NaN or infinite;
    ``eval_images``: training images evaluated per epoch (0: all);
    ``keep``: epochs whose checkpoints stay (none: all); the initial and last ones always do.

    Raises
    ------
    EvoscopeError : when a value is out of range.
    """

    name: str
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0
    batch_size: int = 64
    epochs: int = 8
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    on_divergence: Literal["continue", "stop"] = "continue"
    eval_images: int = 1000
    channels_last: bool = True
    keep: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("lr", 0.0), ("momentum", 0.0), ("weight_decay", 0.0), ("eval_images", 0)):
            _check(name, getattr(self, name) >= least, getattr(self, name), f"{least} or more")
        for name in ("batch_size", "epochs"):
            _check(name, getattr(self, name) >= 1, getattr(self, name), "1 or more")
        for name, choices in CHOICES.items():
            _check(name, getattr(self, name) in choices, getattr(self, name), f"one of {', '.join(choices)}")


CHOICES = {"optimizer": ("sgd", "adamw"), "precision": ("auto", "fp32", "bf16"), "on_divergence": ("continue", "stop")}


def make_optimizer(recipe: TrainingRecipe, module: nn.Module) -> torch.optim.Optimizer:
    """Build the recipe's optimizer over all parameters of ``module``."""
    parameters = list(module.parameters())
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    return torch.optim.SGD(
        parameters, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=True
    )


def use_bf16(recipe: TrainingRecipe, module: nn.Module, device: torch.device) -> bool:
    """Decide on bfloat16 from the recipe, the family and the device's abilities, never from a timing.

    ``auto``: every family on GPUs that have it; on CPUs with bfloat16 instructions VGG only, which gains
    1.4-2x there while ConvNeXt loses.
    """
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and isinstance(module, torchvision.models.VGG) and cpu_has_bf16()


def cpu_has_bf16() -> bool:
    """Tell whether this CPU multiplies bfloat16 in hardware (AVX-512 or AMX; unknown counts as no)."""
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, question, bool)()) for question in questions)


def _check(name: str, fine: bool, value: object, wanted: str) -> None:
    if not fine:
        raise EvoscopeError(f"training.{name}={value!r} is impossible", f"give {wanted}")


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
