"""Imagenette, ImageWoof, ImageNet and CIFAR-10: where they are looked for, what is in them, what is missing."""

import hashlib
import io
import json
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evoscope.data.files import Reading
from evoscope.data.images import Fit
from evoscope.data.named import (
    COPY_NOTE,
    IMAGENETTE,
    IMAGEWOOF,
    ArraySource,
    open_cifar10,
    open_cue_conflict,
    open_imagenet,
    open_imagenette,
    open_imagewoof,
)
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
    official = torchvision.datasets.Imagenette._WNID_TO_CLASS
    assert {wnid: names[0] for wnid, names in official.items()} == IMAGENETTE


def test_imagewoof_has_readable_breeds(tmp_path):
    small(tmp_path / "imagewoof2-160", IMAGEWOOF)
    images = open_imagewoof(tmp_path, "test")
    assert (images.name, images.class_names) == ("imagewoof", tuple(IMAGEWOOF.values()))


def test_cue_conflict_knows_shape_and_texture_of_every_image(tmp_path):
    for shape, others in (("cat", "bear cat"), ("bear", "cat bear")):
        for number, texture in enumerate(others.split() * 2):
            path = tmp_path / f"cue-conflict-160/{shape}/{shape}{number}-{texture}{number + 1}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(path)
    halves = [open_cue_conflict(tmp_path, split) for split in ("train", "test")]
    assert [len(images) for images in halves] == [4, 4]
    for images in halves:
        names = images.concepts.names
        assert names == ("shape:bear", "shape:cat", "texture:bear", "texture:cat")
        for name, present in zip(images.ids, images.concepts.present, strict=True):
            shape, texture = (part.rstrip("0123456789") for part in Path(name).stem.split("-"))
            assert [names[place] for place in np.flatnonzero(present)] == [
                f"shape:{shape}", f"texture:{texture}"
            ]  # fmt: skip
    Image.new("RGB", (8, 8)).save(tmp_path / "cue-conflict-160/cat/cat9-moss1.jpg")
    with pytest.raises(EvoscopeError, match=r"cat9-moss1\.jpg names no texture"):
        [open_cue_conflict(tmp_path, split) for split in ("train", "test")]
    with pytest.raises(EvoscopeError, match="cue_conflict is not in"):
        open_cue_conflict(tmp_path / "cue-conflict-160" / "cat", "train")


@pytest.mark.parametrize(("opened", "name"), [(open_imagenette, "imagenette"), (open_imagewoof, "imagewoof")])
def test_missing_set_says_what_to_fetch_and_where_it_goes(tmp_path, opened, name):
    with pytest.raises(EvoscopeError) as caught:
        opened(tmp_path, "train")
    assert f"{name}2-160.tgz" in caught.value.mend
    assert str(tmp_path / f"{name}2-160") in caught.value.mend


def test_download_goes_through_torchvision_and_its_failure_is_clear(tmp_path, monkeypatch):
    monkeypatch.setitem(torchvision.datasets.Imagenette._ARCHIVES, "160px", ("file:///absent/imagenette2-160.tgz", "0"))
    with pytest.raises(EvoscopeError, match="could not be downloaded"):
        open_imagenette(tmp_path, "train", download=True)


def test_downloaded_archive_is_unpacked_and_opened(tmp_path, served, monkeypatch):
    folder, address = served
    small(folder / "imagenette2-160", IMAGENETTE)
    archive = folder / "imagenette2-160.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / "imagenette2-160", "imagenette2-160")
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    monkeypatch.setitem(torchvision.datasets.Imagenette._ARCHIVES, "160px", (f"{address}/{archive.name}", md5))
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
    assert len(open_imagewoof(tmp_path, "train", reading=Reading("skip"))) == 20


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


