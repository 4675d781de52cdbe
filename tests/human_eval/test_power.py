from math import comb

import numpy as np
import pytest

from evoscope.errors import EvoscopeError
from human_eval.design import (
    Effect,
    critical_count,
    exact_power,
    participants_needed,
    power_table,
    simulated_power,
)


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


def test_next_to_no_effect_is_found_as_often_as_the_level_says():
    effect = Effect(1 / 6 + 1e-9, 1 / 6, 0.5, 0)
    assert simulated_power(effect, 30, 30, 0, 3000) == pytest.approx(0.05, abs=0.03)


def test_spread_keeps_the_mean_accuracy_and_costs_power():
    from human_eval.design.power import _answers

    stream = np.random.default_rng(0)
    assert _answers(Effect(0.3, 1 / 6, 1.5, 1.0), 50, 20, 300, stream).mean() == pytest.approx(0.3, abs=0.01)
    narrow = simulated_power(Effect(0.22, 1 / 6, 0, 0), 10, 20, 0)
    assert simulated_power(Effect(0.22, 1 / 6, 1.5, 0), 10, 20, 0) < narrow - 0.1


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
