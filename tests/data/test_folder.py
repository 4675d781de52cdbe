"""Class-folder trees: layouts, stable ids, seeded splits, and clear errors."""

import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from evoscope.data.files import Reading
from evoscope.data.folder import open_folder
from evoscope.errors import EvoscopeError


def add(root, *paths):
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        colour = np.frombuffer(path.encode().ljust(3)[-3:], dtype=np.uint8)
        Image.fromarray(np.broadcast_to(colour, (4, 4, 3)).copy()).save(file, format="PNG")


@pytest.fixture
def animals(tmp_path):
    root = tmp_path / "animals"
    for kind, n in (("cat", 10), ("dog", 5), ("emu", 1)):
        add(root, *(f"{kind}/{kind}-{i}.png" for i in range(n)))
    return root


def labelled(images):
    return {name: images.class_names[label] for name, label in zip(images.ids, images.labels, strict=True)}


@pytest.mark.parametrize("test_name", ["test", "val", "valid", "validation"])
def test_train_and_test_folders(tmp_path, test_name):
    add(tmp_path, "train/cat/1.png", "train/dog/1.png", f"{test_name}/dog/1.png", f"{test_name}/cat/2.png")
    train, test = open_folder(tmp_path, "train"), open_folder(tmp_path, "test")
    assert labelled(train) == {"train/cat/1.png": "cat", "train/dog/1.png": "dog"}
    assert labelled(test) == {f"{test_name}/cat/2.png": "cat", f"{test_name}/dog/1.png": "dog"}
    assert (train.split, test.split, train.name) == ("train", "test", tmp_path.name)


def test_first_test_folder_with_classes_counts(tmp_path):
    add(tmp_path, "train/cat/1.png", "val/cat/2.png", "test/3.png")
    assert open_folder(tmp_path, "test").ids == ("val/cat/2.png",)
    add(tmp_path, "test/cat/4.png")
    both = open_folder(tmp_path, "test")
    assert both.ids == ("test/cat/4.png",)
    assert "folders that were not read: val/" in both.notes


def test_tree_without_split_folders_is_divided_by_class(animals):
    train, test = open_folder(animals, "train"), open_folder(animals, "test")
    assert np.bincount(train.labels).tolist() == [8, 4, 1]
    assert np.bincount(test.labels, minlength=3).tolist() == [2, 1, 0]
    assert set(train.ids) | set(test.ids) == {p.relative_to(animals).as_posix() for p in animals.rglob("*.png")}
    assert not set(train.ids) & set(test.ids)
    assert train.class_names == test.class_names == ("cat", "dog", "emu")


def test_split_depends_on_the_seed_and_the_fraction_alone(animals):
    splits = [open_folder(animals, "test", seed=seed).ids for seed in range(6)]
    assert splits[0] == open_folder(animals, "test", seed=0).ids
    assert len(set(splits)) > 1
    assert len(open_folder(animals, "train", val_fraction=0.0)) == 16
    assert set(splits[0]) < set(open_folder(animals, "test", val_fraction=0.6).ids)


def test_train_folder_alone_is_divided(tmp_path):
    add(tmp_path, *(f"train/{kind}/{i}.png" for kind in "ab" for i in range(5)))
    assert (len(open_folder(tmp_path, "train")), len(open_folder(tmp_path, "test"))) == (8, 2)


def test_class_called_train_beside_other_classes(tmp_path):
    add(tmp_path, "train/1.png", "train/2.png", "bus/1.png", "bus/2.png")
    assert open_folder(tmp_path, "train").class_names == ("bus", "train")


def test_test_folder_alone_has_its_own_classes(tmp_path):
    add(tmp_path, "val/cat/1.png", "val/dog/1.png")
    assert open_folder(tmp_path, "test").class_names == ("cat", "dog")
    with pytest.raises(EvoscopeError, match="no train folder"):
        open_folder(tmp_path, "train")


