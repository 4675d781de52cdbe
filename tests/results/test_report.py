"""The page needs nothing but itself, its links lead somewhere, and it is written again only when something changed."""

import re
import shutil
from html.parser import HTMLParser

import pytest

from results import registry
from results import report as report_module
from results.report import digest_of, rendered, write_report

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
        assert self.open.pop() == tag


DRAWN = ("fig_training", "fig_metrics", "table_reversal", "table_training", "table_metrics")


@pytest.fixture(scope="module")
def folder(exhibits, about, tmp_path_factory):
    to = tmp_path_factory.mktemp("drawn")
    registry.draw(DRAWN, exhibits, about, to)
    return to


@pytest.fixture(scope="module")
def report(folder, tmp_path_factory):
    to = tmp_path_factory.mktemp("report")
    write_report([folder], to)
    return to


@pytest.fixture(scope="module")
def page(report):
    reader = Reader()
    reader.feed((report / "report.html").read_text(encoding="utf-8"))
    return reader


def test_the_page_is_whole_and_stands_alone(page, report):
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    inner = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inner) <= set(page.ids)
    assert all(link.startswith(("#", "https://arxiv.org/")) for link in page.links)
    figures = [name for name in DRAWN if name.startswith("fig_")]
    assert len(page.sources) == len(figures)
    assert all(source.startswith("data:image/") for source in page.sources)
    text = (report / "report.html").read_text(encoding="utf-8")
    assert 'name="viewport"' in text
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
