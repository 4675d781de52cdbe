"""The ledger: every verdict follows from the measures by the stated rule, no cell is empty, no number counts twice."""

import csv
import re
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evoscope.evolution.summary import contrast
from results import registry
from results.ledger.claim import collect, laid_together
from results.ledger.effect import Measure, Verdict, headline, stated, verdict
from results.ledger.pages import OBJECTIONS, SHORT, Around, cards, finding, table, told
from results.ledger.provenance import lead, provenance
from results.ledger.summary import named
from results.ledger.write import CLAIMS, all_measures, ledger, write_ledger
from results.reference import published_reversal
from results.report import galleries, pictures_of

PAPER = Path(__file__).resolve().parents[2] / "results" / "paper"
BINS = ("bin1", "bin2", "bin3", "bin4")
BY_ID = {claim.id: claim for claim in CLAIMS}
DECIDED = {each.value for each in (Verdict.REPRODUCED, Verdict.WEAKER, Verdict.FAILED, Verdict.INCONCLUSIVE)}


@pytest.fixture(scope="module")
def folder(exhibits, about, tmp_path_factory):
    """Every table that there are made-up exhibits for."""
    to = tmp_path_factory.mktemp("tables")
    ids = [entry.id for entry in registry.entries().values() if entry.endings == registry.TABLE]
    ids = [name for name in ids if set(registry.entry(name).reads) <= set(exhibits)]
    registry.draw(ids, exhibits, about, to)
    return to


@pytest.fixture(scope="module")
def evidence(folder):
    return collect([folder])


@pytest.fixture(scope="module")
def written(evidence, tmp_path_factory):
    to = tmp_path_factory.mktemp("ledger")
    write_ledger(evidence, to)
    return to


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def mismatches(folder):
    """Rows of the ledger in ``folder`` whose verdict is not what their measures say."""
    measures = pd.read_csv(
        folder / "measures.csv", keep_default_na=False, na_values={"effect": [""], "low": [""], "high": [""]}
    )
    found = []
    for row in read(folder / "claims.csv"):
        for column, protocol in (("verdict", "corrected"), ("verdict as released", "as_released")):
            own = measures[
                (measures["claim"] == row["claim"]) & (measures["data"] == row["data"])
                & (measures["scale"] == row["scale"]) & (measures["protocol"] == protocol)
            ]  # fmt: skip
            own = [
                Measure("", str(each.network), int(each.seed), each.effect, each.low, each.high, int(each.items),
                        setting=str(each.setting), own=row["claim"] in ("C7", "C8"))
                for each in own.itertuples()
            ]  # fmt: skip
            if not own:
                wrong = named(row[column]).value in DECIDED
            else:
                whole = headline(own)
                expected = verdict(whole, stated()[row["claim"]], BY_ID[row["claim"]].known)
                wrong = row[column] != expected.value + (" (one seed)" if whole.seeds == 1 else "")
            if wrong:
                found.append((row["claim"], row["data"], protocol))
    return found


def test_no_cell_is_empty_and_no_verdict_without_a_command(written):
    rows = read(written / "claims.csv")
    assert {row["claim"] for row in rows} >= {claim.id for claim in CLAIMS} - {"C6b"}
    for row in rows:
        assert all(row.values()), row
        assert row["command"].startswith("python "), row
    for name in ("defects.csv", "scorecard.csv"):
        assert all(all(row.values()) for row in read(written / name)), name


def test_every_verdict_follows_from_its_measures(written):
    assert mismatches(written) == []
    assert {named(row["verdict"]).value for row in read(written / "claims.csv")} & DECIDED


@pytest.mark.skipif(not (PAPER / "measures.csv").is_file(), reason="no results are kept with the code yet")
def test_every_kept_verdict_follows_from_the_kept_tables(tmp_path):
    write_ledger(collect([PAPER]), tmp_path, Around(pictures_of(galleries([PAPER]), PAPER)))
    for name in ("claims.csv", "measures.csv", "defects.csv", "claims.md", "summary.md"):
        assert (tmp_path / name).read_text() == (PAPER / name).read_text(), name
    assert mismatches(PAPER) == []


def test_one_seed_is_said_wherever_a_verdict_rests_on_one(written):
    for row in read(written / "claims.csv"):
        assert ("(one seed)" in row["verdict"]) == (row["seeds"] == "1"), row


