"""Intervals over people and items, the primary contrast of each kind, and the sentence that it ends in."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks import studies
from evoscope.errors import EvoscopeError
from human_eval.analyse.contrasts import estimate, superiority
from human_eval.analyse.intervals import difference, share, spread
from human_eval.analyse.labels import agreements, says
from human_eval.analyse.report import analyse
from human_eval.answers import answer_table
from human_eval.design import Blocking, Options, design, synthetic_concepts, synthetic_neurons
from human_eval.design.trial import Contrast

CONCEPTS = synthetic_concepts(0, side=4)
NEURONS = synthetic_neurons(0, side=4)
WHOLE = Options(count=10, pictures=2, blocking=Blocking(1, 0, practice=0, catch=0, repeats=0))


def crossed(right, first=0):
    """A table of right answers [people, items]; items are numbered from ``first``."""
    people, items = np.indices(np.shape(right))
    return pd.DataFrame(
        {"participant": people.ravel(), "item": items.ravel() + first, "right": np.ravel(right).astype(bool)}
    )


def test_the_variance_is_that_of_people_and_items_less_that_of_answers():
    stream = np.random.default_rng(0)
    weight, people, items = stream.normal(size=40), stream.integers(6, size=40), np.arange(40) % 5
    found = spread(weight, people, items, [0] * 40)

    def over(of):
        sums = [sum(w for w, c in zip(weight, of, strict=True) if c == code) for code in sorted(set(of))]
        return sum(s * s for s in sums) * len(sums) / (len(sums) - 1), len(sums) - 1

    (vp, dp), (vi, di) = over(people), over(items)
    assert found.variance == pytest.approx(max(vp + vi - sum(weight**2), vp, vi))
    df = found.variance**2 / (vp**2 / dp + vi**2 / di)
    assert found.df == pytest.approx(max(df, min(dp, di)))


def test_with_alike_items_the_error_is_that_over_people():
    right = np.repeat(np.random.default_rng(1).random((30, 1)) < 0.5, 8, axis=1)
    found = spread(
        (right - right.mean()).ravel() / right.size, *crossed(right)[["participant", "item"]].T.values, [0] * 240
    )
    assert found.variance**0.5 == pytest.approx(stats.sem(right[:, 0]))


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize(("people", "items"), [(2, 15), (40, 15), (260, 60)])
def test_no_interval_is_a_point_or_leaves_the_scale(value, people, items):
    right = np.full((people, items), value)
    found = share(crossed(right), 0.2)
    assert 0 <= found.low < found.high <= 1
    assert found.high - found.low > 0.02
    both = pd.concat([crossed(right), crossed(1 - right, items)])
    gap = difference(both, np.arange(len(both)) < right.size)
    assert -1 <= gap.low < gap.high <= 1
    rated = both.assign(given=both["right"].astype(int))
    above = superiority(rated, np.arange(len(both)) < right.size)
    assert 0 <= above.low < above.high <= 1


def test_one_person_or_one_item_has_no_interval():
    for shape in ((1, 9), (9, 1)):
        found = share(crossed(np.random.default_rng(0).random(shape) < 0.5), 0.5)
        assert np.isnan([found.low, found.high, found.p]).all()


def answered(study, reply, people=12):
    """Answers of ``people`` to a study of one block, by ``reply`` (person, trial) -> fields."""
    block, trials = study.blocks[0], study.by_id()
    return answer_table(
        [
            {"participant": f"p{who}", "block": block.id, "trial": name, "ms": 3000, "texts": []}
            | reply(who, trials[name])
            for who in range(people)
            for name in block.trials
        ]
    )


def primary(study, answers, seed=0):
    table = analyse(study, answers, seed)["contrasts"]
    assert list(table["analysis"].iloc[:2]) == ["primary", "primary, nobody excluded"]
    return table.iloc[0]


def test_who_always_says_yes_shows_nothing():
    study = design("label_agreement", CONCEPTS, 0, "corrected", WHOLE)
    assert study.primary == Contrast("yes", "own", "foil")
    yes = answered(study, lambda who, trial: {"option": 0})
    found = primary(study, yes)
    assert (found["value"], found["p"] < 0.05) == (0, False)
    assert "not shown" in found["conclusion"]
    (row,) = analyse(study, yes)["accuracy"].to_dict("records")
    assert (row["accuracy"], row["chance"]) == (0.5, 0.5)
    told = primary(study, answered(study, lambda who, trial: {"option": trial.answer}))
    assert told["value"] == 1
    assert "lies above that of foil" in told["conclusion"]


def test_labels_without_foils_conclude_nothing():
    study = design("label_agreement", CONCEPTS, 0, "as_released", WHOLE)
    found = primary(study, answered(study, lambda who, trial: {"option": 0}))
    assert "habit of saying yes" in found["conclusion"]


def test_intruders_of_directions_are_compared_with_those_of_neurons():
    study = design("image_intruder", CONCEPTS, 0, "corrected", WHOLE)
    stream = np.random.default_rng(0)
    seen = {"svd": 0.9, "neuron": 0.5, "random": 0.2}

    def reply(who, trial):
        right = stream.random() < seen[trial.condition]
        return {"choice": trial.answer if right else (trial.answer + 1) % 5}

    found = primary(study, answered(study, reply, 30))
    assert found["low"] < 0.4 < found["high"]
    assert found["conclusion"].startswith("The accuracy of svd lies above that of neuron")
    table = analyse(study, answered(study, reply, 30))["contrasts"]
    assert (table["analysis"] == "secondary").sum() == 4


def rating(study, near, people=20):
    stream = np.random.default_rng(0)

    def reply(who, trial):
        middle = near if trial.condition == "near" else 0.0
        return {"option": int(np.digitize(stream.logistic() + middle, [-2, -1, 0, 1]))}

    return answered(study, reply, people)


def test_ratings_are_compared_by_their_order_and_by_a_cumulative_logit():
    study = design("pairwise_coherence", NEURONS, 0, "corrected", WHOLE)
    tables = analyse(study, rating(study, 1.5))
    found = tables["contrasts"].iloc[0]
    assert found["contrast"].startswith("probability that a rating is the higher one: near against random")
    assert found["low"] > 0.5
    (row,) = tables["ordinal_model"].to_dict("records")
    assert row["low"] < 1.5 < row["high"]
    assert row["estimate"] == pytest.approx(1.5, abs=0.3)
    assert primary(study, rating(study, 0.0))["p"] > 0.05
    apart = answered(study, lambda who, trial: {"option": 4 if trial.condition == "near" else 0})
    tables = analyse(study, apart)
    assert tables["ordinal_model"].empty
    assert tables["contrasts"].iloc[0]["low"] < tables["contrasts"].iloc[0]["high"] == 1


def naming(study, agreeing, seed=0):
    stream = np.random.default_rng(seed)
    words = [f"{a}{b}ish" for a in ("zebra", "quilt", "mango", "falcon") for b in "wxyz"]

    def reply(who, trial):
        own = f"thing{trial.item.replace('-', '')}"
        known = stream.random() < agreeing.get(trial.condition, 0)
        return {"texts": [own if known else str(stream.choice(words))]}

    return answered(study, reply)


def test_names_agree_beyond_shuffled_ones_only_where_they_tell_items_apart():
    study = design("concept_naming", CONCEPTS, 0, "corrected", WHOLE)
    assert study.primary == Contrast("agreement", "svd", "random")
    assert primary(study, naming(study, {"svd": 0.8}))["low"] > 0.3
    for everything in ({}, dict.fromkeys(("svd", "neuron", "random"), 0.5)):
        assert primary(study, naming(study, everything))["p"] > 0.05
    # All say the same of everything: perfect agreement, and none beyond that of shuffled names.
    same = answered(study, lambda who, trial: {"texts": ["a thing"]})
    found = primary(study, same)
    assert found["value"] == pytest.approx(0)
    assert found["low"] < 0 < found["high"]


def test_one_condition_of_names_is_compared_with_shuffled_ones():
    study = design("evolution_label", NEURONS, 0, "corrected", WHOLE)
    assert study.primary == Contrast("agreement")
    seen = answered(study, lambda who, trial: {"texts": [trial.item.replace("/", "") + n for n in "abc"]})
    found = primary(study, seen)
    assert found["p"] < 0.01
    assert found["value"] > 0.9
    blind = np.random.default_rng(0)
    guessed = answered(study, lambda who, trial: {"texts": [str(blind.choice(["fur", "wheels", "sky"]))] * 3})
    assert primary(study, guessed)["p"] > 0.05


def test_spelling_and_punctuation_do_not_count():
    assert all(says(text, "blue") for text in ("Blue.", " bleu", "blu", "It is BLUE!", "«blue»"))
    assert not any(says(text, "blue") for text in ("", "black", "bluebell", "red"))
    said, overlap = agreements([("striped fur",), ("Stripped fur.",), ("wheel",), ("",), ("",)])
    assert said.tolist() == [0, 0, 1, 2, 2]
    assert overlap.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_the_same_question_again():
    study = design("image_intruder", CONCEPTS, 0, "corrected", Options(blocking=Blocking(1, 30, repeats=10)))
    trials = {trial.item: trial for trial in study.trials if trial.role == "main"}

    def reply(who, trial):
        if trial.role == "repeat" and int(trial.item.split("-")[1]) % 2:
            return {"choice": (trial.answer + 1) % 5}
        return {"choice": trial.answer}

    table = analyse(study, answered(study, reply))["retest"]
    odd = [t.item for t in study.trials if t.role == "repeat" and int(t.item.split("-")[1]) % 2]
    expected = pd.Series([trials[item].condition for item in odd]).value_counts()
    assert table["pairs"].sum() == 12 * 10
    for row in table.itertuples():
        assert round((1 - row.alike) * row.pairs) == 12 * expected.get(row.condition, 0)
    assert table["chance"].to_numpy() == pytest.approx(0.2)


def test_the_primary_contrast_is_sealed_before_there_are_data():
    study = design("image_intruder", CONCEPTS, 0, "corrected", WHOLE)
    other = dataclasses.replace(study, primary=Contrast("right", "random"))
    from human_eval.design.files import key_digest, public

    assert key_digest(study) != key_digest(other)
    assert "svd" not in str(public(study))


def test_too_few_items_are_warned_of():
    right = np.random.default_rng(0).random((40, 8)) < 0.6
    study = design("alignability", NEURONS, 0, "corrected", WHOLE)
    table = crossed(right).assign(role="main", condition=study.primary.first, given=0, missing=False, alternatives=6)
    from human_eval.analyse.contrasts import conclusion

    found = estimate(study, study.primary, table)
    assert found.null == pytest.approx(1 / 6)
    assert "fewer than 15 items" in conclusion(study.primary, found)
    with pytest.raises(EvoscopeError, match="no answers"):
        estimate(study, Contrast("right", "nothing"), table)


@pytest.mark.parametrize("item_sd", [0, 1])
def test_the_interval_covers_people_and_items_drawn_anew(item_sd):
    covered, false = studies.coverage(200, 40, item_sd)
    assert 0.90 <= covered <= 0.995
    assert false <= 0.09


def test_wholly_item_bound_shares_vary_with_the_items():
    """What everybody sees in half of the items is known no better with more people."""
    right = np.repeat(np.random.default_rng(0).random((1, 15)) < 0.5, 260, axis=0)
    found = share(crossed(right), 0.2)
    assert found.high - found.low > 0.4
