"""docs/repro.md leads from every result to its command, and the numbers in it follow from the tables."""

import json
import re

import pytest

from results import registry
from results.ledger.checks import verdict
from results.ledger.evidence import collect
from results.ledger.write import CLAIMS
from results.repro import DOCUMENT, SEE, claims_of, command, document, duration, jobs, measured, tables_read

ROW = re.compile(r"^\| (\w+) \| `(\w+)` \| (.+?) \| `(.+?)` \| ", re.MULTILINE)


@pytest.fixture(scope="module")
def evidence(exhibits, about, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    registry.draw(["table_reversal", "table_training", "table_metrics"], exhibits, about, folder)
    return collect([folder])[0]


def test_the_committed_document_is_of_this_manifest():
    found = {name: (paper, shows, line) for paper, name, shows, line in ROW.findall(DOCUMENT.read_text())}
    wanted = {each.id: (each.paper, each.shows, command(each)) for each in registry.entries().values()}
    assert found == wanted, "write it again: python -m results.repro"


def test_a_document_without_results_or_jobs_still_names_every_command(tmp_path):
    text = document(tmp_path, [tmp_path])
    assert len(ROW.findall(text)) == len(registry.entries().values())
    assert text.count(f"| {SEE} | – |") == len(registry.entries().values())


def test_every_claim_that_is_tested_leads_to_a_result():
    reached = {claim.id for entry in registry.entries().values() for claim in claims_of(entry)}
    assert reached == {claim.id for claim in CLAIMS if not claim.untested}
    assert all(tables_read(claim) <= set(registry.entries()) for claim in CLAIMS)


@pytest.mark.parametrize("name", ["table_reversal", "fig_reversal", "table_training", "fig_metrics"])
def test_numbers_are_those_of_the_ledger(name, evidence):
    text = measured(registry.entry(name), evidence)
    claims = {claim.id: claim for claim in CLAIMS}
    parts = re.findall(r"(\w+) ([a-z ]+) \((\d+) of (\d+)\)", text)
    assert parts
    for claim, word, passed, count in parts:
        checks = [each for each in claims[claim].checks(evidence, "corrected") if each.value == each.value]
        assert (len(checks), sum(each.passes for each in checks)) == (int(count), int(passed))
        assert verdict(checks).value == word
    assert measured(registry.entry("fig_scenes"), evidence) == SEE


def job(folder, name, **changes):
    told = {"task": "scenes", "overrides": ["experiment=scenes"], "state": "done", "computed": 2, "cached": 1}
    told |= {"outputs": [f"{name}/fig_scenes.png"], "seconds": 20.4} | changes
    (folder / name).mkdir()
    (folder / name / "status.json").write_text(json.dumps(told))


def test_time_is_that_of_the_plain_call_that_computed_most(tmp_path):
    stem = "concept_scenes-laptop-corrected"
    job(tmp_path, f"{stem}-1", seconds=200.0, computed=1)
    job(tmp_path, f"{stem}-2")
    job(tmp_path, f"{stem}-3", computed=9, overrides=["experiment=scenes", "seed=3"])
    job(tmp_path, f"{stem}-4", computed=9, state="failed")
    job(tmp_path, f"{stem}-5", computed=9, task="results")
    job(tmp_path, "cifar10-laptop-corrected-6", computed=9)
    known = jobs([tmp_path])
    assert duration(registry.entry("fig_scenes"), known) == "20 s (2 of 3 stages)"
    assert duration(registry.entry("fig_scenes"), known[:1]) == "3 min (1 of 2 stages)"
    assert duration(registry.entry("fig_metrics"), known) == "–"
