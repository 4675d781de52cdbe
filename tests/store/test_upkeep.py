import json
import os
import shutil
import threading
import time

import pytest

from evoscope.errors import EvoscopeError
from evoscope.store import Stage, entries, prune, verify


def stages(*nodes):
    return [node.stage for node in nodes]


def names(root):
    """Stage names of the whole artefacts in the store."""
    return sorted(path.parent.name for path in root.glob("*/[0-9a-f]*"))


def make_old(path, seconds):
    then = time.time() - seconds
    for file in [path, *path.rglob("*")]:
        os.utime(file, (then, then))


def spoil(path):
    with open(path, "r+b") as file:
        file.write(b"?")


def test_a_store_never_written_is_empty(tmp_path):
    root = tmp_path / "none"
    assert (entries(root), verify(root), prune(root)) == ([], [], [])
    assert not root.exists()


def test_a_file_is_no_store(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    for look in (entries, verify, prune):
        with pytest.raises(EvoscopeError, match="not a folder"):
            look(tmp_path / "file")


def test_entries_say_what_is_there(toy):
    first, second, third = toy.chain(config={"lr": 0.1})
    toy.store.get(third)
    make_old(toy.store.path(first), 100)
    rows = entries(toy.store.root)
    assert [row.stage for row in rows] == ["first", "second", "third"]
    row = rows[0]
    assert (row.key, row.version, row.config, row.summary) == (first.key, 1, {"lr": 0.1}, "toy first")
    assert row.size == sum(path.stat().st_size for path in toy.store.path(first).rglob("*") if path.is_file())
    assert row.seconds >= 0
    assert 100 <= row.age < 200
    assert rows[2].inputs == {"a": first.key, "b": second.key}


def test_without_a_run_record_the_config_stands_for_the_label(toy):
    (toy.store.get(toy.node("first", config={"lr": 0.1})) / "run.json").unlink()
    assert [(row.summary, row.seconds) for row in entries(toy.store.root)] == [('{"lr":0.1}', None)]


def test_verify_names_every_kind_of_trouble(toy):
    nodes = [toy.node("first", seed=seed) for seed in range(5)]
    folders = [toy.store.get(node) for node in nodes]
    spoil(folders[1] / "deep" / "notes.txt")
    (folders[2] / "manifest.json").write_bytes(b"{")
    manifest = json.loads((folders[3] / "manifest.json").read_text())
    (folders[3] / "manifest.json").write_text(json.dumps(manifest | {"format": 9}, sort_keys=True, indent=1) + "\n")
    folders[4].rename(folders[4].with_name(f".damaged-{nodes[4].key}"))
    (toy.root / "first" / f".partial-{'0' * 64}").mkdir()
    (toy.root / "first" / "notes").mkdir()
    (toy.root / "README").write_bytes(b"123")
    found = {finding.path: finding for finding in verify(toy.store.root)}
    conditions = sorted(finding.condition for finding in found.values())
    assert conditions == [
        "damaged", "foreign", "ok", "partial", "set aside", "unknown", "unknown", "unreadable",
    ]  # fmt: skip
    assert "notes.txt" in found[folders[1]].detail
    assert "manifest.json" in found[folders[2]].detail
    assert "format 9" in found[folders[3]].detail
    assert found[folders[0]].detail == ""
    assert found[toy.root / "README"].size == 3


def test_an_artefact_under_another_name_is_damaged(toy):
    first = toy.store.get(toy.node("first"))
    shutil.copytree(first, toy.root / "other" / first.name)
    shutil.copytree(first, first.with_name("0" * 64))
    conditions = {finding.path: finding.condition for finding in verify(toy.store.root)}
    assert conditions == {first: "ok", first.with_name("0" * 64): "damaged", toy.root / "other" / first.name: "damaged"}


def test_prune_alone_takes_only_what_nobody_can_use(toy):
    first, second, third = toy.chain()
    toy.store.get(third)
    spoil(toy.store.path(second) / "out.bin")
    (toy.root / "first" / f".partial-{'0' * 64}").mkdir()
    (toy.root / "first" / "notes").mkdir()
    planned = prune(toy.store.root, dry_run=True)
    assert names(toy.root) == ["first", "second", "third"]
    removed = prune(toy.store.root)
    assert removed == planned
    assert [removal.path.name[:9] for removal in removed] == [".partial-", second.key[:9]]
    assert names(toy.root) == ["first", "third"]
    assert (toy.root / "first" / "notes").exists()
    assert prune(toy.store.root) == []
    assert toy.store.has(first)


def test_prune_by_stages_takes_stale_artefacts_and_what_rests_on_them(toy):
    old = toy.chain(version=1)
    new = toy.chain(version=2)
    other = toy.node("fourth")
    for node in (old[2], new[2], other):
        toy.store.get(node)
    removed = prune(toy.store.root, stages=stages(*new, other))
    assert {removal.path.name for removal in removed} == {node.key for node in old}
    assert all(toy.store.has(node) for node in (*new, other))
    reasons = {removal.path.parent.name: removal.reason for removal in removed}
    assert reasons["first"] == "stage first is no longer at version 1"
    assert reasons["third"] == "made from a stale artefact"
    assert all(removal.size > 800 for removal in removed)


def test_prune_by_stages_takes_stages_that_are_gone(toy):
    first = toy.node("first")
    toy.store.get(first)
    assert [removal.path for removal in prune(toy.store.root, stages=[Stage("other", 1)])] == [toy.store.path(first)]


def test_prune_spares_the_young(toy):
    old, young = toy.node("first", seed=0), toy.node("first", seed=1)
    for node in (old, young):
        toy.store.get(node)
    make_old(toy.store.path(old), 3600)
    removed = prune(toy.store.root, stages=[Stage("other", 1)], older_than=1800)
    assert [removal.path for removal in removed] == [toy.store.path(old)]


def test_prune_leaves_a_running_computation_alone(toy):
    entered, release = threading.Event(), threading.Event()

    def slow(folder, inputs, progress):
        (folder / "x").write_bytes(b"x")
        entered.set()
        assert release.wait(20)

    node = toy.node("first", build=slow)
    thread = threading.Thread(target=toy.store.get, args=(node,))
    thread.start()
    assert entered.wait(20)
    assert prune(toy.store.root) == []
    release.set()
    thread.join(20)
    assert toy.store.has(node)


def test_what_was_pruned_is_computed_again(toy):
    _, second, _ = toy.chain()
    content = (toy.store.get(second) / "out.bin").read_bytes()
    prune(toy.store.root, stages=[Stage("other", 1)])
    assert (toy.store.get(second) / "out.bin").read_bytes() == content
    assert toy.built == {"first": 2, "second": 2}
