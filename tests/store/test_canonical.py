import enum
import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from evoscope.store.hashing import canonical, canonical_digest, plain, pretty


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass(frozen=True)
class Inner:
    rate: float
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Outer:
    inner: Inner
    colour: Colour


def random_json(rng: random.Random, depth: int = 3):
    leaves = [
        lambda: rng.random() * 10 ** rng.randint(-300, 300),
        lambda: rng.randint(-(10**20), 10**20),
        lambda: "".join(chr(rng.randint(0, 0x2FFF)) for _ in range(rng.randint(0, 6))),
        lambda: rng.choice([None, True, False]),
    ]
    if depth and rng.random() < 0.6:
        count = rng.randint(0, 4)
        if rng.random() < 0.5:
            return [random_json(rng, depth - 1) for _ in range(count)]
        return {f"n{rng.randint(0, 99)}é": random_json(rng, depth - 1) for _ in range(count)}
    return rng.choice(leaves)()


def shuffled(value, rng: random.Random):
    """The same document with the members of every object in another order, and tuples for lists."""
    if isinstance(value, dict):
        items = list(value.items())
        rng.shuffle(items)
        return {name: shuffled(item, rng) for name, item in items}
    return tuple(shuffled(item, rng) for item in value) if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(30))
def test_order_and_tuples_do_not_matter_and_nothing_is_lost(seed):
    rng = random.Random(seed)
    document = {"root": random_json(rng)}
    assert canonical(shuffled(document, rng)) == canonical(document)
    assert json.loads(canonical(document)) == document
    assert json.loads(pretty(document)) == document
    assert canonical(document).isascii()


def test_dataclasses_and_enums_are_spelled_as_their_values():
    document = Outer(Inner(1e-3, (1, 2)), Colour.RED)
    assert canonical(document) == '{"colour":"red","inner":{"rate":0.001,"sizes":[1,2]}}'
    assert canonical([Level.HIGH]) == "[3]"


def test_floats_keep_every_bit():
    values = [0.1 + 0.2, 1e-310, 5e-324, 1.7976931348623157e308, 1 / 3]
    assert json.loads(canonical(values)) == values


def test_kinds_of_values_do_not_mix():
    spellings = {canonical(value) for value in (1, 1.0, "1", True, [1], None, "None", {"1": 1})}
    assert len(spellings) == 8


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_without_a_spelling_are_refused_by_name(value):
    with pytest.raises(ValueError, match=r"value\.train\.lr\[1\]"):
        plain({"train": {"lr": [0.1, value]}})


@pytest.mark.parametrize("value", [Path("/data"), {1, 2}, np.zeros(2), np.int64(3), b"x", object(), Inner, {1: "a"}])
def test_values_without_a_spelling_are_refused_by_name(value):
    with pytest.raises(TypeError, match=r"value\.data"):
        plain({"data": value})


def test_the_digest_is_of_the_canonical_text():
    assert canonical_digest({"b": 1, "a": 2}) == canonical_digest({"a": 2, "b": 1}) != canonical_digest({"a": 2})