def sharing(rows):
    """Pairs of claims of one data set whose effects have a number in common, a measured one or a null.

    A number counts with that of its items: sixths of six classes and of 192 directions are equal by chance.
    """
    found = set()
    for _, own in rows.groupby(["data", "scale", "protocol"]):
        numbers = {
            claim: {
                (round(number, 12), items)
                for of in ("value", "null")
                for number, items in zip(each[of], each["items"], strict=True)
                if np.isfinite(number) and number not in CONSTANTS
            }
            for claim, each in own.groupby("claim")
        }
        # One number in common of several is a coincidence of small counts; one measurement gives most of them again.
        found |= {
            (one, two)
            for one, two in combinations(sorted(numbers), 2)
            if 2 * len(numbers[one] & numbers[two]) > min(len(numbers[one]), len(numbers[two]))
        }
    return found


CONSTANTS = (0.0, 1.0, 0.025)  # no change, all, chance


@pytest.mark.parametrize("of", ["made up", "kept"])
def test_no_two_claims_rest_on_one_number_without_a_note(of, evidence):
    pairs = sharing(all_measures(evidence if of == "made up" else collect([PAPER])))
    assert ("E3b", "E4") in pairs
    for first, second in pairs if of == "kept" else [("E3b", "E4")]:  # made-up numbers may be equal by chance
        assert first in BY_ID[second].shares or second in BY_ID[first].shares, (first, second)


def test_effects_of_the_reversal_are_those_of_the_table(folder, evidence):
    """From the CSV alone: the contrast's own row, paired over classes, of test images and top-1."""
    rows = pd.read_csv(folder / "table_reversal.csv")
    rows = rows[(rows["split"] == "test") & (rows["metric"] == "top1")]
    measures = all_measures(evidence)
    for claim, more, less, sign in (
        ("E3b", "random", "bin1", 1),
        ("E3f", "bin4", "random", 1),
        ("E3c", "bin1", "", -1),
    ):
        own = rows[(rows["protocol"] == "corrected") & (rows["layers"] == "once")]
        wide = own.pivot_table("value", ["run", "pair"], "condition", sort=False)
        expected = sign * (wide[more] - (wide[less] if less else 0)).to_numpy()
        kept = measures[(measures["claim"] == claim) & (measures["protocol"] == "corrected")]
        assert sorted(kept["effect"]) == pytest.approx(sorted(expected)), claim
        assert len(kept) > 2


def test_a_paired_contrast_counts_before_two_intervals(folder, tmp_path):
    """Where the table holds the paired contrast, its interval is the measure's."""
    for name in ("table_reversal.csv", "table_reversal.md"):
        shutil.copy(folder / name, tmp_path / name)
    rows = pd.read_csv(tmp_path / "table_reversal.csv")
    paired = rows[rows["condition"] == "random"].assign(
        condition=contrast("random", "bin1"), value=0.2, low=0.19, high=0.21
    )
    pd.concat([rows, paired]).to_csv(tmp_path / "table_reversal.csv", index=False)
    (each,) = collect([tmp_path])
    found = BY_ID["E3b"].judge(each, "corrected")
    assert (found.effect.effect, found.effect.low, found.effect.high) == pytest.approx((0.2, 0.19, 0.21))


def test_published_effects_leave_out_the_copied_row():
    rows = published_reversal()
    own = rows[(rows["split"] == "test") & (rows["metric"] == "top1") & ~rows["suspect"]]
    assert len(own) == 5
    assert BY_ID["E3b"].known == pytest.approx((own["random"] - own["bin1"]).mean())
    assert f"{BY_ID['E3b'].known:.3f}" in BY_ID["E3b"].published
    near = (rows["bin4"].abs() <= 0.25 * rows["bin1"].abs()).sum()
    assert BY_ID["E3e"].published.startswith(f"{near} of {len(rows)} published rows")


def with_seeds(folder, to, seeds, shift=0.0):
    """Copies of all tables as other seeds left them, their values shifted a little."""
    for seed in seeds:
        shutil.copytree(folder, to / str(seed))
        for path in (to / str(seed)).glob("table_*.md"):
            path.write_text(re.sub(r"Seed=\d+", f"Seed={seed}", path.read_text()))
    return to


def test_tables_of_several_seeds_are_laid_together(folder, tmp_path):
    (each,) = collect([with_seeds(folder, tmp_path, (0, 1, 2))])
    for claim in ("E3b", "C2"):
        found = BY_ID[claim].judge(each, "corrected")
        assert found.effect.seeds == 3
        assert "one seed" not in found.text
    (alone,) = collect([folder])
    assert BY_ID["E3b"].judge(alone, "corrected").effect.effect == pytest.approx(
        BY_ID["E3b"].judge(each, "corrected").effect.effect
    )


