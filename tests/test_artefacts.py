import enum
import json
import math
import re
from dataclasses import dataclass, fields
from typing import Literal, Optional

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from evoscope.activations.stimuli import NeuronIndex, Stimuli
from evoscope.arrays import Array, Bools, Floats
from evoscope.artefacts import load, save
from evoscope.errors import EvoscopeError
from evoscope.space.protocol import Projection, SemanticSpace


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Colour(enum.Enum):
    RED = "red"


@dataclass(frozen=True)
class Part:
    names: tuple[str, ...]
    weights: Floats
    hidden: Bools | None


@dataclass(frozen=True)
class Whole:
    part: Part
    maybe: Part | None
    older: Optional[Part]  # noqa: UP045 (the older spelling must load too)
    parts: tuple[Part, ...]
    table: pd.DataFrame
    no_table: pd.DataFrame | None
    any_array: Array
    text: str
    count: int
    share: float
    nothing: float | None
    flag: bool
    level: Level
    colour: Colour
    mode: Literal["a", "b"]
    pair: tuple[int, float]
    nested: tuple[tuple[str, ...], ...]


def part(rng, names=("a", "é\u2028"), hidden=True):
    return Part(names, rng.random((3, 2), dtype=np.float32), rng.random(4) < 0.5 if hidden else None)


def whole(rng, **changes):
    table = pd.DataFrame({"epoch": [0, 1], "loss": [math.nan, 0.5], "name": ["x", "y"], "ok": [True, False]})
    values = {
        "part": part(rng),
        "maybe": None,
        "older": part(rng, names=()),
        "parts": (part(rng), part(rng, hidden=False)),
        "table": table,
        "no_table": None,
        "any_array": rng.integers(0, 9, (2, 0, 3)),
        "text": 'quote " newline \n',
        "count": 2**70,
        "share": 0.1 + 0.2,
        "nothing": None,
        "flag": True,
        "level": Level.HIGH,
        "colour": Colour.RED,
        "mode": "b",
        "pair": (3, math.inf),
        "nested": (("a",), ()),
    }
    return Whole(**(values | changes))


def assert_same(one, two):
    """Same types, same values, same bits; NaN equals NaN."""
    assert type(one) is type(two)
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (two.dtype, two.shape)
        assert one.tobytes() == two.tobytes()
    elif isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, two)
    elif isinstance(one, tuple):
        assert len(one) == len(two)
        for left, right in zip(one, two, strict=True):
            assert_same(left, right)
    elif hasattr(one, "__dataclass_fields__"):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(two, field.name))
    else:
        assert one == two or (math.isnan(one) and math.isnan(two))


@dataclass(frozen=True)
class Holder:
    values: Array


@pytest.mark.parametrize("seed", range(5))
def test_everything_comes_back_as_it_was(tmp_path, seed):
    original = whole(np.random.default_rng(seed))
    save(original, tmp_path / "new" / "folder")
    assert_same(load(Whole, tmp_path / "new" / "folder"), original)


@pytest.mark.parametrize("seed", range(3))
def test_the_librarys_own_artefacts_come_back(tmp_path, seed):
    rng = np.random.default_rng(seed)

    def small(*shape):
        return rng.integers(0, 99, shape).astype(np.int32)

    def real(*shape):
        return rng.normal(size=shape).astype(np.float32)

    neurons = NeuronIndex(("features.0", "features.3"), small(6), small(6), small(2, 2))
    byte = rng.integers(0, 4, 6).astype(np.uint8)
    ids = ("a", "b", "c")
    stimuli = Stimuli(ids, neurons, small(6, 3), real(6, 3), small(6, 3, 2), byte, real(6), real(6), small(3, 0))
    vectors = real(6, 4)
    vectors[2] = np.nan
    space = SemanticSpace(ids, vectors, real(3, 4), real(3) > 0, real(3) > 0, real(0), math.nan)
    for number, original in enumerate((stimuli, space, Projection(vectors, real(6), real(6) > 0))):
        save(original, tmp_path / str(number))
        assert_same(load(type(original), tmp_path / str(number)), original)


DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 4, 2)])
def test_arrays_of_any_type_and_shape_come_back(tmp_path, dtype, shape):
    values = np.random.default_rng().integers(0, 2, shape).astype(dtype)
    save(Holder(np.asarray(values)), tmp_path)
    assert_same(load(Holder, tmp_path).values, np.asarray(values))


def test_arrays_come_back_however_they_lie_in_memory(tmp_path):
    base = np.random.default_rng().random((6, 8))
    layouts = [base.T, base[::-2, 1:], np.asfortranarray(base), np.broadcast_to(base[0], (3, 8)), base.astype(">f8")]
    for number, values in enumerate(layouts):
        save(Holder(values), tmp_path / str(number))
        loaded = load(Holder, tmp_path / str(number)).values
        np.testing.assert_array_equal(loaded, values)
        assert loaded.dtype == np.float64


def test_loaded_arrays_are_the_callers_own(tmp_path):
    save(Holder(np.zeros(3)), tmp_path)
    load(Holder, tmp_path).values[:] = 1
    assert load(Holder, tmp_path).values.sum() == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1, 3])
def test_floats_of_every_kind_come_back_in_valid_json(tmp_path, value):
    save(whole(np.random.default_rng(0), share=value), tmp_path)
    loaded = load(Whole, tmp_path).share
    assert isinstance(loaded, float)
    assert np.float64(loaded).tobytes() == np.float64(value).tobytes()
    refuse = {"parse_constant": lambda name: pytest.fail(f"{name} is no JSON")}
    json.loads((tmp_path / "fields.json").read_text(), **refuse)