SPLITS = [("Training", "Validation"), ("TRAIN", "TEST"), ("train_set", "val_images"), ("Train", "Val")]


@pytest.mark.parametrize("names", [*SPLITS, ("seg_train", "seg_test"), ("flowers_train", "flowers_test")])
def test_split_folders_go_by_many_names(tmp_path, names):
    train, test = names
    add(tmp_path, f"{train}/cat/1.png", f"{train}/dog/1.png", f"{test}/dog/1.png")
    for split, ids in (("train", [f"{train}/cat/1.png", f"{train}/dog/1.png"]), ("test", [f"{test}/dog/1.png"])):
        images = open_folder(tmp_path, split)
        assert (list(images.ids), images.class_names) == (ids, ("cat", "dog"))


@pytest.mark.parametrize("flat", ["val/1.png", "test/1.png", "test/test/1.png", "Validation/1.png", "test1/1.png"])
def test_flat_test_folder_is_left_aside_and_no_class(tmp_path, flat):
    add(tmp_path, *(f"train/{kind}/{i}.png" for kind in ("cat", "dog") for i in range(5)), flat)
    train, test = open_folder(tmp_path, "train"), open_folder(tmp_path, "test")
    assert train.class_names == test.class_names == ("cat", "dog")
    assert (len(train), len(test)) == (8, 2)
    assert all(f"folders that were not read: {flat.split('/')[0]}/" in each.notes for each in (train, test))


def test_flat_test_folder_beside_classes_is_no_class(tmp_path):
    add(tmp_path, *(f"{kind}/{i}.png" for kind in ("cat", "dog") for i in range(5)), "test/1.png")
    assert open_folder(tmp_path, "train").class_names == ("cat", "dog")
    add(tmp_path, "test/cat/1.png")
    assert open_folder(tmp_path, "test").ids == ("test/cat/1.png",)
    assert len(open_folder(tmp_path, "train")) == 10


@pytest.mark.parametrize("paths", [["train/1.png", "test/2.png"], ["train/1.png"], ["train/1.png", "val/cat/2.png"]])
def test_splits_without_class_folders_are_refused(tmp_path, paths):
    add(tmp_path, *paths)
    for split in ("train", "test"):
        with pytest.raises(EvoscopeError, match="in no class folders"):
            open_folder(tmp_path, split)


def test_what_may_be_a_split_or_a_class_is_refused(tmp_path):
    add(tmp_path, "train/steam/1.png", "train/diesel/2.png", "bus/1.png")
    with pytest.raises(EvoscopeError, match=r"class folders in train/ and images in bus/"):
        open_folder(tmp_path, "train")
    add(tmp_path, "Training/steam/1.png")
    with pytest.raises(EvoscopeError, match=r"several train folders \(Training, train\)"):
        open_folder(tmp_path, "train")


@pytest.mark.parametrize("around", ["archive/", "data/photos/"])
def test_lone_folder_around_all_others_is_entered(tmp_path, around):
    add(tmp_path, f"{around}cat/1.png", f"{around}dog/1.png")
    assert open_folder(tmp_path, "train").ids == (f"{around}cat/1.png", f"{around}dog/1.png")
    split = tmp_path / "split"
    add(split, f"{around}train/train/cat/1.png", f"{around}train/train/dog/1.png", f"{around}test/test/cat/1.png")
    assert open_folder(split, "train").class_names == ("cat", "dog")
    assert open_folder(split, "test").ids == (f"{around}test/test/cat/1.png",)


def test_class_folders_below_a_folder_of_images(tmp_path):
    add(tmp_path, *(f"{split}/images/{kind}/1.png" for split in ("train", "val") for kind in ("cat", "dog")))
    for split in ("train", "test"):
        assert open_folder(tmp_path, split).class_names == ("cat", "dog")


