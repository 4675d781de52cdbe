import csv
import dataclasses
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from evoscope.errors import EvoscopeError
from human_eval.analyse.accuracy import MEASURED, accuracy, beside, fleiss_kappa, krippendorff_alpha
from human_eval.analyse.answers import agreement_matrix, exclusions, tidy
from human_eval.analyse.intervals import share
from human_eval.analyse.labels import label_agreement, label_embedding, mean_cosine, normalised, overlaps
from human_eval.analyse.report import accuracy_figure, analyse, write_report
from human_eval.answers import answer_table
from human_eval.design import Alignability, Blocking, Options, design, synthetic_concepts, synthetic_neurons
from human_eval.design.trial import Contrast

SETS = Alignability(sets=(("base_model", 12), ("random", 6)))
STUDY = design("alignability", synthetic_neurons(0, side=4), 0, "corrected", Options(SETS, blocking=Blocking(2)))
CONCEPTS = synthetic_concepts(0, side=4)
N = np.nan


def taken(study, skills, seed=0, ms=3000):
    """Answers of simulated observers: each is right with its probability, and otherwise takes a wrong panel."""
    stream, records = np.random.default_rng(seed), []
    for number, skill in enumerate(skills):
        block = study.blocks[number % len(study.blocks)]
        for place, name in enumerate(block.trials):
            trial = study.by_id()[name]
            right = trial.answer if trial.answer is not None else int(stream.integers(6))
            choice = right if stream.random() < skill else (right + int(stream.integers(1, 6))) % 6
            records.append(
                {
                    "participant": f"p{number}",
                    "block": block.id,
                    "trial": name,
                    "place": place,
                    "choice": choice,
                    "texts": [],
                    "ms": ms,
                }
            )
    return answer_table(records)


def test_krippendorffs_published_example():
    ratings = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
        [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
    ]
    assert krippendorff_alpha(ratings) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(ratings, "ordinal") == pytest.approx(0.815, abs=5e-4)


def test_fleiss_published_example():
    counts = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    assert fleiss_kappa(counts) == pytest.approx(0.210, abs=5e-4)


def test_agreement_is_one_if_perfect_near_zero_by_chance_and_unknown_if_constant():
    stream = np.random.default_rng(0)
    random = stream.integers(4, size=(5, 2000)).astype(float)
    same = np.repeat(random[:1], 5, axis=0)
    assert krippendorff_alpha(same) == pytest.approx(1)
    assert krippendorff_alpha(random) == pytest.approx(0, abs=0.02)
    assert np.isnan(krippendorff_alpha(np.ones((3, 4))))
    assert fleiss_kappa([[3, 0], [0, 3]]) == pytest.approx(1)
    assert np.isnan(fleiss_kappa([[3, 0], [3, 0]]))
    assert np.isnan(fleiss_kappa([[1, 0], [0, 1]]))


def test_planted_accuracy_is_found_and_planted_bad_raters_are_excluded():
    tables = analyse(STUDY, taken(STUDY, [0.97] * 60 + [1 / 6] * 8, seed=1))
    excluded = tables["exclusions"].set_index("participant")["excluded"]
    assert excluded[[f"p{n}" for n in range(60, 68)]].mean() >= 0.8
    assert excluded[[f"p{n}" for n in range(60)]].mean() <= 0.2
    (row,) = tables["accuracy"].to_dict("records")
    assert row["condition"] == "base_model"
    assert row["accuracy"] == pytest.approx(0.97, abs=0.02)
    assert row["low"] < row["accuracy"] < row["high"]
    assert row["chance"] == pytest.approx(1 / 6)
    assert row["p"] < 1e-6
    assert set(tables["agreement"]["condition"]) == {"base_model", "random"}
    kappa = tables["agreement"].set_index("condition")["krippendorff_alpha"]
    assert kappa["base_model"] > 0.8 > 0.3 > kappa["random"]


