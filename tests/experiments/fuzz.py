"""Commands made from the schema: every key with wrong types, numbers out of range, names that there are not."""

import dataclasses
import random
import typing
from enum import Enum

from experiments.command import annotation, keys, options
from experiments.limits import limit_of

EXPERIMENTS = [
    "train",
    "unified_space",
    "coverage",
    "training_behaviour",
    "concept_discovery",
    "outlier_discovery",
    "human_eval",
    "tabular_concepts",
    "scenes",
    "quickstart",
    "results",
]
WORDS = [
    "fast",
    "",
    "'a b'",
    "[1]",
    "[]",
    "[a,b]",
    "{a: 1}",
    "null",
    "true",
    "1e400",
    "-0",
    "é",
    "a,b",
    "x=y",
    "${nope}",
    "[[1]]",
]
NUMBERS = ["-1", "0", "1.5", "inf", "-inf", "nan", "4294967296", "1e30", "99999999999999999999", "-2147483648"]
# Reading the whole disk is no fault of ours, and a server's name is whatever the user says.
LEFT_OUT = ("runs", "protocols", "protocol.space", "protocol.discovery", "protocol.reversal", "model.kwargs")
ADDED = (
    [f"runs.vgg19.{key}" for key in ("epochs", "stages", "model.name", "model.width", "training.lr")]
    + [f"protocol.space.{key}" for key in ("k", "dim", "image_solver", "min_coverage", "responsive")]
    + ["protocol.reversal.random", "protocol.reversal.bins.cut", "protocol.discovery.side", "protocol.listing"]
)


@dataclasses.dataclass(frozen=True)
class Command:
    """A command that most likely is wrong, and the key at which it is."""

    arguments: tuple[str, ...]
    key: str


def commands(seed: int, count: int) -> list[Command]:
    """``count`` commands drawn from ``seed``."""
    draw = random.Random(seed)
    return [_command(draw) for _ in range(count)]


def _command(draw: random.Random) -> Command:
    known = [*(key for key in keys() if key not in LEFT_OUT and key not in ("task", "store", "outputs")), *ADDED]
    key, experiment = draw.choice(known), draw.choice(EXPERIMENTS)
    kind = draw.choice(["value", "value", "value", "value", "name", "group"])
    if kind == "name":
        place = draw.randrange(len(key))
        wrong = key[:place] + draw.choice("xyz") + key[place + draw.randrange(2) :]
        return Command((f"experiment={experiment}", f"{wrong}=1"), wrong)
    if kind == "group":
        group = draw.choice(["data", "model", "scale", "protocol", "runs", "training", "experiment"])
        name = draw.choice(options(group))
        return Command((f"experiment={experiment}", f"{group}={name}x"), group)
    return Command((f"experiment={experiment}", f"{key}={_value(draw, key)}"), key)


def _value(draw: random.Random, key: str) -> str:
    hint = annotation(key)
    inner = typing.get_args(hint) or (hint,)
    numeric = int in inner or float in inner or limit_of(key) is not None
    value = draw.choice(NUMBERS + WORDS if numeric else WORDS + NUMBERS[:4])
    if "list" in str(hint) and draw.random() < 0.7:
        return f"[{value}]"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return draw.choice([*WORDS, "Warn", "skipp"])
    return value
