"""Kept listings of large folders: the same set as without, and never one that is out of date."""

import os

import numpy as np
import pytest
from PIL import Image

from evoscope.data import files, folder, listing
from evoscope.data.files import Reading
from evoscope.data.folder import open_folder


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A tree that counts as large, whose folders changed long ago; opening it says whether it was walked."""
    monkeypatch.setattr(files, "_HASHED_BELOW", 1)
    monkeypatch.setattr(files, "_CHECKED_AT_MOST", 0)
    root, walks = tmp_path / "photos", []
    for name in ("train/cat/1.png", "train/cat/in/2.png", "train/dog/ü.png", "val/dog/4.png", "val/cat/5.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(root / name)
    (root / "train" / "cat" / "notes.txt").write_text("text")
    settle(root)
    scan = folder._scan

    def watched(*arguments):
        walks.append(arguments)
        return scan(*arguments)

    monkeypatch.setattr(folder, "_scan", watched)

    def opened(split="train", on_error="raise", **options):
        walks.clear()
        reading = Reading(on_error, listings=tmp_path / "kept")
        images = open_folder(root, split, reading=reading, **options)
        return images, bool(walks)

    return root, opened


def settle(root):
    for parent, _, _ in os.walk(root):
        os.utime(parent, (1e9, 1e9))


def same(first, second):
    assert (first.ids, first.class_names, first.fingerprint) == (second.ids, second.class_names, second.fingerprint)
    assert (first.name, first.split, first.notes) == (second.name, second.split, second.notes)
    assert np.array_equal(first.labels, second.labels)
    assert all(np.array_equal(first.read(i, 4), second.read(i, 4)) for i in range(len(first)))


def test_a_kept_listing_gives_the_same_set(large):
    _, opened = large
    for split in ("train", "test"):
        first, walked = opened(split)
        second, again = opened(split)
        assert (walked, again) == (True, False)
        same(first, second)
    assert opened(on_error="skip")[1]
    assert opened(seed=1)[1]


CHANGES = {
    "a file more": lambda root: Image.new("RGB", (4, 4)).save(root / "train/cat/in/9.png"),
    "a file less": lambda root: (root / "train/cat/in/2.png").unlink(),
    "another name": lambda root: (root / "train/cat/in").rename(root / "train/cat/out"),
    "a class more": lambda root: (root / "train" / "emu").mkdir(),
    "other content": lambda root: Image.new("RGB", (40, 40)).save(root / "train/cat/1.png"),
    "a split less": lambda root: (root / "val").rename(root.parent / "val"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_changed_is_walked_again(large, change):
    root, opened = large
    before = opened()[0]
    change(root)
    if (root / "train" / "emu").exists():
        Image.new("RGB", (4, 4)).save(root / "train/emu/1.png")
    after, walked = opened()
    assert walked
    assert after.fingerprint != before.fingerprint


def test_a_folder_that_changed_just_now_is_not_kept(large):
    root, opened = large
    os.utime(root / "train" / "cat")
    opened()
    assert opened()[1]


@pytest.mark.parametrize("spoil", [b"", b"PK\x03\x04cut", None])
def test_a_damaged_listing_is_made_anew(large, tmp_path, spoil):
    _, opened = large
    first = opened()[0]
    (path,) = (tmp_path / "kept").iterdir()
    path.write_bytes(path.read_bytes()[:-100] if spoil is None else spoil)
    second, walked = opened()
    assert walked
    same(first, second)
    assert not opened()[1]


def test_small_sets_are_read_byte_by_byte_and_not_kept(large, tmp_path, monkeypatch):
    _, opened = large
    monkeypatch.setattr(files, "_HASHED_BELOW", 2**30)
    opened()
    assert not (tmp_path / "kept").exists()


def test_a_place_that_cannot_be_written_is_no_trouble(large, tmp_path):
    _, opened = large
    (tmp_path / "kept").write_text("a file")
    assert len(opened()[0]) == 3
    assert listing.recall(tmp_path / "kept", ["x"], tmp_path) is None