def test_random_observers_are_at_chance():
    lenient = dataclasses.replace(STUDY, exclusion=dataclasses.replace(STUDY.exclusion, catch_failures=9))
    (row,) = analyse(lenient, taken(STUDY, [1 / 6] * 60))["accuracy"].to_dict("records")
    assert row["accuracy"] == pytest.approx(1 / 6, abs=0.03)
    assert row["low"] < 1 / 6 < row["high"]


def test_fast_and_one_sided_observers_are_excluded_by_name_of_the_rule():
    fast, sided = taken(STUDY, [1.0], ms=200), taken(STUDY, [1.0])
    main = sided["trial"].isin([t.id for t in STUDY.trials if t.role == "main"])
    sided.loc[main, "choice"] = 3
    sided["participant"] = "q"
    reasons = analyse(STUDY, pd.concat([fast, sided]))["exclusions"].set_index("participant")["reasons"]
    assert reasons["p0"] == "answered too fast"
    assert reasons["q"] == "chose the same position"


@pytest.mark.parametrize("rows", [0, 1, 30])
def test_partial_data_are_analysed_and_written(rows, tmp_path):
    tables = analyse(STUDY, taken(STUDY, [1.0] * 2).head(rows))
    assert len(tables["answers"]) == rows
    assert len(write_report(tables, tmp_path)) > 13
    assert len(pd.read_parquet(tmp_path / "answers.parquet")) == rows


def slowly_excluded(study, part):
    """The measures of one participant's answers, by loops."""
    trials, first, again = study.by_id(), {}, {}
    given = [None if pd.isna(given) else int(given) for given in part["given"]]
    for name, item, role, taken in zip(part["trial"], part["item"], part["role"], given, strict=True):
        if role in ("main", "repeat") and taken is not None:
            source = trials[name].sources[taken]
            (first if role == "main" else again)[item] = source
    chosen = [taken for taken, role in zip(given, part["role"], strict=True) if role == "main" and taken is not None]
    both = [item for item in again if item in first]
    sizes = {block.id: len(block.trials) for block in study.blocks}
    catch = part[part["role"] == "catch"]["right"]
    return [
        len(part) / sizes[part["block"].iloc[0]],
        sum(not right for right in catch) if len(catch) else N,
        np.median(part[part["role"] == "main"]["ms"].astype(float)),
        max(map(chosen.count, chosen)) / len(chosen) if len(chosen) >= 10 else N,
        sum(first[item] == again[item] for item in both) / len(both) if len(both) >= 3 else N,
    ]


def test_measures_of_exclusion_equal_slow_ones():
    answers = taken(STUDY, [0.9, 0.2, 0.6, 1.0, 0.5], seed=4).sample(frac=0.8, random_state=1)
    answers["ms"] = np.random.default_rng(1).integers(100, 9000, len(answers))
    every = tidy(STUDY, answers)
    found = exclusions(STUDY, every).set_index("participant")
    columns = ["complete", "catch_failures", "median_ms", "same_position", "repeat"]
    for name, part in every.groupby("participant"):
        measured = found.loc[name, columns].to_numpy(dtype=float)
        np.testing.assert_allclose(measured, slowly_excluded(STUDY, part))


def test_overlaps_and_mean_cosine_equal_slow_ones():
    stream = np.random.default_rng(3)
    labels = [frozenset(stream.choice(list("abcdef"), 3)) for _ in range(12)]
    expected = [[len(a & b) / len(a | b) for b in labels] for a in labels]
    np.testing.assert_allclose(overlaps(labels), expected)
    vectors = stream.normal(size=(9, 4))
    vectors[2] = 0
    unit = [v / np.linalg.norm(v) for v in np.delete(vectors, 2, axis=0)]
    assert mean_cosine(vectors) == pytest.approx(np.mean([a @ b for a, b in combinations(unit, 2)]))
    assert np.isnan(mean_cosine(vectors[2:4]))