def test_one_class_is_a_class_and_not_entered(tmp_path):
    add(tmp_path, "cat/1.png", "cat/2.png")
    images = open_folder(tmp_path, "train")
    assert (images.class_names, images.notes) == (("cat",), ("all images are of one class (cat)",))


def test_what_systems_leave_behind_is_no_class(tmp_path):
    add(tmp_path, "cat/1.png", "dog/1.png", "__MACOSX/cat/._1.png", "@eaDir/1.png", ".ipynb_checkpoints/1.png")
    add(tmp_path, "dog/.ipynb_checkpoints/1.png", "dog/__MACOSX/2.png")
    images = open_folder(tmp_path, "train")
    assert (images.class_names, len(images)) == (("cat", "dog"), 2)


def test_class_names_with_a_word_of_a_split_are_classes(tmp_path):
    add(tmp_path, "test_tube/1.png", "train station/1.png", "valley/1.png")
    assert open_folder(tmp_path, "train").class_names == ("test_tube", "train station", "valley")


def test_nested_folders_and_capital_suffixes(tmp_path):
    add(tmp_path, "cat/a/b/1.PNG", "cat/2.png", "dog/c/3.png")
    images = open_folder(tmp_path, "train", val_fraction=0)
    assert labelled(images) == {"cat/2.png": "cat", "cat/a/b/1.PNG": "cat", "dog/c/3.png": "dog"}


def test_images_read_as_their_own_file(animals):
    images = open_folder(animals, "train")
    for index, name in enumerate(images.ids):
        assert np.array_equal(images.read(index, 4), np.asarray(Image.open(animals / name)))


def test_other_files_are_counted_and_hidden_ones_are_not(tmp_path):
    add(tmp_path, "cat/1.png", "cat/.2.png", ".cache/3.png", "outside.png", "cat/.git/4.png")
    for name in ("cat/list.txt", "cat/README", "cat/b.TXT", "cat/.DS_Store"):
        (tmp_path / name).write_text("text")
    images = open_folder(tmp_path, "train")
    assert images.ids == ("cat/1.png",)
    assert "3 files without an image suffix left out (no suffix 1, .txt 2)" in images.notes
    assert "1 image outside class folders left out" in images.notes


def test_result_does_not_depend_on_the_order_of_the_directory(animals, monkeypatch):
    walk = os.walk

    def backwards(top, **options):
        for parent, folders, files in walk(top, **options):
            folders.sort(reverse=True)
            yield parent, folders, sorted(files, reverse=True)

    def forwards(top, **options):
        for parent, folders, files in walk(top, **options):
            folders.sort()
            yield parent, folders, sorted(files)

    monkeypatch.setattr(os, "walk", forwards)
    ordered = open_folder(animals, "train")
    monkeypatch.setattr(os, "walk", backwards)
    reversed_ = open_folder(animals, "train")
    assert list(ordered.ids) == sorted(ordered.ids)
    assert (ordered.ids, ordered.fingerprint) == (reversed_.ids, reversed_.fingerprint)
    assert np.array_equal(ordered.labels, reversed_.labels)


def test_copy_elsewhere_has_the_same_ids_and_fingerprint(tmp_path):
    for place in ("here", "there"):
        add(tmp_path / place, "cat/1.png", "dog/2.png")
    here, there = (open_folder(tmp_path / place, "train") for place in ("here", "there"))
    assert (here.ids, here.fingerprint) == (there.ids, there.fingerprint)


def test_linked_class_folders_are_followed_and_loops_are_not(tmp_path):
    add(tmp_path / "elsewhere", "1.png")
    root = tmp_path / "root"
    add(root, "cat/1.png")
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    (root / "cat" / "again").symlink_to(root)
    (root / "cat" / "top").symlink_to("/")
    assert open_folder(root, "train").ids == ("cat/1.png", "dog/1.png")