def test_numpy_numbers_pass_as_numbers(tmp_path):
    changes = {"share": np.float32(0.1), "count": np.int64(5), "flag": np.bool_(False), "nothing": np.float64(2)}
    save(whole(np.random.default_rng(0), **changes), tmp_path)
    loaded = load(Whole, tmp_path)
    assert (loaded.share, loaded.count, loaded.flag, loaded.nothing) == (float(np.float32(0.1)), 5, False, 2.0)
    assert {type(loaded.share), type(loaded.count), type(loaded.flag)} == {float, int, bool}


def test_the_same_object_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        save(whole(np.random.default_rng(1)), tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["arrays.safetensors", "fields.json", "table.parquet"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_arrays_are_named_by_their_fields(tmp_path):
    save(whole(np.random.default_rng(1)), tmp_path)
    names = ["any_array", "older.hidden", "older.weights", "part.hidden", "part.weights"]
    names += ["parts.0.hidden", "parts.0.weights", "parts.1.weights"]
    assert sorted(load_file(tmp_path / "arrays.safetensors")) == names


@pytest.mark.parametrize(
    "changes",
    [
        {"text": 3},
        {"count": 2.5},
        {"count": True},
        {"share": "0.5"},
        {"share": None},
        {"flag": 1},
        {"level": 2},
        {"mode": "c"},
        {"pair": (1, 2.0, 3.0)},
        {"nested": ["a"]},
        {"any_array": [1, 2]},
        {"any_array": np.array(["a"])},
        {"any_array": np.array([None])},
        {"table": {"a": 1}},
        {"part": Holder(np.zeros(1))},
    ],
)
def test_a_field_that_breaks_its_annotation_is_a_program_error_and_nothing_is_written(tmp_path, changes):
    with pytest.raises(TypeError, match=f"field {next(iter(changes))}"):
        save(whole(np.random.default_rng(0), **changes), tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@dataclass(frozen=True)
class Loose:
    values: int | str


@dataclass(frozen=True)
class Unsaveable:
    values: dict[str, int]


@pytest.mark.parametrize("obj", [Loose(1), Unsaveable({}), 3])
def test_types_that_cannot_be_saved_are_program_errors(tmp_path, obj):
    with pytest.raises(TypeError):
        save(obj, tmp_path)


def damage_absent(path):
    path.unlink()


def damage_empty(path):
    path.write_bytes(b"")


def damage_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_start(path):
    path.write_bytes(b"\xff" * 20 + path.read_bytes()[20:])


@pytest.mark.parametrize("damage", [damage_absent, damage_empty, damage_half, damage_start])
@pytest.mark.parametrize("name", ["arrays.safetensors", "fields.json", "table.parquet"])
def test_a_damaged_file_is_named(tmp_path, name, damage):
    save(whole(np.random.default_rng(0)), tmp_path)
    damage(tmp_path / name)
    with pytest.raises(EvoscopeError, match=re.escape(name)):
        load(Whole, tmp_path)


def edit(folder, change):
    document = json.loads((folder / "fields.json").read_text())
    change(document)
    (folder / "fields.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update({"class": "Other"}),
        lambda document: document.pop("fields"),
        lambda document: document["fields"].pop("text"),
        lambda document: document["fields"].update(extra=1),
        lambda document: document["fields"].update(count="5"),
        lambda document: document["fields"].update(share="abc"),
        lambda document: document["fields"].update(text=None),
        lambda document: document["fields"].update(level=9),
        lambda document: document["fields"].update(colour="blue"),
        lambda document: document["fields"].update(mode="c"),
        lambda document: document["fields"].update(any_array=None),
        lambda document: document["fields"].update(table="array"),
        lambda document: document["fields"].update(pair=[1]),
        lambda document: document["fields"].update(nested="ab"),
        lambda document: document["fields"]["part"].pop("names"),
        lambda document: document["fields"]["part"].update(names=[1]),
    ],
)
def test_fields_that_do_not_fit_the_class_are_refused(tmp_path, change):
    save(whole(np.random.default_rng(0)), tmp_path)
    edit(tmp_path, change)
    with pytest.raises(EvoscopeError, match=r"fields\.json"):
        load(Whole, tmp_path)


def test_arrays_that_do_not_fit_the_class_are_refused(tmp_path):
    save(whole(np.random.default_rng(0)), tmp_path)
    path = tmp_path / "arrays.safetensors"
    arrays = load_file(path)
    save_file(arrays | {"stranger": np.zeros(2)}, path)
    with pytest.raises(EvoscopeError, match="stranger"):
        load(Whole, tmp_path)
    save_file({name: values for name, values in arrays.items() if name != "part.weights"}, path)
    with pytest.raises(EvoscopeError, match=r"part\.weights"):
        load(Whole, tmp_path)


def test_another_class_is_refused_by_name(tmp_path):
    save(Holder(np.zeros(2)), tmp_path)
    with pytest.raises(EvoscopeError, match="holds Holder, not Part"):
        load(Part, tmp_path)
    with pytest.raises(EvoscopeError, match="is missing"):
        load(Part, tmp_path / "nowhere")


@dataclass(frozen=True)
class Empty:
    values: NDArray[np.float32] | None = None


def test_an_object_without_arrays_has_no_arrays_file(tmp_path):
    save(Empty(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["fields.json"]
    assert load(Empty, tmp_path) == Empty()