def test_names_are_compared_by_characters_and_by_word_vectors(tmp_path):
    def similarity(texts, embedding):
        frame = pd.DataFrame({"texts": [(t,) for t in texts], "item": "x", "condition": "c", "role": "main"})
        return label_agreement(frame, label_embedding(embedding, texts))["similarity"].iloc[0]

    near, far = ["striped fur", "stripes on fur"], ["striped fur", "windows"]
    assert similarity(near, "characters") > 0.5 > 0.2 > similarity(far, "characters")
    (tmp_path / "v.txt").write_text("dog 1 0\npuppy .9 .1\ncar 0 1\n", encoding="utf-8")
    vectors = str(tmp_path / "v.txt")
    assert similarity(["a dog", "puppies"], vectors) > 0.99
    assert similarity(["dog", "car"], vectors) == pytest.approx(0)
    assert np.isnan(similarity(["dog", "unheard"], vectors))
    assert label_embedding("", ["a"]) is None
    for text in ("dog 1 0\ncar 1\n", "dog x y\n"):
        (tmp_path / "bad.txt").write_text(text, encoding="utf-8")
        with pytest.raises(EvoscopeError, match="no word vectors"):
            label_embedding(str(tmp_path / "bad.txt"), ["dog"])


def test_two_who_answer_alike_agree_and_strangers_do_not_meet():
    rows = [("a", "t1", 0), ("a", "t2", 1), ("b", "t1", 0), ("b", "t2", 2), ("c", "t3", 1)]
    frame = pd.DataFrame(rows, columns=["participant", "trial", "given"]).assign(role="main", texts=[()] * 5)
    found = agreement_matrix(frame).set_index("participant")
    assert found.loc["a", "b"] == found.loc["b", "a"] == 0.5
    assert np.isnan(found.loc["a", "a"])
    assert np.isnan(found.loc["a", "c"])


def test_published_results_stand_beside_with_their_intervals():
    def ours(condition):
        return pd.DataFrame([[condition, 0.8, 0.7, 0.9, 9]], columns=["condition", *MEASURED])

    rows = beside("alignability", ours("tightest"), Contrast("right", "tightest")).set_index("condition")
    assert rows["items"].astype(int).sum() == 77
    assert (rows["participants"] == 260).all()
    assert rows["accuracy"].isna().all()
    assert rows["low"].isna().all()
    assert rows.loc["hand_picked", "ours"] == 0.8
    assert np.isnan(rows.loc["random", "chance"])
    found = beside("image_intruder", ours("svd"), Contrast("right", "svd", "neuron"))
    (sister,) = found.to_dict("records")
    assert (sister["accuracy"], sister["chance"], sister["participants"]) == (1.0, 0.2, 8)
    assert (sister["beside"], sister["ours"], sister["ours_high"]) == ("svd", 0.8, 0.9)
    assert (sister["low"], sister["high"]) == (pytest.approx(8 / (8 + 1.959964**2)), 1)
    assert beside("label_agreement", ours("own"), Contrast("yes", "own"))["accuracy"].tolist() == [0.97]
    assert beside("concept_naming", ours("svd"), Contrast("agreement", "svd")).empty


def test_machines_stand_beside_people_in_table_and_figure():
    tables = analyse(STUDY, taken(STUDY, [0.9, 0.8]))
    found = tables["baselines"]
    assert list(found["observer"]) == ["shared photographs", "colours"]
    assert found["value"].iloc[0] == pytest.approx(1 / 6)
    figure = accuracy_figure(tables)
    markers = [line.get_marker() for axes in figure.axes for line in axes.lines]
    assert {"^", "v"} <= set(markers)


HOSTILE = "=cmd()<script>window.pwned=1</script>"