def test_names_are_composed_and_still_read(tmp_path):
    spelled = unicodedata.normalize("NFD", "Köter/Süß.png")
    add(tmp_path, spelled)
    images = open_folder(tmp_path, "train")
    assert images.ids == (unicodedata.normalize("NFC", spelled),)
    assert images.class_names == ("Köter",)
    assert images.read(0, 4).shape == (4, 4, 3)


def test_two_spellings_of_one_name_are_refused(tmp_path):
    add(tmp_path, *(f"a/{unicodedata.normalize(form, 'ü')}.png" for form in ("NFC", "NFD")))
    if len(list((tmp_path / "a").iterdir())) == 1:
        pytest.skip("this file system has one spelling per name")
    with pytest.raises(EvoscopeError, match="Unicode spelling"):
        open_folder(tmp_path, "train")


def add_odd(folder):
    """Put an image whose name is no text into a folder."""
    target = os.fsencode(folder) + b"/\xff.png"
    try:
        with open(target, "wb") as file:
            Image.new("RGB", (2, 2)).save(file, format="PNG")
    except OSError:
        pytest.skip("this file system has only UTF-8 names")


def test_names_that_are_no_text_are_refused(tmp_path):
    add(tmp_path, "cat/1.png")
    add_odd(tmp_path / "cat")
    with pytest.raises(EvoscopeError, match="not valid UTF-8") as caught:
        open_folder(tmp_path, "train", val_fraction=0)
    str(caught.value).encode()
    assert open_folder(tmp_path, "train", val_fraction=0, reading=Reading("skip")).ids == ("cat/1.png",)
    os.rename(os.fsencode(tmp_path / "cat"), os.fsencode(tmp_path) + b"/\xfe")
    with pytest.raises(EvoscopeError, match="folders whose names are not UTF-8"):
        open_folder(tmp_path, "train")


def test_test_split_may_lack_classes_but_not_add_them(tmp_path):
    add(tmp_path, "train/cat/1.png", "train/dog/1.png", "val/dog/1.png")
    (tmp_path / "val" / "cat").mkdir()
    test = open_folder(tmp_path, "test")
    assert (test.class_names, test.labels.tolist()) == (("cat", "dog"), [1])
    add(tmp_path, "val/emu/1.png")
    with pytest.raises(EvoscopeError, match=r"val has classes that .*train lacks \(emu\)"):
        open_folder(tmp_path, "test")


def test_empty_class_folders_are_named(animals):
    (animals / "fox").mkdir()
    (animals / "gnu").mkdir()
    with pytest.raises(EvoscopeError, match=r"2 class folders .* \(fox, gnu\)"):
        open_folder(animals, "train")


def test_class_emptied_by_skipping_is_named(tmp_path):
    add(tmp_path, "train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "val/dog/1.png")
    (tmp_path / "train/dog/1.png").write_bytes(b"")
    with pytest.raises(EvoscopeError, match=r"no usable images for training \(dog\)"):
        open_folder(tmp_path, "train", reading=Reading("skip"))


def test_missing_and_imageless_folders(tmp_path):
    with pytest.raises(EvoscopeError, match="there is no folder"):
        open_folder(tmp_path / "absent", "train")
    with pytest.raises(EvoscopeError, match="no images in class folders"):
        open_folder(tmp_path, "train")
    add(tmp_path, "flat.png")
    with pytest.raises(EvoscopeError, match="no images in class folders"):
        open_folder(tmp_path, "train")


def test_test_split_of_single_images_is_empty_and_says_so(tmp_path):
    add(tmp_path, "cat/1.png", "dog/1.png")
    with pytest.raises(EvoscopeError, match=r"test split in .* has no images"):
        open_folder(tmp_path, "test")


@pytest.mark.parametrize("options", [{"split": "val"}, {"val_fraction": 1.0}, {"val_fraction": -0.1}])
def test_impossible_arguments_are_refused(animals, options):
    with pytest.raises(EvoscopeError, match=r"unknown|impossible"):
        open_folder(animals, **{"split": "train", **options})
