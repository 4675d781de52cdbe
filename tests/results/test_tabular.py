"""The figure and the table of a table's concepts, also for tables that are not as one hopes."""

from dataclasses import replace

import numpy as np
import pytest

from evoscope.viz import use_style
from results import tabular
from results.registry import entry
from tests.results.tabular_maker import PROTECTED
from tests.results.tabular_maker import tabular as made


def drawn(found, about):
    with use_style():
        return tabular.tabular_figure({"tabular": found}, about)


@pytest.mark.parametrize(
    ("columns", "protected", "seeds", "count"),
    [
        (("age", "priors_count", "race", "sex_Female"), PROTECTED, 3, 6),
        (tuple(f"a very long name of an input, number {n}" for n in range(30)), (), 1, 6),
        (("only",), (), 1, 1),
        (("race", "sex_Female"), ("race", "sex_Female"), 1, 2),
    ],
    ids=["few", "many", "single", "all protected"],
)
def test_texts_do_not_collide(columns, protected, seeds, count, about, collisions):
    found = made(np.random.default_rng(1), columns, protected, seeds, count=count)
    found = replace(found, concepts=found.concepts.assign(class_name="a class with quite a long name of its own"))
    assert collisions(drawn(found, about)) == []


def test_unknown_values_are_dashes(about):
    found = made(np.random.default_rng(2), seeds=1)
    found.correlations.loc[0, ["value", "low", "high", "p"]] = np.nan
    found.concepts.loc[0, ["z", "share"]] = np.nan
    found.concepts.loc[0, "class_name"] = ""
    texts = [text.get_text() for text in drawn(found, about).axes[1].texts]
    assert texts.count("–") == 1
    assert tabular.concepts(found).loc[0, "protected"].count("–") == 1


def test_protected_inputs_stand_apart_and_all_are_kept():
    found = made(np.random.default_rng(3), tuple(f"c{n}" for n in range(30)), ("c7", "c29"))
    others, protected = tabular.columns_of(found)
    assert protected == ["c7", "c29"]
    assert len(others) == tabular.MOST - 2
    assert others == sorted(others, key=lambda name: int(name[1:]))


def test_caption_says_what_a_correlation_is_not(about):
    words = tabular.tabular_words({"tabular": made(np.random.default_rng(4))}, about)
    assert tabular.CAUTION in words
    assert "1,235 test rows" in words
    assert "mean of 2 networks" in words


def test_table_without_protected_columns_has_no_gaps(about, tmp_path):
    found = made(np.random.default_rng(5), ("a", "b"), (), 1)
    files = entry("table_tabular").draw({"tabular": found}, about, tmp_path)
    assert "Gaps" not in files[1].read_text()
