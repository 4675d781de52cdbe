"""Inspection and fingerprints of image files, and the threads that read them."""

import os
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from PIL import Image

from evoscope.data import files
from evoscope.data.files import Entry, FileSource, Reading, file_set, in_threads
from evoscope.errors import EvoscopeError

CLASSES = ("cat", "dog")


def counted(seen):
    def progress(items, *, total, what, unit="it", size=1):
        for item in items:
            seen.append((total, what, unit, size))
            yield item

    return progress


@pytest.fixture
def good(tmp_path):
    entries = []
    for i, label in enumerate(["dog", "cat", "cat"]):
        path = f"{label}/{i}.png"
        (tmp_path / label).mkdir(exist_ok=True)
        Image.new("RGB", (3, 3), (i, 0, 0)).save(tmp_path / path)
        entries.append(Entry(path, label, path))
    return entries


def spoil(root, entries, content=b"nothing"):
    """Add a damaged file."""
    name = f"cat/bad-{len(entries):02d}.png"
    (root / name).write_bytes(content)
    return [*entries, Entry(name, "cat", name)]


def open_set(root, entries, **options):
    return file_set(root, "train", entries, CLASSES, Reading(**options))


def test_images_come_in_the_order_of_their_ids(tmp_path, good):
    images = open_set(tmp_path, good)
    assert images.ids == ("cat/1.png", "cat/2.png", "dog/0.png")
    assert images.labels.tolist() == [0, 0, 1]
    assert [int(images.read(i, 1)[0, 0, 0]) for i in range(3)] == [1, 2, 0]
    assert images.notes == ()


def test_all_offenders_are_listed_at_once(tmp_path, good):
    entries = spoil(tmp_path, spoil(tmp_path, good), b"")
    with pytest.raises(EvoscopeError) as caught:
        open_set(tmp_path, entries)
    message = str(caught.value)
    assert "2 of 5 train images" in message
    assert "cat/bad-03.png (not an image)" in message
    assert "cat/bad-04.png (empty)" in message


def test_many_offenders_are_counted_after_twenty(tmp_path, good):
    entries = good
    for _ in range(25):
        entries = spoil(tmp_path, entries)
    with pytest.raises(EvoscopeError, match=r"25 of 28") as caught:
        open_set(tmp_path, entries)
    assert str(caught.value).count("not an image") == 20
    assert "and 5 more" in str(caught.value)


def test_skipped_files_are_dropped_counted_and_named(tmp_path, good):
    images = open_set(tmp_path, spoil(tmp_path, good), on_error="skip")
    assert images.ids == open_set(tmp_path, good).ids
    assert images.fingerprint == open_set(tmp_path, good).fingerprint
    assert images.notes == ("1 of 4 files left out, undecodable: cat/bad-03.png",)


def test_a_note_names_three_files_and_counts_the_others(tmp_path, good):
    entries = good
    for _ in range(5):
        entries = spoil(tmp_path, entries)
    (note,) = open_set(tmp_path, entries, on_error="skip").notes
    names = "cat/bad-03.png, cat/bad-04.png, cat/bad-05.png"
    assert note == f"5 of 8 files left out, undecodable: {names} and 2 more"


def test_truncated_image_is_an_offender(tmp_path, good):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    content = (tmp_path / "whole.jpg").read_bytes()
    with pytest.raises(EvoscopeError, match="truncated"):
        open_set(tmp_path, spoil(tmp_path, good, content[:-200]))


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")
def test_pipes_and_dangling_links_are_offenders(tmp_path, good):
    os.mkfifo(tmp_path / "cat/pipe.png")
    (tmp_path / "cat/link.png").symlink_to(tmp_path / "absent.png")
    odd = [Entry(f"cat/{name}.png", "cat", f"cat/{name}.png") for name in ("pipe", "link")]
    with pytest.raises(EvoscopeError, match="2 of 5") as caught:
        open_set(tmp_path, [*good, *odd])
    assert str(caught.value).count("neither a file nor a link to one") == 2


def test_nothing_left_is_an_error(tmp_path, good):
    bad = spoil(tmp_path, good)[-1:]
    with pytest.raises(EvoscopeError, match="has no images"):
        open_set(tmp_path, bad, on_error="skip")
    with pytest.raises(EvoscopeError, match="has no images"):
        open_set(tmp_path, [])


