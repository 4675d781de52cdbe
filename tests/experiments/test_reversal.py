"""What is reverted under which protocol, and what drops are averaged over."""

import numpy as np
import pandas as pd
import pytest

from evoscope.activations.stimuli import NeuronIndex
from evoscope.evolution import BinRule, ReversalProtocol
from evoscope.evolution.importance import EvolutionImportance
from evoscope.store import Store, stage
from evoscope.store.stage import STAGES
from experiments.stages.importance import ClassImportance, EpochPair
from experiments.stages.reversal import ReversalCase, Reversals, conditions_of, reversal_table

LAYER = np.repeat([0, 1], 5).astype(np.int32)
EARLY, LATE = EpochPair("early to middle", 0, 2), EpochPair("middle to late", 2, 6)


@pytest.fixture
def importance():
    """Two samples of the importance of ten neurons in two layers."""
    index = NeuronIndex(("a", "b"), LAYER, np.tile(np.arange(5, dtype=np.int32), 2), np.ones((2, 2), int))
    positive = np.arange(10), np.arange(10)[::-1]
    samples = (EvolutionImportance(index, 0, tuple("abcdefghij"), p, 10 - p, p / 10) for p in positive)
    return ClassImportance("class", 0, 1, tuple(samples))


def test_bins_are_those_of_each_sample(importance):
    found = conditions_of(importance, ReversalProtocol(), draws=3, seed=0)
    assert found.bins[:, :5].tolist() == [[3, 2, 1, 0, 0], [0, 0, 1, 2, 3]]
    assert (found.draws, found.random, found.layers) == (3, "fixed", ("a", "b"))


def test_as_released_sets_are_drawn_once_per_batch(importance):
    released = ReversalProtocol(BinRule("channel", "quarter"), "per_batch")
    found = conditions_of(importance, released, draws=3, seed=0)
    assert found.bins[:, :5].tolist() == [[-1, 3, 2, 1, 0], [0, 1, 2, 3, -1]]
    assert (found.draws, found.random, found.rule) == (1, "per_batch", released.bins)


@pytest.fixture
def table(tmp_path):
    """Rows of the table of two classes in each of some pairs and protocols."""
    before = dict(STAGES)

    @stage(version=1)
    def counted(label: int, wrong: int, together: bool) -> Reversals:
        """With bin 1 reverted in layer ``a``, ``wrong`` of 10 images are; layer ``b`` repeats it and loses none."""
        rows = [("*", "none", 10), ("a", "bin1", 10 - wrong), ("b", "bin1", 10)]
        rows += [("*", "bin1", 0)] if together else []
        frame = pd.DataFrame(rows, columns=["layer", "condition", "top1"])
        return Reversals(frame.assign(split="test", number=0, images=10, top5=10, label=label), ("a",))

    def made(*cases: tuple[EpochPair, str, int], together: bool = True) -> pd.DataFrame:
        held = [
            ReversalCase("vgg16", pair, protocol, counted(label, wrong + label, together))
            for pair, protocol, wrong in cases
            for label in (0, 2)
        ]
        node = reversal_table(held, 100, 0)
        rows = node.at(Store(tmp_path).get(node)).rows
        return rows[rows["metric"] == "top1"]

    yield made
    STAGES.clear()
    STAGES.update(before)


def test_classes_of_a_pair_and_protocol_are_summed_up_together(table):
    rows = table((EARLY, "corrected", 4), (LATE, "corrected", 6), (EARLY, "as_released", 1))
    once = rows[rows["layers"] == "once"]
    assert list(once["value"]) == pytest.approx([-0.5, -0.7, -0.2])
    assert list(once["protocol"]) == ["corrected", "corrected", "as_released"]
    assert list(zip(once["pair"], once["from_epoch"], once["to_epoch"], strict=True)) == [
        ("early to middle", 0, 2),
        ("middle to late", 2, 6),
        ("early to middle", 0, 2),
    ]
    assert set(once["classes"]) == {2}
    assert list(rows.columns[:5]) == ["run", "pair", "from_epoch", "to_epoch", "protocol"]


@pytest.mark.parametrize("together", [True, False])
def test_layers_count_once_as_listed_and_together(table, together):
    rows = table((EARLY, "corrected", 4), together=together).set_index("layers")["value"]
    expected = {"once": -0.5, "listed": -0.25, **({"together": -1.0} if together else {})}
    assert rows.to_dict() == pytest.approx(expected)
