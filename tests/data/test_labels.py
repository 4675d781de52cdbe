"""Concept labels in CSV files: which image each row is about, what its cells say, and what is refused."""

import pytest
from PIL import Image

from evoscope.data.folder import open_folder
from evoscope.data.labels import read_labels, with_classes
from evoscope.errors import EvoscopeError

IDS = ("train/cat/1.png", "train/cat/2.png", "train/dog/1.png")


@pytest.fixture
def photos(tmp_path):
    for name in (*IDS, "val/cat/9.png", "val/dog/1.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
    return [open_folder(tmp_path / "photos", split) for split in ("train", "test")]


@pytest.fixture
def labels(tmp_path):
    def write(text, encoding="utf-8"):
        (tmp_path / "labels.csv").write_bytes(text.encode(encoding))
        return read_labels(tmp_path / "labels.csv")

    return write


ROWS = """image,colour:red,eyes
train/dog/1.png,1,0
val/cat/9.png,0,1
train/cat/1.png,0,1
train/cat/2.png,1,1
val/dog/1.png,0,0
"""
TRUTH = [[False, True], [True, True], [True, False]]


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        ROWS.replace(",", ";"),
        ROWS.replace(",", "\t").replace("\n", "\r\n"),
        "\ufeff" + ROWS.replace("0", "-1") + "\n\n",
        ROWS.replace(",1", ",True").replace(",0", ", no"),
        ROWS.replace("train/cat", "cat").replace("val/cat/9", ".\\9"),
        ROWS.replace("train/", "/home/me/photos/train/"),
    ],
)
def test_rows_find_their_images_however_they_are_written(photos, labels, text):
    matched = labels(text).of(*photos)
    train = matched.on(photos[0])
    assert train.concepts is not None
    assert train.concepts.names == ("colour:red", "eyes")
    assert train.ids == IDS
    assert train.concepts.present.tolist() == TRUTH
    assert train.subset([2]).concepts.present.tolist() == TRUTH[2:]
    assert matched.on(photos[1]).concepts.present.tolist() == [[False, True], [False, False]]
    assert (matched.strangers, train.notes) == ((), photos[0].notes)


def test_labels_count_in_the_fingerprint(photos, labels):
    first = labels(ROWS).of(*photos).on(photos[0])
    other = labels(ROWS.replace("train/dog/1.png,1,0", "train/dog/1.png,1,1")).of(*photos).on(photos[0])
    assert len({photos[0].fingerprint, first.fingerprint, other.fingerprint}) == 3
    assert labels(ROWS.replace(",", ";")).of(*photos).on(photos[0]).fingerprint == first.fingerprint


def test_rows_about_no_image_are_named(photos, labels):
    matched = labels(ROWS + "train/emu/1.png,1,1\n3.png,0,0\n").of(*photos)
    note = "2 rows of labels.csv are about no image: train/emu/1.png, 3.png"
    assert note in matched.on(photos[0]).notes


@pytest.mark.parametrize(
    ("text", "clue"),
    [
        (ROWS.replace("train/cat/2.png,1,1\n", ""), r"1 of 3 train images have no row in .* \(train/cat/2.png\)"),
        (ROWS.replace("train/cat/1.png", "1.png"), "'1.png' in .* may be train/cat/1.png, train/dog/1.png, val/dog"),
        (ROWS + "cat/2.png,0,0\n", "two rows for train/cat/2.png"),
        ("image,red\nx.png,1\ny.png,0\n", "no image in .* is one of photos"),
        (ROWS.replace("train/cat/2.png,1,1", "train/cat/2.png,1,maybe"), "'maybe' of .*2.png' and concept 'eyes'"),
        (ROWS.replace("train/cat/2.png,1,1", "train/cat/2.png,1,"), "says '' of 'train/cat/2.png'"),
        (ROWS.replace("train/cat/2.png,1,1", "train/cat/2.png,1"), "row 5 of .* has 2 cells, but there are 3 columns"),
        (ROWS.replace("eyes", "colour:red"), "concept 'colour:red' twice"),
        (ROWS.replace("eyes", " "), "a concept without a name"),
        ("image\ntrain/cat/1.png\n", "no concepts or no images"),
        ("image,red\n", "no concepts or no images"),
        ("", "no concepts or no images"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(photos, labels, text, clue):
    with pytest.raises(EvoscopeError, match=clue):
        labels(text).of(*photos).on(photos[0])


def test_unreadable_files_are_refused(tmp_path, labels):
    with pytest.raises(EvoscopeError, match="cannot be read"):
        read_labels(tmp_path / "absent.csv")
    with pytest.raises(EvoscopeError, match="cannot be read"):
        labels("image,süß\nx.png,1\n", encoding="latin-1")


def test_classes_are_concepts_where_nothing_more_is_known(photos, labels):
    train, test = (with_classes(images) for images in photos)
    assert train.concepts.names == train.class_names == ("cat", "dog")
    assert train.concepts.present.tolist() == [[True, False], [True, False], [False, True]]
    assert train.subset([2]).concepts.present.tolist() == [[False, True]]
    assert len({images.fingerprint for images in (train, test, *photos)}) == 4
    known = labels(ROWS).of(*photos).on(photos[0])
    assert with_classes(known) is known