def test_rows_of_a_network_and_seed_that_two_tables_hold_are_the_later_ones():
    before = pd.DataFrame({"run": ["a", "b"], "seed": [0, 0], "value": [1.0, 2.0]})
    after = pd.DataFrame({"run": ["b", "b"], "seed": [0, 1], "value": [3.0, 4.0]})
    found = laid_together(before, after)
    assert list(found["value"]) == [1.0, 3.0, 4.0]
    assert laid_together(None, after) is after


def test_tables_go_to_the_data_and_scale_of_their_stamp(folder, tmp_path):
    for name, data in (("a", "concept_scenes"), ("b", "cifar10")):
        (tmp_path / name).mkdir()
        for path in folder.glob("table_reversal.*"):
            text = path.read_text().replace("Data=concept_scenes", f"Data={data}")
            (tmp_path / name / path.name).write_text(text)
    (tmp_path / "table_strange.csv").write_text("a,b\n1,2\n")
    found = collect([tmp_path])
    assert [each.data for each in found] == ["concept_scenes", "cifar10"]
    claims = ledger(found)
    assert all(cell != "" for cell in claims.to_numpy().ravel())
    assert (claims["claim"].value_counts() == 2).all()
    unknown = claims[(claims["claim"] == "E2") & (claims["data"] == "cifar10")].iloc[0]
    assert unknown["verdict"] == "cannot be tested here"
    missing = claims[(claims["claim"] == "E2") & (claims["data"] == "concept_scenes")].iloc[0]
    assert missing["verdict"] == "not run"


def test_what_was_not_run_is_never_called_impossible(tmp_path):
    (tmp_path / "table_odd.csv").write_text("a\n1\n")
    (tmp_path / "table_odd.md").write_text(
        "x\n\n<!-- Commit=a; Data=concept_scenes; Key=b; Protocol=corrected; Scale=laptop; Seed=0 -->\n"
    )
    claims = ledger(collect([tmp_path])).set_index("claim")
    impossible = set(claims.index[claims["verdict"] == "cannot be tested here"])
    assert impossible == {"E7", "E8"}  # of these data and this scale, whatever is run
    assert (claims.loc[["E1a", "E3b", "E6", "C2", "C7"], "verdict"] == "not run").all()


STAMP = "x\n\n<!-- Commit=a; Data=concept_scenes; Key=b; Protocol=corrected; Scale=laptop; Seed=0 -->\n"


def written_tables(folder, **tables):
    """Evidence of tables given as frames."""
    for name, rows in tables.items():
        rows.to_csv(folder / f"table_{name}.csv", index=False)
        (folder / f"table_{name}.md").write_text(STAMP)
    (each,) = collect([folder])
    return each


def baseline_rows(metric, **less):
    """The learnt space at .6, and how far others lie below it, with an interval of .02 on either side."""
    head = {"metric": metric, "run": "vgg16", "epoch": 3, "n": 100}
    learnt = {**head, "space": "learned", "value": 0.6, "low": 0.58, "high": 0.62}
    rows = [learnt]
    for name, gap in less.items():
        own = {"value": 0.6 - gap, "learned_less": gap, "less_low": gap - 0.02, "less_high": gap + 0.02}
        rows.append({**head, "space": name.replace("_", " "), **own})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("claim", "metric"), [("E1a", "stimulus_agreement"), ("E1b", "concept_purity@10"), ("E1c", "same_neuron_mrr")]
)
def test_random_image_vectors_that_do_as_well_leave_nothing_to_reproduce(claim, metric, tmp_path):
    rows = baseline_rows(metric, random_vectors=0.0, shared_stimuli=0.5)
    assert BY_ID[claim].judge(written_tables(tmp_path, space_baselines=rows), "corrected").verdict in (
        Verdict.FAILED,
        Verdict.INCONCLUSIVE,
    )
    rows = baseline_rows(metric, random_vectors=0.4, shared_stimuli=0.4)
    assert BY_ID[claim].judge(written_tables(tmp_path, space_baselines=rows), "corrected").verdict is Verdict.REPRODUCED


def test_purity_must_beat_the_best_baseline(tmp_path):
    rows = baseline_rows("concept_purity@10", random_vectors=0.4, shared_stimuli=0.0)
    found = BY_ID["E1b"].judge(written_tables(tmp_path, space_baselines=rows), "corrected")
    assert found.effect.effect == pytest.approx(0.0)
    assert found.verdict is not Verdict.REPRODUCED