def test_the_report_shows_what_anybody_wrote_as_text(tmp_path):
    options = Options(blocking=Blocking(1, 4, practice=0, catch=0, repeats=0))
    study = dataclasses.replace(design("concept_naming", CONCEPTS, 0, "corrected", options), name=HOSTILE)
    block = study.blocks[0]
    records = [
        {"participant": f"={who}", "block": block.id, "trial": name, "ms": 2000, "texts": [HOSTILE]}
        for who in range(3)
        for name in block.trials
    ]
    tables = analyse(study, answer_table(records), embedding="characters")
    assert (tables["labels"]["same"] == 1).all()
    write_report(tables, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    for path in tmp_path.glob("*.csv"):
        for line in csv.reader(path.open(newline="")):
            assert not any(cell.startswith(("=", "+", "@")) for cell in line), path


def test_labels_that_say_the_same_agree():
    assert normalised("The red Stripes!") == normalised("red stripe") == {"red", "stripe"}
    assert normalised("Café, berries & foxes") == {"cafe", "berry", "fox"}
    assert normalised("grass bus iris 犬") == {"grass", "bus", "iris", "犬"}
    texts = [("red dots", "a"), ("Red dot.", "b"), ("blue dots", "")]
    frame = pd.DataFrame({"texts": texts, "item": "x", "condition": "c", "role": "main"})
    first, second = label_agreement(frame).to_dict("records")
    assert (first["labels"], first["same"], first["common"]) == (3, pytest.approx(1 / 3), "dot red")
    assert first["overlap"] == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)
    assert second["labels"] == 1


def test_open_kinds_know_their_catch_trials_and_agreement():
    study = design("concept_naming", CONCEPTS, 0, "corrected", Options(blocking=Blocking(1, 6)))
    trials = study.by_id()
    records = [
        {"participant": who, "block": study.blocks[0].id, "trial": name, "ms": 2000,
         "texts": ["It is bleu." if trials[name].role == "catch" and who == "good" else "green stripes"]}
        for who in ("good", "bad")
        for name in study.blocks[0].trials
    ]  # fmt: skip
    tables = analyse(study, answer_table(records))
    assert tables["exclusions"].set_index("participant")["excluded"].to_dict() == {"good": False, "bad": True}
    assert len(tables["accuracy"]) == 0
    assert len(tables["labels"]) == 6


def test_the_first_answer_counts():
    answers = taken(STUDY, [1.0])
    again = answers.assign(choice=(answers["choice"] + 1) % 6)
    (row,) = accuracy(analyse(STUDY, pd.concat([answers, again]))["answers"]).to_dict("records")
    assert (row["accuracy"], row["answers"]) == (1.0, 12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trial": "strange"}, "no such trial"),
        ({"block": "alignability-0"}, "no block 'alignability-0'"),
        ({"choice": 6}, "choice is 6, and there are 6"),
        ({"choice": -1}, "choice is -1"),
        ({"option": 0}, "option is 0, and there are 0"),
        ({"position": 7}, "position is 7"),
        ({"ms": -5}, "ms is -5"),
        ({"ms": 10**12}, "ms is 1000000000000"),
        ({"texts": ["much"]}, "1 texts, and 0 were asked"),
        ({"texts": "much"}, "no list of texts"),
        ({"choice": 2.5}, "no whole number"),
        ({"choice": "A"}, "no whole number"),
        ({"participant": None}, "not who gave it"),
    ],
)
def test_answers_that_cannot_be_are_refused_by_name(change, words, tmp_path):
    answers = taken(STUDY, [1.0]).astype("object")
    for name, value in change.items():
        answers[name] = [value if row == 3 else old for row, old in enumerate(answers[name])]
    with pytest.raises(EvoscopeError, match=words) as caught:
        analyse(STUDY, answers)
    assert "'alignability'" in str(caught.value)


def test_no_share_of_nothing():
    with pytest.raises(EvoscopeError, match="no share"):
        share(pd.DataFrame({"participant": [], "item": [], "right": []}))
