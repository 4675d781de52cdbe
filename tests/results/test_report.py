"""The page is small, its links and pictures lead somewhere, and it is written again only when something changed."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from results import registry
from results import report as report_module
from results.report import digest_of, galleries, pictures_of, rendered, shortened, write_report

VOID = {"meta", "img", "br", "hr"}


class Reader(HTMLParser):
    """Collects ids, links and sources, and checks that tags close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.sources = [], [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        self.sources += [found["src"]] if "src" in found else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag in VOID or self.open.pop() == tag


DRAWN = ("fig_training", "fig_metrics", "table_reversal", "table_training", "table_metrics")


@pytest.fixture(scope="module")
def folder(exhibits, about, tmp_path_factory):
    to = tmp_path_factory.mktemp("drawn")
    registry.draw(DRAWN, exhibits, about, to)
    return to


@pytest.fixture(scope="module")
def report(folder, tmp_path_factory):
    to = tmp_path_factory.mktemp("report")
    (to / "explorer").mkdir()
    head = {
        "data": "concept_scenes",
        "runs": [{"name": "vgg16", "label": "VGG16", "looks": [{"epoch": 2}, {"epoch": 6}]}],
    }
    (to / "explorer" / "data.js").write_text(f"window.EVOSCOPE={json.dumps(head)};\n")
    write_report([folder], to)
    return to


@pytest.fixture(scope="module")
def page(report):
    reader = Reader()
    reader.feed((report / "report.html").read_text(encoding="utf-8"))
    return reader


def test_the_page_is_whole_and_its_files_lie_beside_it(page, report):
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    inner = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inner) <= set(page.ids)
    files = [link for link in page.links if not link.startswith(("#", "https://arxiv.org/", "explorer/"))]
    assert all((report / link).is_file() for link in [*files, *page.sources])
    figures = [name for name in DRAWN if name.startswith("fig_")]
    assert {Path(source).stem for source in page.sources} == set(figures)
    text = (report / "report.html").read_text(encoding="utf-8")
    assert text.count("<img") == len(re.findall(r'<img loading="lazy" src="[^"]+" width="\d+" height="\d+"', text))
    with Image.open(report / page.sources[0]) as image:
        assert f'src="{page.sources[0]}" width="{image.width}" height="{image.height}"' in text
    assert len(text) < 500_000
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert not re.search(r"<script|@import|url\(", text)


def test_every_result_is_there_with_its_command(report):
    text = (report / "report.html").read_text(encoding="utf-8")
    index = (report / "README.md").read_text(encoding="utf-8")
    for name in DRAWN:
        assert f"only=[{name}]" in text, name
        assert f"only=[{name}]" in index, name


def test_links_of_the_index_lead_to_files(report):
    index = (report / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", index)
    assert links
    assert all((report / link).is_file() for link in links)


def test_findings_come_first_then_cards_and_the_rest_is_folded(report):
    text = (report / "report.html").read_text(encoding="utf-8")
    places = [text.index(f'id="{name}"') for name in ("what-holds", "what-the-tables-say", "e3b", "appendix")]
    assert places == sorted(places)
    assert registry.findings(["table_reversal"], report.parent) == []
    assert "Taking back the most important quarter" in text[places[1] : places[2]]
    assert text.count("<details ") == text.count("</details>") >= 2
    assert text.index("<details ") > places[3]
    assert "explorer/index.html#run=vgg16&amp;epoch=6" in text[places[2] : places[3]]


def test_tables_of_more_than_thirty_rows_are_links_to_their_rows():
    long = "\n".join(["| a |", "| --- |", *(f"| {row} |" for row in range(31))])
    short = "\n".join(long.splitlines()[:-1])
    assert shortened(f"above\n\n{long}\n\nbelow", "tables/table_a.csv") == (
        "above\n\n31 rows: [table_a.csv](tables/table_a.csv)\n\nbelow"
    )
    assert shortened(short, "table_a.csv") == short


def test_pictures_are_those_of_the_corrected_protocol(folder, about, exhibits, tmp_path):
    for protocol in ("as_released", "corrected"):
        registry.draw(["fig_training"], exhibits, replace(about, protocol=protocol), tmp_path / protocol)
    found = pictures_of(galleries([tmp_path]), tmp_path)
    assert found == {("concept_scenes", "fig_training"): "corrected/fig_training.png"}


def test_tags_in_texts_are_shown_not_obeyed():
    html = rendered("a <script>x</script>\n\n| a |\n| --- |\n| 1<br>2 |\n")
    assert "<script>" not in html
    assert "1<br>2" in html
    assert '<div class="wide"><table>' in html


def test_the_same_inputs_leave_the_page_alone(folder, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(folder, own)
    write_report([own], own)
    before = (own / "report.html").stat().st_mtime_ns
    write_report([own], own)
    assert (own / "report.html").stat().st_mtime_ns == before
    caption = own / "fig_training.md"
    caption.write_text(caption.read_text() + "More.\n")
    write_report([own], own)
    assert "More." in (own / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["page.html", "numbers.csv", "rules.py"])
def test_another_template_number_or_rule_writes_the_page_again(name, folder, tmp_path, monkeypatch):
    (tmp_path / name).write_text("before")
    monkeypatch.setattr(report_module, "SOURCES", (*report_module.SOURCES, tmp_path))
    before = digest_of([folder])
    assert digest_of([folder]) == before
    (tmp_path / name).write_text("after")
    assert digest_of([folder]) != before
