"""A result is drawn again exactly when what decides it changed, or its files did."""

from dataclasses import replace

import pytest

from results import manifest
from results.fresh import RECORD, Drawn, stamp

ENTRY = manifest.entry("table_training")
KEYS = {"training": "a" * 64, "map": "b" * 64}


@pytest.fixture
def folder(exhibits, about, tmp_path):
    Drawn(tmp_path).note(
        ENTRY, stamp(ENTRY, KEYS, about), manifest.draw([ENTRY.id], exhibits, about, tmp_path)
    )
    return tmp_path


def test_what_was_drawn_is_fresh(folder, about):
    assert Drawn(folder).fresh(ENTRY, stamp(ENTRY, KEYS, about))


def test_another_exhibit_or_job_is_not(folder, about):
    drawn = Drawn(folder)
    assert not drawn.fresh(ENTRY, stamp(ENTRY, {"training": "c" * 64}, about))
    assert not drawn.fresh(ENTRY, stamp(ENTRY, KEYS, replace(about, scale="gpu")))
    assert not drawn.fresh(ENTRY, stamp(ENTRY, KEYS, replace(about, recipes={})))
    assert not drawn.fresh(manifest.entry("fig_training"), stamp(ENTRY, KEYS, about))


def test_exhibits_it_does_not_read_and_the_commit_do_not_count(folder, about):
    drawn = Drawn(folder)
    assert drawn.fresh(ENTRY, stamp(ENTRY, KEYS | {"map": "d" * 64}, about))
    assert drawn.fresh(ENTRY, stamp(ENTRY, KEYS, replace(about, commit="other")))


def test_changed_or_missing_files_are_not(folder, about):
    mark = stamp(ENTRY, KEYS, about)
    path = folder / ENTRY.outputs[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert not Drawn(folder).fresh(ENTRY, mark)
    path.unlink()
    assert not Drawn(folder).fresh(ENTRY, mark)


def test_an_unreadable_record_counts_as_none(folder, about):
    (folder / RECORD).write_text("{")
    assert not Drawn(folder).fresh(ENTRY, stamp(ENTRY, KEYS, about))
