import hashlib
import os
import random
import time

from evoscope.store import hashing as checksums
from evoscope.store.hashing import digest_file, files_under, size_under


def test_digest_is_sha256(tmp_path):
    content = random.randbytes(3_000_000)
    (tmp_path / "x").write_bytes(content)
    assert digest_file(tmp_path / "x") == hashlib.sha256(content).hexdigest()


def test_a_young_file_is_read_every_time(tmp_path, monkeypatch):
    """Within the granularity of file times it may change without its size, inode and times telling."""
    path = tmp_path / "x"
    path.write_bytes(b"a" * 100)
    reads = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *of: reads.append(of) or digest(*of))
    assert digest_file(path) == digest_file(path)
    assert len(reads) == 2


def test_an_old_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(checksums, "_SETTLED", 0.02)
    path = tmp_path / "x"
    path.write_bytes(b"a" * 100)
    time.sleep(0.05)
    first = digest_file(path)
    reads = []
    monkeypatch.setattr(checksums.hashlib, "file_digest", lambda *of: reads.append(of) or hashlib.sha256(b"new"))
    assert digest_file(path) == first
    assert reads == []
    status = os.stat(path)
    with open(path, "r+b") as file:
        file.write(b"b")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # the time of its contents put back
    assert digest_file(path) != first
    assert len(reads) == 1


def test_files_are_listed_at_any_depth_without_hidden_ones(tmp_path):
    for name in ("b", "a/z", "a/.hidden", ".DS_Store", ".git/x", "a/b/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert files_under(tmp_path) == ["a/b/c", "a/z", "b", "link"]
    assert size_under(tmp_path) >= 12
    assert size_under(tmp_path / "b") == 2