needs_copy = pytest.mark.skipif(
    not (REAL / "cifar10" / "cifar10_jpeg.npz").is_file(), reason=f"no cifar10_jpeg.npz in {REAL} (set EVOSCOPE_DATA)"
)
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def jpeg(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return np.frombuffer(stream.getvalue(), dtype=np.uint8)


def copy_arrays(rng, counts=(("train", 6), ("test", 4))):
    arrays = {"class_names": np.array(NAMES)}
    for split, n in counts:
        parts = [jpeg(np.full((32, 32, 3), 20 * i, dtype=np.uint8)) for i in range(n)]
        arrays[f"{split}_jpeg"] = np.concatenate(parts)
        arrays[f"{split}_offsets"] = np.cumsum([0, *map(len, parts)]).astype(np.uint32)
        arrays[f"{split}_labels"] = rng.integers(0, 10, n).astype(np.uint8)
    return arrays


@pytest.fixture
def arrays():
    return copy_arrays(np.random.default_rng(0))


def write_copy(root, arrays):
    root.mkdir(exist_ok=True)
    np.savez(root / "cifar10_jpeg.npz", **arrays)


@pytest.mark.parametrize("folder", ["", "cifar10"])
def test_copy_is_found_and_keeps_its_order(tmp_path, arrays, folder):
    write_copy(tmp_path / folder, arrays)
    for split, n in (("train", 6), ("test", 4)):
        images = open_cifar10(tmp_path, split)
        assert images.ids == tuple(f"{split}-{i:05d}" for i in range(n))
        assert np.array_equal(images.labels, arrays[f"{split}_labels"])
        assert all(abs(int(images.read(i, 8).mean()) - 20 * i) <= 2 for i in range(n))
        assert (images.class_names, images.notes) == (tuple(NAMES), (COPY_NOTE,))


def test_fingerprint_sees_pixels_and_labels(tmp_path, arrays):
    write_copy(tmp_path, arrays)
    prints = [open_cifar10(tmp_path, split).fingerprint for split in ("train", "test")]
    assert prints[0] == open_cifar10(tmp_path, "train").fingerprint
    relabelled = {**arrays, "train_labels": (arrays["train_labels"] + 1) % 10}
    write_copy(tmp_path, relabelled)
    prints.append(open_cifar10(tmp_path, "train").fingerprint)
    repainted = arrays["train_jpeg"].copy()
    repainted[-3] ^= 1
    write_copy(tmp_path, {**arrays, "train_jpeg": repainted})
    prints.append(open_cifar10(tmp_path, "train").fingerprint)
    assert len(set(prints)) == 4


def spoilt(arrays):
    offsets = arrays["train_offsets"]
    return {
        "no key": {k: v for k, v in arrays.items() if k != "train_jpeg"},
        "short offsets": {**arrays, "train_offsets": offsets[:-1]},
        "short content": {**arrays, "train_jpeg": arrays["train_jpeg"][:-5]},
        "falling offsets": {**arrays, "train_offsets": np.r_[offsets[0], offsets[2], offsets[1], offsets[3:]]},
        "labels": {**arrays, "train_labels": arrays["train_labels"] + 10},
        "type": {**arrays, "train_jpeg": arrays["train_jpeg"].astype(np.int64)},
        "pickle": {**arrays, "train_labels": np.array([object()] * 6)},
        "empty": {**arrays, "train_labels": np.array([], np.uint8), "train_offsets": np.array([], np.uint32)},
    }


@pytest.mark.parametrize("fault", sorted(spoilt(copy_arrays(np.random.default_rng(1)))))
def test_damaged_copies_are_refused(tmp_path, arrays, fault):
    write_copy(tmp_path, spoilt(arrays)[fault])
    with pytest.raises(EvoscopeError, match="is not CIFAR-10 as JPEG copies"):
        open_cifar10(tmp_path, "train")


def test_file_that_is_no_archive_is_refused(tmp_path, arrays):
    write_copy(tmp_path, arrays)
    path = tmp_path / "cifar10_jpeg.npz"
    for content in (b"", b"text", path.read_bytes()[:500]):
        path.write_bytes(content)
        with pytest.raises(EvoscopeError, match="is not CIFAR-10 as JPEG copies"):
            open_cifar10(tmp_path, "train")


def test_undecodable_image_is_named_when_read(tmp_path, arrays):
    content, offsets = arrays["train_jpeg"].copy(), arrays["train_offsets"]
    content[offsets[2] : offsets[3]] = 0
    write_copy(tmp_path, {**arrays, "train_jpeg": content})
    images = open_cifar10(tmp_path, "train")
    assert images.read(1, 32).shape == (32, 32, 3)
    with pytest.raises(EvoscopeError, match=r"image train-00002 in .* cannot be decoded"):
        images.read(2, 32)


def write_official(root, monkeypatch, per_batch=3):
    """Small files of the official form, whose md5 sums torchvision is told to expect."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    official = torchvision.datasets.CIFAR10
    rng = np.random.default_rng(2)
    truth = {}

    def write(name, content):
        encoded = pickle.dumps(content)
        (folder / name).write_bytes(encoded)
        return hashlib.md5(encoded).hexdigest()

    for listing in ("train_list", "test_list"):
        sums, pixels, labels = [], [], []
        for name, _ in getattr(official, listing):
            batch = rng.integers(0, 256, (per_batch, 3, 32, 32), dtype=np.uint8)
            targets = rng.integers(0, 10, per_batch).tolist()
            sums.append([name, write(name, {"data": batch.reshape(per_batch, -1), "labels": targets})])
            pixels.append(batch.transpose(0, 2, 3, 1))
            labels += targets
        monkeypatch.setattr(official, listing, sums)
        truth[listing.removesuffix("_list")] = np.concatenate(pixels), labels
    meta = {**official.meta, "md5": write("batches.meta", {"label_names": NAMES})}
    monkeypatch.setattr(official, "meta", meta)
    return truth


@pytest.mark.parametrize("folder", ["", "cifar10"])
def test_official_files_are_read_through_torchvision(tmp_path, monkeypatch, folder):
    truth = write_official(tmp_path / folder, monkeypatch)
    for split, (pixels, labels) in truth.items():
        images = open_cifar10(tmp_path, split)
        assert images.labels.tolist() == labels
        assert all(np.array_equal(images.read(i, 32), pixels[i]) for i in range(len(pixels)))
        assert (images.ids[0], images.class_names, images.notes) == (f"{split}-00000", tuple(NAMES), ())


def test_official_files_come_before_the_copy(tmp_path, arrays, monkeypatch):
    write_copy(tmp_path, arrays)
    write_official(tmp_path, monkeypatch)
    assert len(open_cifar10(tmp_path, "train")) == 15


def test_pickles_with_other_content_are_refused_unread(tmp_path, monkeypatch):
    write_official(tmp_path, monkeypatch)
    planted = tmp_path / "planted"

    class Harmful:
        def __reduce__(self):
            return Path.touch, (planted,)

    (tmp_path / "cifar-10-batches-py" / "data_batch_2").write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(EvoscopeError, match="incomplete or damaged"):
        open_cifar10(tmp_path, "train")
    assert not planted.exists()


def test_missing_set_says_what_to_fetch(tmp_path):
    with pytest.raises(EvoscopeError) as caught:
        open_cifar10(tmp_path, "train")
    assert "cifar-10-python.tar.gz" in caught.value.mend
    assert str(tmp_path / "cifar-10-batches-py") in caught.value.mend


def test_downloaded_archive_is_unpacked_and_opened_as_cifar10(tmp_path, served, monkeypatch):
    folder, address = served
    truth = write_official(folder, monkeypatch)
    archive = folder / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / "cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", f"{address}/{archive.name}")
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    images = open_cifar10(tmp_path / "new", "test", download=True)
    assert images.labels.tolist() == truth["test"][1]


def test_failed_download_is_clear(tmp_path, monkeypatch):
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", "file:///absent/cifar.tar.gz")
    with pytest.raises(EvoscopeError, match="incomplete or damaged"):
        open_cifar10(tmp_path, "train", download=True)


def test_unknown_split_is_refused(tmp_path):
    with pytest.raises(EvoscopeError, match="split 'val' is unknown"):
        open_cifar10(tmp_path, "val")


def test_array_source_crops_and_squashes():
    pixels = np.zeros((1, 8, 8, 3), np.uint8)
    pixels[:, 2:6, 2:6] = 200
    assert (ArraySource(pixels).read(0, 4, Fit("crop", 0.5)) == 200).all()
    assert ArraySource(pixels).read(0, 4).mean() < 100


@pytest.mark.realdata
@needs_copy
def test_real_copy_is_complete_and_matches_the_lossless_images():
    for split, n in (("train", 50_000), ("test", 10_000)):
        images = open_cifar10(REAL, split)
        assert len(images) == n
        assert (np.bincount(images.labels) == n // 10).all()
        sheet = Image.open(REAL / "cifar10" / f"lossless_{split}_first1000.png")
        originals = np.asarray(sheet).reshape(1000, 32, 32, 3)[::20]
        copies = np.stack([images.read(20 * i, 32) for i in range(len(originals))])
        errors = np.abs(copies.astype(float) - originals).mean(axis=(1, 2, 3))
        assert errors.mean() < 8
        assert errors.max() < 20
