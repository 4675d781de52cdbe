import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from evoscope.errors import EvoscopeError
from evoscope.store import Store, entries, verify
from evoscope.store import hashing as checksums


def payload(folder):
    """Every file by name, without run.json."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {str(name): path.read_bytes() for name, path in files.items() if path.name != "run.json"}


def flip(path, position=None):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if position is None else position] ^= 1
    path.write_bytes(content)


def test_a_node_and_what_it_needs_are_computed_once(toy):
    _, second, third = toy.chain()
    folder = toy.store.get(third)
    assert folder == toy.root / "third" / third.key
    assert toy.store.get(third) == folder
    assert toy.reopened().get(second) == toy.store.path(second)
    assert toy.built == {"first": 1, "second": 1, "third": 1}
    expected = b"first 0 " * 50
    assert (folder / "out.bin").read_bytes() == b"third 0 " * 50 + expected + b"second 0 " * 50 + expected


def test_events_tell_the_story(toy):
    first, _, third = toy.chain()
    toy.store.get(first)
    toy.store.get(third)
    toy.store.get(third)
    story = [("started", "first"), ("finished", "first"), ("started", "second"), ("finished", "second")]
    assert toy.kinds() == [*story, ("started", "third"), ("finished", "third")]
    toy.events.clear()
    toy.reopened().get(third)
    assert toy.kinds() == [("cached", "third")]


def test_inputs_of_a_cached_node_are_not_touched(toy):
    first, _, third = toy.chain()
    toy.store.get(third)
    shutil.rmtree(toy.root / "first")
    toy.reopened().get(third)
    assert toy.built["first"] == 1
    assert not toy.store.has(first)


def test_the_manifest_is_the_same_bytes_every_time_and_complete(toy, tmp_path):
    _, second, third = toy.chain()
    one = payload(toy.store.get(third))
    other = payload(Store(tmp_path / "elsewhere").get(third))
    assert one == other
    manifest = json.loads(one["manifest.json"])
    assert sorted(manifest["files"]) == ["deep/notes.txt", "out.bin"]
    assert manifest["inputs"]["b"] == second.key
    assert manifest["config"] == {"width": 8}
    assert manifest["seed"] == 0


def test_the_plan_knows_what_is_cached_needed_and_not_needed(toy):
    first, second, third = toy.chain()
    assert [(row.cached, row.needed) for row in toy.store.plan([third])] == [(False, True)] * 3
    assert not toy.root.exists()
    toy.store.get(second)
    shutil.rmtree(toy.store.path(first))
    rows = {row.node.stage.name: (row.cached, row.needed) for row in toy.store.plan([second])}
    assert rows == {"first": (False, False), "second": (True, False)}
    rows = {row.node.stage.name: (row.cached, row.needed) for row in toy.store.plan([third, second])}
    assert rows == {"first": (False, True), "second": (True, False), "third": (False, True)}


def test_the_plan_computes_what_get_computes(toy):
    """For every subset of a diamond that may be missing."""
    source = toy.node("source")
    left, right = toy.node("left", {"a": source}), toy.node("right", {"a": source})
    nodes = [source, left, right, toy.node("sink", {"a": left, "b": right})]
    for missing in range(16):
        toy.store.get(nodes[3])
        for node in nodes:
            toy.store.get(node)
        for position, node in enumerate(nodes):
            if missing >> position & 1:
                shutil.rmtree(toy.store.path(node))
        planned = {row.node.stage.name for row in toy.store.plan([nodes[3]]) if row.needed}
        toy.built.clear()
        toy.store.get(nodes[3])
        assert planned == set(toy.built)


@pytest.mark.parametrize("victim", ["out.bin", "deep/notes.txt"])
def test_a_flipped_bit_is_named_and_the_node_computed_again(toy, victim):
    first, second, _ = toy.chain()
    folder = toy.store.get(second)
    original = payload(folder)
    untouched = payload(toy.store.path(first))
    flip(folder / victim)
    assert toy.store.has(second)  # the size is right: only reading shows it
    toy.events.clear()
    store = toy.reopened()
    assert payload(store.get(second)) == original
    story = [("cached", "first"), ("damaged", "second"), ("started", "second"), ("finished", "second")]
    assert toy.kinds() == story
    assert victim in toy.events[1].detail
    assert payload(toy.store.path(first)) == untouched
    assert toy.built == {"first": 1, "second": 2}


def test_a_damaged_input_is_not_read(toy):
    first, second, _ = toy.chain()
    flip(toy.store.get(first) / "out.bin")
    folder = toy.reopened().get(second)
    assert (folder / "out.bin").read_bytes().endswith(b"first 0 " * 50)
    assert toy.built["first"] == 2


def damage_missing(folder):
    (folder / "out.bin").unlink()


def damage_longer(folder):
    (folder / "out.bin").write_bytes((folder / "out.bin").read_bytes() + b"x")


def damage_stranger(folder):
    (folder / "epoch-0009.bin").write_bytes(b"x")


def damage_truncated_manifest(folder):
    content = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").write_bytes(content[: len(content) // 2])


def damage_empty_manifest(folder):
    (folder / "manifest.json").write_bytes(b"")


def damage_no_manifest(folder):
    (folder / "manifest.json").unlink()


def damage_other_manifest(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["seed"] = 1
    (folder / "manifest.json").write_text(json.dumps(manifest, sort_keys=True, indent=1) + "\n")


@pytest.mark.parametrize(
    "damage",
    [
        damage_missing,
        damage_longer,
        damage_stranger,
        damage_truncated_manifest,
        damage_empty_manifest,
        damage_no_manifest,
        damage_other_manifest,
    ],
)
def test_visible_damage_is_seen_by_has_and_mended_by_get(toy, damage):
    first = toy.node("first")
    folder = toy.store.get(first)
    original = payload(folder)
    damage(folder)
    assert not toy.store.has(first)
    assert toy.store.plan([first])[0].needed
    assert payload(toy.store.get(first)) == original
    assert [event.kind for event in toy.events].count("damaged") == 1


def test_any_flipped_bit_anywhere_is_seen(toy):
    """Payload and manifest alike: no byte of an artefact can change unnoticed."""
    first = toy.node("first")
    folder = toy.store.get(first)
    rng = np.random.default_rng()
    for name in ("manifest.json", "out.bin", "deep/notes.txt"):
        size = (folder / name).stat().st_size
        for position in rng.choice(size, min(size, 40), replace=False):
            flip(folder / name, int(position))
            assert toy.store._sound(first) is False, (name, position)
            flip(folder / name, int(position))
            assert toy.store._sound(first) is True


def test_hidden_files_of_the_desktop_do_no_harm(toy):
    first = toy.node("first")
    (toy.store.get(first) / ".DS_Store").write_bytes(b"x")
    toy.reopened().get(first)
    assert toy.built["first"] == 1


def test_without_a_listener_damage_is_a_warning(toy):
    first = toy.node("first")
    flip(toy.store.get(first) / "out.bin")
    with pytest.warns(UserWarning, match=r"toy first: .*out\.bin"):
        Store(toy.root).get(first)


def test_a_failed_build_leaves_nothing_and_says_which_node(toy):
    def broken(folder, inputs, progress):
        (folder / "half").write_bytes(b"x")
        raise ZeroDivisionError("no batches")

    node = toy.node("first", build=broken)
    with pytest.raises(ZeroDivisionError) as caught:
        toy.store.get(node)
    assert any("toy first" in note for note in caught.value.__notes__)
    assert [path.name for path in (toy.root / "first").iterdir()] == [f".lock-{node.key}"]
    assert toy.kinds() == [("started", "first"), ("failed", "first")]
    assert toy.events[-1].detail == "ZeroDivisionError: no batches"


def test_errors_for_the_user_pass_unchanged(toy):
    error = EvoscopeError("3 images cannot be read", "remove them")

    def broken(folder, inputs, progress):
        raise error

    with pytest.raises(EvoscopeError) as caught:
        toy.store.get(toy.node("first", build=broken))
    assert caught.value is error
    assert str(caught.value) == "3 images cannot be read: remove them."


@pytest.mark.parametrize("resumable", [True, False])
def test_only_a_resumable_build_finds_what_an_interrupted_one_left(toy, resumable):
    found = []

    def build(folder, inputs, progress):
        found.append(sorted(path.name for path in folder.iterdir()))
        (folder / f"epoch-{len(found)}").write_bytes(b"x")
        if len(found) < 3:
            raise KeyboardInterrupt

    node = toy.node("first", build=build, resumable=resumable)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            toy.store.get(node)
        assert toy.store.plan([node])[0].resumes is resumable
        assert not toy.store.has(node)
    folder = toy.store.get(node)
    assert found == ([[], ["epoch-1"], ["epoch-1", "epoch-2"]] if resumable else [[], [], []])
    assert json.loads((folder / "run.json").read_text())["resumed"] is resumable
    assert not toy.store.plan([node])[0].resumes


def test_a_kill_between_sealing_and_renaming_does_not_confuse_a_resumed_build(toy):
    names = []

    def build(folder, inputs, progress):
        names.extend(path.name for path in folder.iterdir())
        (folder / "x").write_bytes(b"x")

    node = toy.node("first", build=build, resumable=True)
    folder = toy.store.get(node)
    folder.rename(folder.with_name(f".partial-{node.key}"))
    toy.store.get(node)
    assert names == ["x"]


def test_a_payload_of_links_is_a_program_error(toy, tmp_path):
    (tmp_path / "data").mkdir()
    node = toy.node("first", build=lambda folder, *_: (folder / "link").symlink_to(tmp_path / "data"))
    with pytest.raises(ValueError, match="not a plain file"):
        toy.store.get(node)
    assert not toy.store.has(node)


def test_a_store_that_cannot_be_written_says_so(toy, tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(EvoscopeError, match=r"cannot write .*store's folder"):
        Store(tmp_path / "file" / "store").get(toy.node("first"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_forbidden_store_says_so_and_can_still_be_read(toy):
    first, second, _ = toy.chain()
    toy.store.get(first)
    for folder in (toy.root, toy.root / "first"):
        folder.chmod(0o555)
    try:
        assert toy.reopened().get(first).is_dir()
        with pytest.raises(EvoscopeError, match="make the store writable"):
            toy.store.get(second)
    finally:
        for folder in (toy.root, toy.root / "first"):
            folder.chmod(0o755)


def write_plainly(folder):
    (folder / "x.bin").write_bytes(b"x" * 100_000)


def write_tensors(folder):
    save_file({"x": np.zeros(100_000)}, folder / "x.safetensors")


def write_frame(folder):
    pd.DataFrame({"x": np.random.default_rng().random(100_000)}).to_parquet(folder / "x.parquet")


@pytest.fixture
def little_space():
    """The system refuses to let a file grow beyond some bytes, as a full disk does."""
    resource = pytest.importorskip("resource")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.mark.parametrize("write", [write_plainly, write_tensors, write_frame])
def test_a_build_without_disk_space_says_so_and_succeeds_later(toy, little_space, write):
    node = toy.node("first", build=lambda folder, *_: write(folder))
    little_space(1000)
    with pytest.raises(EvoscopeError, match="free disk space"):
        toy.store.get(node)
    assert not toy.store.has(node)
    little_space(10_000_000)
    toy.store.get(node)
    assert toy.store.has(node)


def test_a_store_without_disk_space_for_its_manifest_says_so(toy, little_space):
    def build(folder, inputs, progress):
        toy.built["first"] += 1
        for number in range(10):
            (folder / f"{number}.txt").write_bytes(b"x")

    node = toy.node("first", build=build)
    little_space(600)  # enough for each file, not for the list of all
    with pytest.raises(EvoscopeError, match="free disk space"):
        toy.store.get(node)
    assert not toy.store.has(node)
    little_space(10_000_000)
    toy.store.get(node)
    assert toy.built["first"] == 2


def test_other_trouble_with_files_in_a_build_is_the_builds_own(toy):
    node = toy.node("first", build=lambda *_: Path("/nowhere/at/all").read_bytes())
    with pytest.raises(FileNotFoundError):
        toy.store.get(node)


def test_run_json_is_outside_every_checksum(toy):
    first = toy.node("first")
    folder = toy.store.get(first)
    (folder / "run.json").write_text("scribble")
    toy.reopened().get(first)
    assert toy.built["first"] == 1
    assert entries(toy.store.root)[0].seconds is None


def test_a_payload_is_read_once_per_process_and_not_at_all_to_plan(toy, monkeypatch):
    """So a second run over many large artefacts costs one reading of those it opens, and none of the others."""
    nodes = [toy.node("first", seed=seed) for seed in range(10)]
    last = toy.node("second", {str(node.seed): node for node in nodes})
    toy.store.get(last)
    monkeypatch.setattr(checksums, "_SETTLED", -1.0)
    monkeypatch.setattr(checksums, "_remembered", {})
    read = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: read.append(file.name) or digest(file, name))
    store = toy.reopened()
    assert not any(row.needed for row in store.plan([last]))
    assert read == []
    for _ in range(3):
        folder = str(store.get(last))
        assert len(read) == 2
        assert all(name.startswith(folder) for name in read)
    for node in nodes * 2:
        store.get(node)
    assert len(read) == 22


def coded(toy, name, code, inputs=None, content="x"):
    """A node made by ``code``, which writes ``content`` and what it reads."""

    def write(folder, found, progress):
        toy.built[name] += 1
        read = "".join((path / "out.txt").read_text() for path in found.values())
        (folder / "out.txt").write_text(content + read)

    return toy.node(name, inputs or {}, build=write, code=lambda: code)


def test_an_artefact_of_other_code_is_told_once_and_what_rests_on_it_too(toy):
    toy.store.get(coded(toy, "second", "b", {"a": coded(toy, "first", "a")}))
    toy.events.clear()
    first = coded(toy, "first", "changed")
    second = coded(toy, "second", "b", {"a": first})
    store = toy.reopened()
    store.get(second)
    store.get(second)
    store.get(first)
    assert toy.kinds() == [("outdated", "second"), ("cached", "second"), ("outdated", "first"), ("cached", "first")]
    assert "first" in toy.events[0].detail
    assert store.outdated(second) == ("first",)
    assert [row.outdated for row in store.plan([second])] == [("first",), ("first",)]
    assert toy.built == {"first": 1, "second": 1}


def test_the_same_code_is_silent(toy):
    node = coded(toy, "first", "a")
    toy.store.get(node)
    toy.events.clear()
    toy.reopened().get(coded(toy, "first", "a"))
    assert toy.kinds() == [("cached", "first")]


def test_recompute_makes_artefacts_of_other_code_anew_with_what_rests_on_them(toy):
    toy.store.get(coded(toy, "second", "b", {"a": coded(toy, "first", "a")}))
    second = coded(toy, "second", "b", {"a": coded(toy, "first", "changed", content="y")})
    store = Store(toy.root, on_event=toy.events.append, stale="recompute")
    assert [row.needed for row in store.plan([second])] == [True, True]
    assert (store.get(second) / "out.txt").read_text() == "xy"
    assert toy.built == {"first": 2, "second": 2}
    assert store.outdated(second) == ()


def test_an_input_made_anew_with_other_contents_is_told(toy):
    toy.store.get(coded(toy, "second", "b", {"a": coded(toy, "first", "a")}))
    first = coded(toy, "first", "changed", content="y")
    Store(toy.root, on_event=toy.events.append, stale="recompute").get(first)
    assert toy.reopened().outdated(coded(toy, "second", "b", {"a": first})) == ("second",)


def test_ignore_says_nothing(toy):
    toy.store.get(coded(toy, "first", "a"))
    toy.events.clear()
    Store(toy.root, on_event=toy.events.append, stale="ignore").get(coded(toy, "first", "changed"))
    assert toy.kinds() == [("cached", "first")]


@pytest.mark.parametrize("links", [True, False])
def test_an_artefact_of_another_key_is_adopted_without_computing(toy, monkeypatch, links):
    def refuse(*_):
        raise OSError("no links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    old, new = toy.node("first"), toy.node("first", config={"width": 9}, code=lambda: "now")
    source = toy.store.get(old)
    assert toy.store.adopt(new, source) == toy.store.get(new)
    assert toy.built["first"] == 1
    assert (toy.store.path(new) / "deep" / "notes.txt").samefile(source / "deep" / "notes.txt") == links
    record = json.loads((toy.store.path(new) / "run.json").read_text())
    assert (record["code"], record["adopted_from"]) == ("now", old.key)
    assert [finding.condition for finding in verify(toy.store.root)] == ["ok", "ok"]


def test_a_damaged_artefact_is_not_adopted(toy):
    old, new = toy.node("first"), toy.node("first", config={"width": 9})
    (toy.store.get(old) / "out.bin").write_bytes(b"?")
    with pytest.raises(EvoscopeError, match=r"out\.bin' has 1 bytes"):
        toy.store.adopt(new, toy.store.path(old))
    assert not toy.store.path(new).exists()
