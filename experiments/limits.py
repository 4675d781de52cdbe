"""Which numbers a key of the configuration can have, and which lists must hold something."""

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from evoscope.errors import EvoscopeError
from experiments.schema import Config


class Range(NamedTuple):
    """Numbers from ``least`` to ``most``; ``above``: ``least`` itself is no longer one of them."""

    least: float
    most: float
    above: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number is in the range."""
        return self.least <= value <= self.most and not (self.above and value == self.least)

    def words(self) -> str:
        """What may be given, in words."""
        least = f"more than {self.least:g}" if self.above else f"{self.least:g} or more"
        return least if self.most == MANY else f"{least}, and at most {self.most:.10g}"


MANY = 2**31 - 1  # more than this no count is
SEEDS = 2**32 - 1  # what the generators of NumPy and scikit-learn take
ANY = Range(-MANY, MANY)
COUNT, FROM_ZERO, EPOCH = Range(1, MANY), Range(0, MANY), Range(-1, MANY)
SHARE, PART, POSITIVE = Range(0, 1), Range(0, 1, above=True), Range(0, MANY, above=True)
WIDTH = Range(0, 8, above=True)

# By the end of a key: the longest end that fits counts. `runs.NAME.model.width` is a `model.width`.
LIMITS = {
    "seed": Range(0, SEEDS),
    "threads": Range(1, 4096),
    "workers": Range(0, 4096),
    "processes": Range(1, 64),
    "val_fraction": Range(0.0, 0.99, above=True),
    "layer_scale": ANY,
    "mean": ANY,
    "participants": Range(2, 1_000_000),
    **dict.fromkeys(("older_than_days", "study.items", "training.epochs", "eval_images", "blind"), FROM_ZERO),
    **dict.fromkeys(("lr", "momentum", "weight_decay"), FROM_ZERO),
    **dict.fromkeys(("epochs", "epoch", "stages", "look_at", "pairs"), EPOCH),
    **dict.fromkeys(("pool_fraction", "crop_fraction"), PART),
    **dict.fromkeys(("confounder", "dropout", "thresholds", "mislabelled"), SHARE),
    **dict.fromkeys(("probabilities", "stamp_probabilities"), SHARE),
    **dict.fromkeys(("width", "convnext_width"), WIDTH),
    **dict.fromkeys(("depth", "convnext_depth"), Range(0, 100, above=True)),
    **dict.fromkeys(("pixels", "inception_pixels", "convnext_pixels"), Range(1, 8192)),
    **dict.fromkeys(("std", "tabular.lr"), POSITIVE),
    **dict.fromkeys(("seeds", "stamp_seeds"), Range(1, 10_000)),
    **dict.fromkeys(("bootstrap", "resamples"), Range(1, 1_000_000)),
    **dict.fromkeys(("classes", "train_images", "test_images", "real_train_images", "per_class"), COUNT),
    **dict.fromkeys(("pool_images", "importance_images", "reversal_images", "latent_images"), COUNT),
    **dict.fromkeys(("ablated_images", "importance_classes", "importance_samples", "random_draws"), COUNT),
    **dict.fromkeys(("memory_mb", "batch_size", "evolution.batch", "sweep_pools", "sweep_ks"), COUNT),
    **dict.fromkeys(("scale.epochs", "quick.epochs", "slow_epochs", "stamp_epochs", "tabular.epochs"), COUNT),
    **dict.fromkeys(("skipgram_epochs", "image_sweeps", "neighbours", "concepts", "hidden"), COUNT),
}
# Lists that may hold nothing; every other is refused when it is empty, because null stands for "all" or "the usual".
MAY_BE_EMPTY = ("layers", "export", "protected")
COUNTED = dict.fromkeys(("train_images", "test_images", "per_class", "pool_images"), "images") | {"classes": "classes"}


def check_limits(config: Config) -> None:
    """Refuse numbers that are none, or out of their range, and empty lists.

    Raises
    ------
    EvoscopeError : the first such key, and what it takes.
    """
    values = list(_values(dataclasses.asdict(config), ""))
    # The scale's first, because runs, data and models refer to them.
    for key, value in sorted(values, key=lambda each: not each[0].startswith("scale.")):
        if isinstance(value, list) and not value and key.rpartition(".")[2] not in MAY_BE_EMPTY:
            raise EvoscopeError(f"{key} is empty", "give at least one value, or leave it out")
        for each in _numbers(value):
            _check_number(key, each)
    several = max(config.scale.seeds, config.scale.stamp_seeds)
    if config.seed + several - 1 > SEEDS:
        raise EvoscopeError(
            f"seed={config.seed} leaves no room for {several} seeds", f"give at most {SEEDS - several + 1}"
        )


def _check_number(key: str, value: float) -> None:
    if not math.isfinite(value):
        raise EvoscopeError(f"{key}={value} is no finite number", "give one")
    limit = limit_of(key)
    if limit is not None and not limit.holds(value):
        what = COUNTED.get(key.rpartition(".")[2])
        verb = f"is not a number of {what}" if what else "is impossible"
        raise EvoscopeError(f"{key}={value} {verb}", f"give {limit.words()}")


def limit_of(key: str) -> Range | None:
    """The range of a dotted key; nothing for keys of a protocol, which its own dataclass checks."""
    parts = key.split(".")
    if parts[0] in ("protocol", "protocols"):
        return None
    ends = (".".join(parts[start:]) for start in range(len(parts)))
    return next((LIMITS[end] for end in ends if end in LIMITS), None)


def _values(node: Any, stem: str) -> Iterator[tuple[str, Any]]:
    """Keys with their values, those of a user's own arguments left out."""
    for name, value in node.items():
        key = f"{stem}{name}"
        if isinstance(value, dict):
            yield from () if name == "kwargs" else _values(value, f"{key}.")
        else:
            yield key, value


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def check_device(device: str) -> None:
    """Refuse a device that there is not.

    Raises
    ------
    EvoscopeError : no such name, or no such device in this machine or build of torch.
    """
    there = {
        "cpu": 0,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    matched = re.fullmatch(r"([a-z]+)(?::(\d+))?", device)
    kind = matched[1] if matched is not None else ""
    if device in ("auto", "cpu"):
        return
    known = ["auto", "cpu", *(name for name, count in there.items() if count)]
    if kind not in there or kind == "cpu":
        raise EvoscopeError(f"there is no device={device}", f"choose one of {', '.join(known)}")
    if matched is None or int(matched[2] or 0) >= there[kind]:
        found = f"torch sees {there[kind]} of that kind"
        raise EvoscopeError(f"device={device} is not there ({found})", f"choose one of {', '.join(known)}")
