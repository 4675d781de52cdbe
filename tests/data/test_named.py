"""Imagenette, ImageWoof and ImageNet: where they are looked for, what their classes are called, what is missing."""

import hashlib
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evoscope.data.datasets import IMAGENETTE, IMAGEWOOF, open_imagenet, open_imagenette, open_imagewoof
from evoscope.errors import EvoscopeError
from evoscope.torchvision_compat import torchvision

REAL = Path(os.environ.get("EVOSCOPE_DATA", "../shared/data"))
needs_imagenette = pytest.mark.skipif(
    not (REAL / "imagenette2-160").is_dir(), reason=f"no imagenette2-160 in {REAL} (set EVOSCOPE_DATA)"
)


def add(root, *paths):
    for i, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (i, i, i)).save(root / path)


def small(root, wnids):
    add(root, *(f"{split}/{wnid}/{i}.JPEG" for split in ("train", "val") for wnid in wnids for i in range(2)))


@pytest.mark.parametrize("folder", ["imagenette2", "imagenette2-320", "imagenette2-160"])
def test_imagenette_in_any_size(tmp_path, folder):
    small(tmp_path / folder, IMAGENETTE)
    train, test = open_imagenette(tmp_path, "train"), open_imagenette(tmp_path, "test")
    assert train.class_names == test.class_names == tuple(IMAGENETTE.values())
    assert (train.name, train.split, len(train), len(test)) == ("imagenette", "train", 20, 20)
    assert train.ids[0] == "train/n01440764/0.JPEG"
    assert open_imagenette(tmp_path / folder, "train").fingerprint == train.fingerprint


def test_largest_version_comes_first(tmp_path):
    small(tmp_path / "imagenette2-160", IMAGENETTE)
    small(tmp_path / "imagenette2", list(IMAGENETTE)[:3])
    assert len(open_imagenette(tmp_path, "train").class_names) == 3


def test_imagenette_names_are_torchvisions():
    official = torchvision().datasets.Imagenette._WNID_TO_CLASS
    assert {wnid: names[0] for wnid, names in official.items()} == IMAGENETTE


def test_imagewoof_has_readable_breeds(tmp_path):
    small(tmp_path / "imagewoof2-160", IMAGEWOOF)
    images = open_imagewoof(tmp_path, "test")
    assert (images.name, images.class_names) == ("imagewoof", tuple(IMAGEWOOF.values()))


@pytest.mark.parametrize(("opened", "name"), [(open_imagenette, "imagenette"), (open_imagewoof, "imagewoof")])
def test_missing_set_says_what_to_fetch_and_where_it_goes(tmp_path, opened, name):
    with pytest.raises(EvoscopeError) as caught:
        opened(tmp_path, "train")
    assert f"{name}2-160.tgz" in caught.value.mend
    assert str(tmp_path / f"{name}2-160") in caught.value.mend


def test_download_goes_through_torchvision_and_its_failure_is_clear(tmp_path, monkeypatch):
    monkeypatch.setitem(
        torchvision().datasets.Imagenette._ARCHIVES, "160px", ("file:///absent/imagenette2-160.tgz", "0")
    )
    with pytest.raises(EvoscopeError, match="could not be downloaded"):
        open_imagenette(tmp_path, "train", download=True)


def test_downloaded_archive_is_unpacked_and_opened(tmp_path, served, monkeypatch):
    folder, address = served
    small(folder / "imagenette2-160", IMAGENETTE)
    archive = folder / "imagenette2-160.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / "imagenette2-160", "imagenette2-160")
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    monkeypatch.setitem(
        torchvision().datasets.Imagenette._ARCHIVES, "160px", (f"{address}/{archive.name}", md5)
    )
    assert len(open_imagenette(tmp_path / "new/root", "train", download=True)) == 20


def test_download_is_not_repeated(tmp_path):
    small(tmp_path / "imagenette2-160", IMAGENETTE)
    assert len(open_imagenette(tmp_path, "train", download=True)) == 20


def write_index(root, *pairs):
    text = json.dumps({str(i): pair for i, pair in enumerate(pairs)})
    (root / "imagenet_class_index.json").write_text(text)


def test_imagenet_with_a_class_index(tmp_path):
    small(tmp_path, ["n2", "n1", "n3", "n4"])
    (tmp_path / "devkit").mkdir()
    write_index(tmp_path, ["n1", "great_white_shark"], ["n2", "crane"], ["n3", "crane"])
    images = open_imagenet(tmp_path, "train")
    assert images.class_names == ("great white shark", "crane (n2)", "crane (n3)", "n4")
    assert [name.split("/")[1] for name in images.ids] == [f"n{label + 1}" for label in images.labels]


def test_imagenet_without_a_class_index(tmp_path):
    add(tmp_path, "val/n1/1.JPEG", "val/n2/1.JPEG")
    assert open_imagenet(tmp_path, "test").class_names == ("n1", "n2")


@pytest.mark.parametrize("text", ["not json", "[1, 2]", '{"0": 5}', '{"0": ["n1", 3]}'])
def test_malformed_class_index_is_refused(tmp_path, text):
    small(tmp_path, ["n1"])
    (tmp_path / "imagenet_class_index.json").write_text(text)
    with pytest.raises(EvoscopeError, match="is not a class index"):
        open_imagenet(tmp_path, "train")


def test_missing_imagenet_says_what_to_fetch(tmp_path):
    with pytest.raises(EvoscopeError) as caught:
        open_imagenet(tmp_path, "train")
    assert "ILSVRC2012_img_train.tar" in caught.value.mend
    with pytest.raises(EvoscopeError, match="could not be unpacked"):
        open_imagenet(tmp_path, "train", unpack=True)


def test_options_reach_the_files(tmp_path):
    small(tmp_path / "imagewoof2", IMAGEWOOF)
    (tmp_path / "imagewoof2/train/n02086240/bad.JPEG").write_bytes(b"")
    with pytest.raises(EvoscopeError, match="1 of 21"):
        open_imagewoof(tmp_path, "train")
    assert len(open_imagewoof(tmp_path, "train", on_error="skip")) == 20


@pytest.mark.realdata
@needs_imagenette
def test_real_imagenette_is_complete():
    sizes = {split: open_imagenette(REAL, split) for split in ("train", "test")}
    assert {split: len(images) for split, images in sizes.items()} == {"train": 9469, "test": 3925}
    assert sizes["test"].class_names == tuple(IMAGENETTE.values())


@pytest.mark.realdata
@needs_imagenette
def test_real_imagenette_reads_as_pillow_does():
    images = open_imagenette(REAL, "test")
    for index in np.random.default_rng(0).integers(0, len(images), 20):
        whole = Image.open(REAL / "imagenette2-160" / images.ids[index]).convert("RGB")
        assert np.array_equal(images.read(index, 160), np.asarray(whole))
