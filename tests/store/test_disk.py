import errno
import os

import pytest

from evoscope.errors import EvoscopeError
from evoscope.store.disk import disk_trouble, is_full, publish, remove_folder


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "free disk space"),
        (errno.EDQUOT, "free disk space"),
        (errno.EROFS, "make the store writable"),
        (errno.EACCES, "make the store writable"),
        (errno.EIO, "check the store's folder"),
    ],
)
def test_each_trouble_has_its_mend_and_names_the_place(tmp_path, number, mend):
    with pytest.raises(EvoscopeError, match=mend) as caught, disk_trouble(tmp_path):
        raise OSError(number, os.strerror(number), "/some/file")
    assert "/some/file" in str(caught.value)
    with pytest.raises(EvoscopeError, match=str(tmp_path)), disk_trouble(tmp_path):
        raise OSError(number, os.strerror(number))


def test_other_errors_pass(tmp_path):
    with pytest.raises(KeyError), disk_trouble(tmp_path):
        raise KeyError("x")


def test_libraries_that_only_use_words_are_understood():
    assert is_full(RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"))
    assert not is_full(RuntimeError("Error while serializing: I/O error: Input/output error (os error 5)"))


def test_publishing_moves_everything_at_once(tmp_path):
    partial, final = tmp_path / "partial", tmp_path / "final"
    (partial / "deep").mkdir(parents=True)
    (partial / "deep" / "x").write_bytes(b"x")
    (partial / "read-only").write_bytes(b"y")
    (partial / "read-only").chmod(0o444)
    publish(partial, final)
    assert not partial.exists()
    assert (final / "deep" / "x").read_bytes() == b"x"


def test_publishing_never_replaces_an_artefact(tmp_path):
    for name in ("partial", "final"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)
    with pytest.raises(OSError):
        publish(tmp_path / "partial", tmp_path / "final")
    assert (tmp_path / "final" / "x").read_text() == "final"
    assert (tmp_path / "partial" / "x").read_text() == "partial"


def test_removing_takes_folders_files_links_and_nothing_behind_a_link(tmp_path):
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "file").write_bytes(b"x")
    for name in ("link", "file", "absent"):
        remove_folder(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    remove_folder(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []
