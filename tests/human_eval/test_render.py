import dataclasses
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from evoscope.errors import EvoscopeError
from human_eval.design import Blocking, Options, design, synthetic_concepts, synthetic_neurons
from human_eval.render import (
    BLOCK_BYTES,
    GAP,
    Album,
    is_rendered,
    licence_warning,
    montage_of,
    render_study,
    study_notes,
)
from human_eval.texts import EDITABLE, OPEN, filled, read_texts, to_html, words, write_texts

HOSTILE = "<script>alert(1)</script> \"'&> 😀 שלום =cmd() </script><!--"
CONCEPTS, NEURONS = synthetic_concepts(0, side=8), synthetic_neurons(0, side=4)
STUDY = design("image_intruder", CONCEPTS, 0, "corrected", Options(blocking=Blocking(blocks=2, size=10)))


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.open = [], {}, []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)


def read(path):
    reader = Reader()
    reader.feed(path.read_text())
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return render_study(STUDY, tmp_path_factory.mktemp("pages"))[0]


def test_every_panel_of_the_block_is_there_and_is_the_right_one(folder):
    trials = STUDY.by_id()
    shown = json.loads((folder / "study.json").read_text())["trials"]
    assert sorted(trial["id"] for trial in shown) == sorted(STUDY.blocks[0].trials)
    for trial in shown:
        for file, rows in zip(trial["panels"], trials[trial["id"]].panels, strict=True):
            found = np.asarray(Image.open(folder / file).convert("RGB")).astype(float)
            wanted = montage_of(STUDY.pictures[list(rows)]).astype(float)
            assert found.shape == wanted.shape
            # Colours of pictures of 8 pixels are blurred; theirs as a whole are not.
            assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.6
            assert np.abs(found.mean((0, 1)) - wanted.mean((0, 1))).max() < 16


def test_a_montage_has_its_pictures_row_by_row():
    pictures = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), dtype=np.uint8)
    sheet = montage_of(pictures)
    assert sheet.shape == (4 + GAP, 6 + 2 * GAP, 3)
    assert [sheet[0, place * (2 + GAP), 0] for place in range(3)] == [0, 1, 2]
    assert [sheet[-1, place * (2 + GAP), 0] for place in range(3)] == [3, 4, 255]


def test_a_block_weighs_little_however_its_pictures_are():
    noise = np.random.default_rng(0).integers(0, 256, (60, 96, 96, 3)).astype(np.uint8)
    few = Options(count=9, pictures=9, blocking=Blocking(1, 9))
    study = design("pairwise_coherence", synthetic_neurons(0, side=4), 0, "corrected", few)
    study = dataclasses.replace(study, pictures=noise[np.arange(len(study.pictures)) % len(noise)])
    album = Album(study)
    files = album.shown()
    assert sum(map(len, files.values())) <= BLOCK_BYTES
    assert len(files) == 2 * len(study.blocks[0].trials)


def test_neither_names_nor_descriptions_tell_the_answer(folder):
    document = json.loads((folder / "study.json").read_text())
    files = [file for trial in document["trials"] for file in trial["panels"]]
    assert len(set(files)) == len(files) == len(list((folder / "pictures").iterdir()))
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "pictures", "study.json"]
    text = (folder / "study.json").read_text() + (folder / "index.html").read_text()
    for word in ('"answer":', '"condition"', '"sources"', '"seed"', '"role"', "svd", "neuron", '"catch"'):
        assert word not in text
    # Were names to follow the source, an intruder would stand out by its place in the sorted order.
    ranks = [
        sorted(range(5), key=lambda p, t=trial: t["panels"][p]).index(STUDY.by_id()[trial["id"]].answer)
        for trial in document["trials"]
    ]
    assert len(set(ranks)) > 2
    # Nor does the order in which a page shows them: every place of the screen is right as often.
    places = [panels.index(STUDY.by_id()[name].answer) for plan in document["plans"] for name, panels in plan]
    assert min(np.bincount(places)) > 0.9 * len(places) / 5


def test_the_embedded_description_is_the_file(folder):
    reader = read(folder / "index.html")
    told = json.loads(reader.texts["script"][0])
    document = json.loads((folder / "study.json").read_text())
    assert {name: told[name] for name in document} == document
    addresses = [a.get("src") or a.get("href") for _, a in reader.tags if "src" in a or "href" in a]
    assert all(address.startswith("data:image/webp") for address in addresses)