def test_without_its_null_a_claim_is_not_run(tmp_path):
    rows = pd.DataFrame([{"metric": "stimulus_agreement", "run": "vgg16", "epoch": 3, "value": 0.9, "low": 0.8,
                          "high": 1.0, "null": 0.0, "null_low": -0.1, "null_high": 0.1, "n": 9}])  # fmt: skip
    found = BY_ID["E1a"].judge(written_tables(tmp_path, metrics=rows), "corrected")
    assert found.verdict is Verdict.NOT_RUN
    assert "random vectors" in found.why


def relevance_rows(below):
    """Six classes, ``below`` of which lose more of their logit than nearly all random directions."""
    changes = [-1.0] * below + [0.0] * (6 - below)
    return pd.DataFrame({"run": "vgg16", "layer": "a", "class_name": list("abcdef"), "logit_change": changes,
                         "random_low": -0.5})  # fmt: skip


@pytest.mark.parametrize(("below", "expected"), [(0, Verdict.INCONCLUSIVE), (6, Verdict.REPRODUCED)])
def test_a_concept_must_cost_more_than_nearly_all_random_directions(below, expected, tmp_path):
    found = BY_ID["C2"].judge(written_tables(tmp_path, concept_relevance=relevance_rows(below)), "corrected")
    assert found.verdict is expected
    assert found.effect.effect == pytest.approx(below / 6 - 0.025)


def test_clusters_need_the_map_and_hold_only_if_they_do_everywhere(tmp_path):
    two = pd.DataFrame({"run": "vgg16", "layer": "a", "method": ["svd", "neurons"], "directions": 100,
                        "value": [1.0, 2.0], "low": [0.9, 1.9], "high": [1.1, 2.1]})  # fmt: skip
    each = written_tables(tmp_path, clusters=two.assign(part="means", counting="empty as none"))
    assert BY_ID["C7"].judge(each, "corrected").verdict is Verdict.NOT_RUN
    cells = [two.assign(ward=3.0, prune=0.125), two.assign(ward=1.5, prune=0.25)]
    agreed = written_tables(tmp_path, cluster_map=pd.concat(cells))
    assert BY_ID["C7"].judge(agreed, "corrected").verdict is Verdict.WEAKER  # 1.0 against the published 1.44
    swapped = two.assign(method=["neurons", "svd"], ward=3.0, prune=0.5)
    split = written_tables(tmp_path, cluster_map=pd.concat([*cells, swapped]))
    assert BY_ID["C7"].judge(split, "corrected").verdict is Verdict.INCONCLUSIVE


def test_seeds_that_learnt_nothing_lost_nothing(tmp_path):
    def behaviour(*peaks):
        return pd.DataFrame({
            "criterion": "collapses", "run": "vgg16_large_lr", "seed": range(len(peaks)), "value": 0.1,
            "statement": [f"peak {peak}% (at least 10%), end 5.0% (at most 50% of the peak)" for peak in peaks],
        })  # fmt: skip

    found = BY_ID["E6"].judge(written_tables(tmp_path, behaviour=behaviour(42.0, 5.3, 10.6)), "corrected")
    assert found.verdict is Verdict.IMPOSSIBLE
    found = BY_ID["E6"].judge(written_tables(tmp_path, behaviour=behaviour(42.0, 33.0, 10.6)), "corrected")
    assert (found.verdict, found.effect.seeds) == (Verdict.REPRODUCED, 2)


def test_without_tables_everything_is_left_out(tmp_path):
    paths = write_ledger(collect([tmp_path]), tmp_path / "out")
    assert (tmp_path / "out" / "claims.csv") in paths
    assert all_measures([]).empty


def test_provenance_is_said_first_and_names_the_doubtful_rows(written, evidence):
    text = provenance(evidence)
    rows = published_reversal()
    assert f"{(rows['note'] != '').sum()} of its {len(rows)} reversal rows" in text
    assert "vgg16 5 to 21 test top1" in text
    assert "laptop" in text
    for name in ("claims.md", "summary.md"):
        page = (written / name).read_text()
        assert text in page
        assert page.index(text) < page.index("### E" if name == "claims.md" else "**E")
    assert (written / "claims.md").read_text().startswith(f"# Every claim\n\n{lead(evidence)}\n\n| claim |")


