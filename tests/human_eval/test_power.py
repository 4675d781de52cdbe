from math import comb

import numpy as np
import pandas as pd
import pytest

from evoscope.errors import EvoscopeError
from human_eval.analyse.intervals import difference
from human_eval.design import Effect, participants_needed, power_table, simulated_power
from human_eval.design.power import _chances, _shown, critical_count, exact_power


def tail(n, p, c):
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(c, n + 1))


@pytest.mark.parametrize("n", [1, 2, 6, 20, 77])
def test_exact_power_is_the_binomial_tail_from_the_critical_count(n):
    c = critical_count(n, 1 / 6)
    assert tail(n, 1 / 6, c) <= 0.05 < tail(n, 1 / 6, c - 1)
    assert exact_power(n, 0.4, 1 / 6) == pytest.approx(tail(n, 0.4, c))


def test_without_spread_one_participant_has_the_exact_power():
    effect = Effect(0.4, 1 / 6, 0, 0)
    assert simulated_power(effect, 1, 20, 0, 4000) == pytest.approx(exact_power(20, 0.4, 1 / 6), abs=0.025)


@pytest.mark.parametrize("compared", [False, True])
def test_next_to_no_effect_is_found_as_often_as_the_level_says(compared):
    effect = Effect(1 / 2 + 1e-9, 1 / 2, 0.5, 0.8, compared)
    # Two-sided at .05, of which this direction has half.
    assert simulated_power(effect, 30, 30, 0, 800) == pytest.approx(0.025, abs=0.02)


def test_spread_over_people_or_items_costs_power():
    narrow = simulated_power(Effect(0.25, 1 / 6, 0, 0), 10, 20, 0)
    assert simulated_power(Effect(0.25, 1 / 6, 1.5, 0), 10, 20, 0) < narrow - 0.1
    assert simulated_power(Effect(0.25, 1 / 6, 0, 1.5), 10, 20, 0) < narrow - 0.1


def test_more_people_do_not_make_up_for_few_items():
    effect = Effect(0.3, 1 / 6, 0.5, 1.5)
    many = simulated_power(effect, 300, 8, 0)
    assert many < simulated_power(effect, 60, 40, 0) - 0.1
    assert participants_needed(effect, 5, 0.95, 0, most=200, draws=60) is None


def test_the_test_is_that_of_the_analysis():
    """The same answers are tested alike here and by the intervals of the analysis."""
    effect, agreed = Effect(0.45, 0.3, 0.5, 0.5, compared=True), 0
    for draw in range(25):
        people, items = 20, 12
        shown = _shown(effect, people, items, items, np.random.default_rng(draw))
        stream = np.random.default_rng(draw)
        ability, tables = stream.normal(0, 0.5, (people, 1)), []
        for number, accuracy in enumerate((0.45, 0.3)):
            chances = _chances(effect, accuracy, ability, items, stream)
            right = stream.random(chances.shape) < chances
            who, what = np.indices(right.shape)
            columns = {"participant": who.ravel(), "item": what.ravel() + 100 * number, "right": right.ravel()}
            tables.append(pd.DataFrame(columns))
        every = pd.concat(tables, ignore_index=True)
        found = difference(every, (every["item"] < 100).to_numpy())
        agreed += shown == (found.p < 0.05 and found.value > 0)
    assert agreed == 25


def test_the_table_has_every_combination_and_power_grows():
    rows = power_table(Effect(0.25), [5, 40], [10, 30], 0)
    assert [(row["participants"], row["trials"]) for row in rows] == [(5, 10), (5, 30), (40, 10), (40, 30)]
    assert rows[0]["power"] < rows[3]["power"]
    assert rows == power_table(Effect(0.25), [5, 40], [10, 30], 0)


@pytest.mark.parametrize("accuracy", [0.1, 1.0, 1 / 6])
def test_an_effect_below_chance_is_refused(accuracy):
    with pytest.raises(EvoscopeError, match="between chance and 1"):
        Effect(accuracy)


def test_fewest_participants_are_found_and_fewer_do_not_suffice():
    effect = Effect(0.4)
    needed = participants_needed(effect, 5, 0.8, 0)
    assert simulated_power(effect, needed, 5, 0) >= 0.8 > simulated_power(effect, needed - 1, 5, 0)
    assert participants_needed(Effect(0.17), 1, 0.9, 0, most=20, draws=50) is None