def test_unchecked_files_fail_when_read(tmp_path, good, monkeypatch):
    monkeypatch.setattr(files, "_CHECKED_AT_MOST", 3)
    images = open_set(tmp_path, spoil(tmp_path, good))
    assert len(images) == 4
    assert images.notes == ("the 4 files were not decoded beforehand",)
    with pytest.raises(EvoscopeError, match=r"bad-03\.png cannot be decoded"):
        images.read(images.ids.index("cat/bad-03.png"), 4)


def test_automatic_check_spares_huge_sets(tmp_path, good, monkeypatch):
    monkeypatch.setattr(files, "_CHECKED_AT_MOST", 3)
    entries = spoil(tmp_path, good)
    assert len(open_set(tmp_path, entries)) == 4
    assert len(open_set(tmp_path, entries, on_error="skip")) == 3
    monkeypatch.setattr(files, "_CHECKED_AT_MOST", 4)
    with pytest.raises(EvoscopeError, match="1 of 4"):
        open_set(tmp_path, entries)


def changed_byte(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def test_fingerprints_of_small_sets_see_every_byte_and_those_of_large_ones_sizes(tmp_path, good, monkeypatch):
    monkeypatch.setattr(files, "_CHECKED_AT_MOST", 0)

    def prints():
        content = open_set(tmp_path, good).fingerprint
        with monkeypatch.context() as patch:
            patch.setattr(files, "_HASHED_BELOW", 10)
            return content, open_set(tmp_path, good).fingerprint

    content, sizes = prints()
    assert content != sizes
    changed_byte(tmp_path / good[0].path)
    assert prints()[0] != content
    assert prints()[1] == sizes
    Image.new("RGB", (30, 30)).save(tmp_path / good[0].path)
    assert prints()[1] != sizes


def test_fingerprint_sees_names_labels_and_classes(tmp_path, good):
    renamed = [Entry("cat/x.png", good[0].label, good[0].path), *good[1:]]
    relabelled = [Entry(good[0].id, "cat", good[0].path), *good[1:]]
    prints = {open_set(tmp_path, entries).fingerprint for entries in (good, renamed, relabelled, good[:2])}
    prints.add(file_set(tmp_path, "train", good, (*CLASSES, "emu"), Reading()).fingerprint)
    assert len(prints) == 5
    assert open_set(tmp_path, good[::-1]).fingerprint in prints


def test_checking_reports_progress_in_files(tmp_path, good):
    seen = []
    open_set(tmp_path, good, progress=counted(seen))
    assert seen == [(3, f"checking {tmp_path.name} train", "file", 1)] * 3


def test_source_travels_to_worker_processes(tmp_path, good):
    source = FileSource(tmp_path, tuple(entry.path for entry in good))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        there = executor.submit(source.read, 2, 2).result(timeout=60)
    assert there.tolist() == [[[2, 0, 0]] * 2] * 2


def test_an_unknown_option_is_refused(tmp_path, good):
    with pytest.raises(EvoscopeError, match="is unknown"):
        open_set(tmp_path, good, on_error="ignore")


def test_results_keep_the_order_of_the_items():
    def slow_when_early(i):
        time.sleep(0.02 if i < 2 else 0)
        return i * i

    assert list(in_threads(slow_when_early, range(20))) == [i * i for i in range(20)]


def test_work_happens_in_several_threads():
    barrier = threading.Barrier(2, timeout=5)
    assert list(in_threads(lambda _: barrier.wait() >= 0, range(2))) == [True, True]


def test_first_error_is_raised_and_the_rest_is_cancelled():
    done = []

    def fails_at_once(i):
        if i == 0:
            raise ValueError("first")
        time.sleep(0.005)
        done.append(i)

    with pytest.raises(ValueError, match="first"):
        list(in_threads(fails_at_once, range(2000)))
    assert len(done) < 1000


def test_leaving_early_cancels_the_rest():
    done = []

    def record(i):
        time.sleep(0.005)
        done.append(i)

    results = in_threads(record, range(2000))
    next(results)
    results.close()
    assert len(done) < 1000