def test_the_summary_has_a_sentence_for_every_claim(written):
    text = (written / "summary.md").read_text()
    for row in read(written / "claims.csv"):
        assert f"**{row['claim']}** " in text
    assert "nan" not in text


def test_defects_name_file_line_and_commit(written):
    for row in read(written / "defects.csv"):
        assert re.search(r" at [0-9a-f]{7}\)$", row["released code"]), row
        assert row["checked"] in ("by running", "by reading")
        assert row["checked"] == "by reading" or re.search(r"\.py:\d+", row["released code"]), row
        assert row["effect"] != "not isolated"


def test_every_claim_has_the_authors_words_or_says_that_there_are_none():
    assert list(told()) == [claim.id for claim in CLAIMS]
    for claim, words in told().items():
        assert words.source, claim
        assert words.differs.endswith("."), claim
        assert words.picture in registry.entries(), claim
    without = [claim for claim, words in told().items() if not words.words]
    assert without == ["E3c", "E3d", "E3e", "E3f", "E8", "C7", "C8"]


def cells_of(text):
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()]


def test_the_table_of_claims_is_narrow_and_leads_to_a_card_each(written):
    page = (written / "claims.md").read_text()
    rows = cells_of(page.split("\n\n")[2])
    assert rows[0] == ["claim", "in words", "verdict", "effect"]
    known = read(written / "claims.csv")
    assert [row[0] for row in rows[2:]] == [
        f"[{claim}](#{claim.lower()})" for claim in dict.fromkeys(row["claim"] for row in known)
    ]
    for cells in rows[2:]:
        assert f"\n### {cells[0][1:].partition(']')[0]}\n" in page
        assert max(map(len, cells[2].split("<br>"))) <= 30, cells
        assert max(map(len, cells[3].split("<br>"))) <= 24, cells
        assert len(cells[2].split("<br>")) >= len(cells[3].split("<br>"))


def test_the_table_tells_the_verdict_and_effect_of_every_row_that_has_one(written):
    claims = pd.read_csv(written / "claims.csv")
    rows = {cells[0][1:].partition("]")[0]: cells for cells in cells_of(table(claims))[2:]}
    for row in read(written / "claims.csv"):
        verdict, effect = (cell.replace("\u00a0", " ").replace("\u2011", "-") for cell in rows[row["claim"]][2:])
        assert SHORT.get(named(row["verdict"]), named(row["verdict"]).value) in verdict, row["claim"]
        if row["effect"] != "–":
            assert f"{float(row['effect']):.3f}" in effect
            assert ("¹" in verdict) == (row["seeds"] == "1")


def test_cards_say_what_a_number_rests_on_and_show_a_picture_once(written):
    claims = pd.read_csv(written / "claims.csv")
    pictures = {("concept_scenes", name): f"figures/{name}.png" for name in ("fig_reversal", "fig_important")}
    views = {("concept_scenes", "VGG16"): "explorer/index.html#run=vgg16&epoch=6", ("cifar10", "VGG16"): "other"}
    text = cards(claims, Around(pictures, views))
    card = dict(part.split("\n", 1) for part in text.split("\n### ")[1:])
    for paper, words in OBJECTIONS.items():
        assert f"## {paper} (" in text
        assert f"**What the authors could object.** {words}" in text
    for row in read(written / "claims.csv"):
        own = card[row["claim"]]
        assert told()[row["claim"]].differs in own
        assert f"`{row['command']}`" in own
        assert f"**{row['verdict']}**" in own
        assert row["by network"] == "–" or row["by network"] in own
    assert text.count("](figures/fig_reversal.png)") == 1
    assert "](figures/fig_reversal.png)" in card["E3b"]
    assert "That of [E3b](#e3b)" in card["E3c"]
    assert "[VGG16](explorer/index.html#run=vgg16&epoch=6)" in card["E3b"]
    assert "other" not in re.findall(r"\]\((.*?)\)", text)


def test_the_ledger_ends_a_job_with_how_many_claims_ended_how(written):
    claims = pd.read_csv(written / "claims.csv")
    sentences = finding(claims)
    assert len(sentences) == len(claims.groupby(["data", "scale"]))
    own = claims[claims["data"] == "concept_scenes"]
    (sentence,) = (each for each in sentences if "on concept_scenes at laptop scale" in each)
    assert sentence.startswith(f"Of {len(own)} claims ")
    assert sum(map(int, re.findall(r"(\d+) [a-z]", sentence))) == 2 * len(own)
    assert finding(claims.iloc[:0]) == []
