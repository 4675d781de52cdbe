from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from evoscope.arrays import Doubles
from evoscope.store import Artefact, Machine, Runtime, Store, folder_stage, stage
from evoscope.store.stage import STAGES


@dataclass(frozen=True)
class Numbers:
    values: Doubles


@dataclass(frozen=True)
class Options:
    factor: float
    name: str = "plain"


class Pictures:
    """What an image set is to a stage: something with a fingerprint."""

    def __init__(self, fingerprint):
        self.fingerprint = fingerprint


@pytest.fixture(autouse=True)
def clean():
    """Stages made in a test are forgotten after it."""
    before = dict(STAGES)
    yield
    STAGES.clear()
    STAGES.update(before)


def toy_stages():
    ran = []

    @stage(version=1, label="numbers from {seed}")
    def numbers(count: int, seed: int, runtime: Runtime) -> Numbers:
        ran.append("numbers")
        return Numbers(np.random.default_rng(seed).normal(size=count))

    @stage(version=1)
    def scaled(parts: list[Artefact[Numbers]], options: Options, pictures: Pictures | None = None) -> Numbers:
        ran.append("scaled")
        return Numbers(options.factor * sum(part.load().values for part in parts))

    return numbers, scaled, ran


def test_a_call_makes_a_node_and_the_store_computes_it_once(tmp_path):
    numbers, scaled, ran = toy_stages()
    node = scaled([numbers(3, 0, Runtime()), numbers(3, 1, Runtime())], Options(2.0))
    assert ran == []
    assert numbers(3, 7, Runtime()).label == "numbers from 7"
    expected = 2 * sum(np.random.default_rng(seed).normal(size=3) for seed in (0, 1))
    for _ in range(2):
        found = node.at(Store(tmp_path).get(node))
        np.testing.assert_array_equal(found.values, expected)
    assert ran == ["numbers", "numbers", "scaled"]


def test_every_argument_counts_but_the_runtime():
    numbers, scaled, _ = toy_stages()
    base = numbers(3, 0, Runtime())
    assert numbers(3, 0, Runtime(memory_mb=1, workers=5)).key == base.key
    assert len({base.key, numbers(4, 0, Runtime()).key, numbers(3, 1, Runtime()).key}) == 3
    keys = {
        scaled([base], Options(2.0)).key,
        scaled([base, base], Options(2.0)).key,
        scaled([numbers(3, 1, Runtime())], Options(2.0)).key,
        scaled([base], Options(2.5)).key,
        scaled([base], Options(2.0, "other")).key,
        scaled([base], Options(2.0), Pictures("a")).key,
        scaled([base], Options(2.0), Pictures("b")).key,
    }
    assert len(keys) == 7


def test_a_machine_counts():
    @stage(version=1)
    def on(machine: Machine) -> Numbers:
        return Numbers(np.zeros(1))

    assert len({on(Machine("cpu", 1)).key, on(Machine("cpu", 2)).key, on(Machine("cuda", 0)).key}) == 3


@pytest.mark.parametrize("value", [Path("x"), {1, 2}, np.zeros(2), float("nan"), object()])
def test_an_argument_without_a_canonical_form_raises(value):
    @stage(version=1)
    def odd(value: object) -> Numbers:
        return Numbers(np.zeros(1))

    with pytest.raises((TypeError, ValueError), match="odd"):
        odd(value)


def test_a_repeated_name_raises():
    toy_stages()
    with pytest.raises(ValueError, match="numbers"):
        toy_stages()


def test_nodes_keep_their_key_under_another_label():
    numbers, _, _ = toy_stages()
    node = numbers(3, 0, Runtime())
    assert node.called("other").key == node.key
    assert node.called("other").label == "other"


def test_loading_outside_of_a_computation_is_an_error():
    numbers, _, _ = toy_stages()
    with pytest.raises(LookupError, match="numbers"):
        numbers(3, 0, Runtime()).load()


def test_an_artefact_that_is_no_input_cannot_be_loaded(tmp_path):
    numbers, _, _ = toy_stages()
    hidden = numbers(3, 5, Runtime())

    @stage(version=1)
    def sneaky(count: int) -> Numbers:
        return hidden.load()

    with pytest.raises(LookupError):
        Store(tmp_path).get(sneaky(3))


def test_a_folder_stage_writes_files_and_goes_on_where_it_was(tmp_path):
    starts = []

    @folder_stage(version=1, read=lambda folder: sorted(path.name for path in folder.glob("part-*")), resumable=True)
    def parts(folder: Path, count: int, runtime: Runtime) -> None:
        starts.append(len(list(folder.iterdir())))
        for number in range(count):
            (folder / f"part-{number}").write_text(str(number))
            if len(starts) == 1 and number == 1:
                raise KeyboardInterrupt

    store, node = Store(tmp_path), parts(3, Runtime())
    with pytest.raises(KeyboardInterrupt):
        store.get(node)
    assert node.at(store.get(node)) == ["part-0", "part-1", "part-2"]
    assert starts == [0, 2]
