"""Concepts of tables: which directions are looked at, what decides a result, and what a user gets wrong."""

from dataclasses import replace

import numpy as np
import pytest

from evoscope.data.tables import open_table
from evoscope.discovery.ranking import ClassRanking
from evoscope.store import Machine, Runtime
from experiments.stages.tabular import TableNetwork, strongest, tabular, tabular_training
from tests import protocols


def test_half_of_the_directions_are_chosen_by_z_and_half_by_singular_value():
    z = np.array([[0.1, 0.2, np.nan, -9, 3, 0], [0.0, 0.1, np.nan, 2, -5, 7]])
    ranking = ClassRanking("layer", "svd", np.array([3, 3]), z, "both")
    assert strongest(ranking, 5).tolist() == [3, 5, 4, 0, 1]
    never = ClassRanking("layer", "svd", np.array([6, 0]), np.full((2, 6), np.nan), "both")
    assert strongest(never, 4).tolist() == [0, 1, 2, 3]


def test_results_are_named_by_what_is_protected_and_by_the_threads_of_the_training(tmp_path):
    table = open_table("wine", tmp_path, 0)

    def found(table, threads=1):
        machine = Machine("cpu", threads)
        training = tabular_training(replace(table, protected=()), (4,), 1, 0.1, 8, 0, machine, Runtime())
        network = TableNetwork((4,), training, 0, machine)
        return training.key, tabular(table, [network], protocols.discovery("corrected"), 10, Runtime()).key

    protecting = replace(table, protected=table.columns[:1])
    trainings, results = zip(found(table), found(protecting), found(table, threads=2), strict=True)
    assert trainings[0] == trainings[1] != trainings[2]
    assert len(set(results)) == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tabular.name=compas", "data.root=nowhere"], "github.com/propublica/compas-analysis"),
        (["tabular.protected=[race]", "tabular.name=wine"], "has no column 'race' to protect"),
        (["tabular.path=nowhere.csv"], "there is no file"),
        (["tabular.hidden=[]", "tabular.name=wine"], "tabular.hidden is empty"),
    ],
)
def test_mistakes_end_in_one_sentence(run_py, arguments, sentence):
    done = run_py("experiment=tabular_concepts", "scale=smoke", *arguments)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_users_table_of_three_classes_is_read(run_py, tmp_path):
    rng = np.random.default_rng(0)
    values, labels = rng.random((60, 2)), rng.integers(0, 3, 60)
    lines = [f"{a:.4f},{b:.4f},{int(a > 0.5)},kind {c}" for (a, b), c in zip(values, labels, strict=True)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["first,second,group,kind", *lines]))
    options = [f"tabular.path={path}", "tabular.target=kind", "tabular.protected=[group]", "tabular.epochs=3"]
    done = run_py("experiment=tabular_concepts", "scale=smoke", *options)
    assert done.returncode == 0, done.stderr
    (text,) = (found.read_text() for found in tmp_path.rglob("table_tabular.md"))
    assert "Share predicted kind 2" in text
    assert "group > 0.5" in text
