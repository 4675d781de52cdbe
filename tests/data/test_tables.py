"""Tables: OpenXAI's COMPAS from either file, users' CSVs, and what is wrong with some."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evoscope.data.tables import COLUMNS, RAW, SPLIT, TARGET, Part, Table, open_table, prepared
from evoscope.errors import EvoscopeError

REAL = Path(os.environ.get("EVOSCOPE_DATA", Path(__file__).resolve().parents[3] / "shared/data"))
needs_compas = pytest.mark.skipif(not (REAL / "compas" / RAW).is_file(), reason="COMPAS is not here")


def person(**other):
    row = {
        "days_b_screening_arrest": -1, "is_recid": 0, "c_charge_degree": "F", "score_text": "Low", "age": 40,
        "two_year_recid": 0, "priors_count": 2, "c_jail_in": "2013-01-01 06:00:00", "c_jail_out": "2013-01-03 05:00:00",
        "sex": "Male", "race": "Other",
    }  # fmt: skip
    return row | other


@pytest.fixture
def mine(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=40), "b": rng.integers(0, 2, 40), "label": ["yes", "no"] * 20})
    return tmp_path / "mine.csv", frame


def opened(mine, **options):
    path, frame = mine
    frame.to_csv(path, index=False)
    return open_table("auto", path.parent, 0, path=path, **{"target": "label"} | options)


def test_recipe_keeps_and_turns_what_it_says():
    left_out = [
        person(days_b_screening_arrest=31),
        person(days_b_screening_arrest=None),
        person(is_recid=-1),
        person(c_charge_degree="O"),
        person(score_text=None),
    ]
    kept = [person(), person(score_text="High", sex="Female", race="African-American", c_charge_degree="M")]
    rows = prepared(pd.DataFrame(left_out + kept), "file")
    assert list(rows.columns) == [*COLUMNS, TARGET]
    assert rows.to_numpy().tolist() == [[40, 0, 2, 1, 1, 0, 0, 1], [40, 0, 2, 1, 0, 1, 1, 0]]


def test_missing_column_of_compas_is_named():
    with pytest.raises(EvoscopeError, match="no column 'score_text'"):
        prepared(pd.DataFrame([person()]).drop(columns="score_text"), "file")


def test_absent_compas_says_where_to_fetch_it(tmp_path):
    with pytest.raises(EvoscopeError, match=r"github\.com/propublica/compas-analysis"):
        open_table("compas", tmp_path, 0)


def test_without_compas_the_embedded_table_stands_in(tmp_path):
    table = open_table("auto", tmp_path, 0, protected=["race"], required=False)
    assert (table.name, len(table.train) + len(table.test)) == ("breast_cancer (scikit-learn)", 569)
    assert table.protected == ()
    assert table.class_names[table.shown] == "malignant"


def test_compas_below_the_root_is_found(tmp_path):
    (tmp_path / "compas").mkdir()
    people = [person(age=20 + n, score_text=["High", "Low"][n % 2]) for n in range(20)]
    pd.DataFrame(people).to_csv(tmp_path / "compas" / RAW, index=False)
    table = open_table("auto", tmp_path, 0, protected=["race", "age"])
    assert (table.name, table.columns, table.protected) == ("COMPAS", COLUMNS, ("race", "age"))
    assert (len(table.train), len(table.test)) == (16, 4)


def test_split_is_stratified_complete_and_seeded(mine):
    tables = [opened(mine), opened(mine)]
    assert tables[0].fingerprint == tables[1].fingerprint
    assert np.bincount(tables[0].test.labels).tolist() == [4, 4]
    both = np.concatenate([tables[0].train.values, tables[0].test.values])
    assert sorted(both[:, 0]) == pytest.approx(sorted(mine[1]["a"]))
    other = open_table("auto", mine[0].parent, 1, path=mine[0], target="label")
    assert other.fingerprint != tables[0].fingerprint


def test_what_is_shown_apart_is_part_of_the_fingerprint(mine):
    table = opened(mine)
    others = [replace(table, protected=(table.columns[0],)), replace(table, shown=1 - table.shown)]
    assert len({each.fingerprint for each in (table, *others)}) == 3


def test_scaling_is_fitted_on_the_training_rows():
    train, test = (
        Part(np.array(rows, dtype=float), np.zeros(2, dtype=int)) for rows in ([[2, 5], [4, 5]], [[3, 6], [6, 5]])
    )
    first, second = Table("t", ("a", "b"), ("x", "y"), (), 0, train, test).scaled()
    assert first.tolist() == [[0, 0], [1, 0]]
    assert second.tolist() == [[0.5, 1], [2, 0]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda frame: frame.rename(columns={"label": "class"}), "no column 'label'.*tabular.target to one of a, b"),
        (lambda frame: frame.assign(c="red"), "column 'c' .* is not of numbers"),
        (lambda frame: frame.assign(a=frame["a"].where(frame.index > 1)), "column 'a' .* has 2 values .* missing"),
        (lambda frame: frame.assign(label="yes"), "have the same 'label'"),
        (lambda frame: frame.assign(label=frame["label"].where(frame.index > 0)), "1 rows .* have no 'label'"),
        (lambda frame: frame.assign(label=["odd"] + ["even"] * 39), "class odd .* has 1 row"),
        (lambda frame: frame.assign(label=frame["a"]), "has 40 different values"),
        (lambda frame: frame[["label"]], "no inputs"),
        (lambda frame: frame[:0], "no rows"),
    ],
)  # fmt: skip
def test_bad_tables_end_in_one_sentence(mine, change, sentence):
    with pytest.raises(EvoscopeError, match=sentence):
        opened((mine[0], change(mine[1])))


def test_bad_files_and_names_end_in_one_sentence(tmp_path, mine):
    for text, sentence in ((b"", "is no CSV"), (b"\x80\x81\xff\n", "is no CSV")):
        mine[0].write_bytes(text)
        with pytest.raises(EvoscopeError, match=sentence):
            open_table("auto", tmp_path, 0, path=mine[0])
    with pytest.raises(EvoscopeError, match="there is no file"):
        open_table("auto", tmp_path, 0, path=tmp_path / "none.csv")
    with pytest.raises(EvoscopeError, match=r"there is no tabular\.name='adult'"):
        open_table("adult", tmp_path, 0)
    with pytest.raises(EvoscopeError, match="no column 'c' to protect"):
        opened(mine, protected=["c"])


@pytest.mark.realdata
@needs_compas
def test_real_recipe_gives_the_rows_of_openxai():
    raw = prepared(pd.read_csv(REAL / "compas" / RAW), RAW)
    theirs = pd.concat([pd.read_csv(REAL / "compas" / name) for name in SPLIT])[list(raw.columns)]
    assert len(raw) == 6172
    mine, others = (Counter(map(tuple, rows.to_numpy().tolist())) for rows in (raw, theirs))
    assert mine == others


@pytest.mark.realdata
@needs_compas
def test_real_split_of_openxai_is_kept():
    table = open_table("compas", REAL, 0, protected=["race", "sex_Female", "age"])
    assert (len(table.train), len(table.test)) == (4937, 1235)
    assert np.mean(table.test.labels == table.shown) == pytest.approx(0.185, abs=0.002)