def test_what_users_write_is_text_everywhere(tmp_path):
    pool = dataclasses.replace(CONCEPTS, label=(HOSTILE, "b", *CONCEPTS.label[2:]))
    study = design("label_agreement", pool, 0, "as_released")
    own = dict.fromkeys(EDITABLE, HOSTILE)
    texts = dataclasses.replace(read_texts(title=HOSTILE), **own)
    reader = read(render_study(study, tmp_path / "x", texts)[0] / "index.html")
    assert [tag for tag, _ in reader.tags].count("script") == 2
    document = json.loads(reader.texts["script"][0])
    assert any(HOSTILE in trial["form"]["question"] for trial in document["trials"])
    assert reader.texts["title"] == [HOSTILE]
    assert "".join(reader.texts["p"]).count("<script>alert(1)</script>") == len(EDITABLE)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a *b* **c**", "<p>a <em>b</em> <strong>c</strong></p>"),
        ("# Title\ntext", "<h2>Title</h2>\n<p>text</p>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("[x](https://a.b/c?d=1&e)", '<p><a href="https://a.b/c?d=1&amp;e" rel="noreferrer">x</a></p>'),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("<b onclick='x'>", "<p>&lt;b onclick=&#x27;x&#x27;&gt;</p>"),
        ('[x](https://a" onclick="b)', "<p>[x](https://a&quot; onclick=&quot;b)</p>"),
    ],
)
def test_markdown(text, wanted):
    assert to_html(text) == wanted


def test_a_page_in_use_is_not_written_over(folder):
    with pytest.raises(EvoscopeError, match="not empty"):
        render_study(STUDY, folder.parent)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize(
    ("ink", "ground", "least"),
    [
        ("#1a1f24", "#ffffff", 4.5),
        ("#1a1f24", "#f3f5f7", 4.5),
        ("#4b5560", "#ffffff", 4.5),
        ("#4b5560", "#e3e7eb", 4.5),
        ("#ffffff", "#0b57a4", 4.5),
        ("#8c1d18", "#ffffff", 4.5),
        ("#4a3500", "#fff1c9", 4.5),
        ("#083d75", "#dcebfa", 4.5),
        ("#ffffff", "#8c1d18", 4.5),
        ("#7a848e", "#f3f5f7", 3.0),
        ("#b34700", "#ffffff", 3.0),
    ],
)
def test_contrast_is_that_of_wcag_aa(ink, ground, least, folder):
    page = (folder / "index.html").read_text()
    assert ink in page
    assert ground in page
    high, low = sorted((luminance(ink), luminance(ground)), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= least


def test_pages_that_are_whole_and_have_these_texts_are_known(tmp_path):
    study = design("pairwise_coherence", NEURONS, 0, "as_released", Options(count=2))
    assert not is_rendered(study, tmp_path)
    (folder,) = render_study(study, tmp_path)
    assert is_rendered(study, tmp_path)
    assert not is_rendered(study, tmp_path, read_texts(title="other"))
    (folder / "index.html").unlink()
    assert not is_rendered(study, tmp_path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("imagenette", "never on a public host"),
        ("imagewoof", "never on a public host"),
        ("imagenet", "never on a public host"),
        ("cifar10", "make sure"),
        ("folder", "make sure"),
    ],
)
def test_what_may_not_be_hosted_is_said_first(data, words):
    warning = licence_warning(data)
    assert words in warning
    study = design("pairwise_coherence", NEURONS, 0, "corrected", Options(count=2))
    notes = study_notes([study], warning, {study.kind: ["limesurvey"]})
    assert notes.index(warning) < notes.index("Before you begin") < notes.index("## pairwise_coherence")
    assert "Exported to limesurvey" in notes


def test_drawn_images_may_be_hosted():
    assert licence_warning("concept_scenes") == ""


def test_texts_are_those_of_the_study_then_of_the_job_then_ours(tmp_path):
    write_texts(tmp_path)
    (tmp_path / "study").mkdir()
    (tmp_path / "consent.md").write_text("the job's")
    (tmp_path / "study" / "debrief.md").write_text("the study's")
    write_texts(tmp_path)
    texts = read_texts((tmp_path / "study", tmp_path))
    assert (texts.consent, texts.debrief) == ("the job's", "the study's")
    assert texts.unedited() == []
    assert [gap[:6] for gap in read_texts().unedited()] == ["[[NAME", "[[NAME"]
    assert read_texts((tmp_path,)).version != read_texts().version
    with pytest.raises(EvoscopeError, match="choose among en"):
        words("xx")


def test_the_false_premise_is_told_where_there_was_one():
    random = words("en")["random"]
    labels = design("evolution_label", NEURONS, 0, "corrected", Options(count=2, pictures=2))
    text = read_texts().debrief
    assert random in filled(text, STUDY)
    assert random not in filled(text, labels)
    assert "{" not in filled(text, STUDY) + filled(read_texts().consent, STUDY)
    assert OPEN.search(filled(read_texts().consent, STUDY))
