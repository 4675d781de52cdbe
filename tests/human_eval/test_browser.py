"""The page in a real browser; skipped where there is no Chromium with its driver."""

import csv
import dataclasses
import json
from io import StringIO

import pandas as pd
import pytest

from human_eval.__main__ import main
from human_eval.analyse.answers import read_answers, tidy
from human_eval.analyse.report import analyse, write_report
from human_eval.answers import Answers, answer_table
from human_eval.design import Alignability, Blocking, Options, design, save_study, synthetic_concepts, synthetic_neurons
from human_eval.render import render_study
from human_eval.texts import read_texts
from tests.human_eval import browser as browsers
from tests.human_eval.test_server_killed import Killable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (browsers.DRIVER and browsers.CHROMIUM), reason="no chromium and chromedriver"),
]
ANSWERS = "return JSON.parse(Object.values(localStorage)[0] || '{}').responses || []"
HOSTILE = "=cmd()<script>window.pwned=1</script><img src=x onerror='window.pwned=1'> \"' 😀 שלום"
UNHARMED = "return window.pwned === undefined && !document.querySelector('img[src=x]')"
FITS = "return document.documentElement.scrollWidth <= innerWidth"
# The smallest ratio of contrast (WCAG 2) between the text of any visible element and what lies behind it.
CONTRAST = """
const parsed = (text) => text.match(/[\\d.]+/g).map(Number);
const linear = (v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const light = ([r, g, b]) => [r, g, b].map((v) => linear(v / 255))
  .reduce((sum, v, n) => sum + v * [.2126, .7152, .0722][n], 0);
const behind = (e) => { for (; e; e = e.parentElement) { const c = parsed(getComputedStyle(e).backgroundColor);
  if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
const ratios = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && !e.disabled
  && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) && !e.matches("script, style"))
  .map((e) => { const [a, b] = [light(parsed(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    return (a + .05) / (b + .05); });
return Math.min(...ratios);
"""
NAMELESS = (
    "return [...document.querySelectorAll('img, button, input')].filter((e) => e.checkVisibility()"
    " && !(e.alt || e.textContent.trim() || (e.labels && e.labels[0] && e.labels[0].textContent.trim()))).length"
)
TAB = "\ue004"


@pytest.fixture(params=[False, True], ids=["desktop", "phone"])
def browser(request):
    opened = browsers.Browser(phone=request.param)
    yield opened
    opened.close()


def begin(browser):
    browser.click("#agree")
    browser.click("#begin")
    browser.wait("return !document.getElementById('instructions').hidden")
    browser.click("#start")


def answer_one(browser, at):
    """Choose by mouse or key, and go on; the trial, and the panel of the design that was chosen."""
    browser.wait("return ready")
    name, panels = browser.run("return state.plan[draft.number]")
    if at % 2:
        browser.keys(str(at + 1))
    else:
        browser.click(f"#panels > :nth-child({at + 1}) > .box")
    browser.click("#next")
    if browser.run("return told"):
        assert browser.run("return document.getElementById('hint').textContent")
        browser.click("#next")
    return name, panels[at]


def answer_all(browser, reload=lambda: None, until=None):
    """Answer all questions that are left, or those before ``until``; a reload before the fifth."""
    given = []
    for number in range(browser.run("return current()"), until or browser.run("return state.plan.length")):
        if number == 4:
            reload()
        given.append(answer_one(browser, (number * 5 + 2) % 6))
    return given


SMALL = Options(
    Alignability(patches=4, sets=(("base_model", 6),)), blocking=Blocking(1, 6, practice=1, catch=1, repeats=1)
)


@pytest.fixture(scope="module")
def study():
    return design("alignability", synthetic_neurons(0, side=16), 0, "corrected", SMALL)


class Served:
    """A study that is served with finished texts, and what is done to it."""

    def __init__(self, study, folder, *more):
        save_study(study, folder / "job" / study.kind)
        (folder / "job" / "consent.md").write_text("# Before you begin\n\nWrite to lab@uni.test.")
        self.study, self.database = folder / "job" / study.kind, folder / "a.sqlite"
        self.server = Killable(folder / "job", self.database, *more)
        self.at = f"{self.server.address}/{study.kind}"

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.server.kill()


def test_a_whole_block_by_mouse_and_keys_with_a_reload_in_between(browser, study, tmp_path):
    folder = render_study(study, tmp_path / "b")[0]
    page = (folder / "index.html").as_uri()
    browser.open(page)
    begin(browser)
    clicked = answer_all(browser, lambda: browser.open(page))
    assert [(given["trial"], given["choice"]) for given in browser.run(ANSWERS)] == clicked
    assert [given["resumed"] for given in browser.run(ANSWERS)].index(True) == 4
    browser.click("#finish")
    assert browser.run("return document.getElementById('end').hidden") is False
    assert browser.run(FITS)
    (tmp_path / "answers.json").write_text(json.dumps(browser.run("return record()")))
    table = read_answers(tmp_path / "answers.json", study)
    assert list(zip(table["trial"], table["choice"], strict=True)) == clicked
    browser.click("#another")
    browser.wait("return !document.getElementById('consent').hidden")


def test_from_the_link_to_the_payment_over_two_devices(study, tmp_path, request):
    """Link from prolific.csv, consent, five answers, closed; the same link in another profile, finished, redirected."""
    first, second = (browsers.Browser(phone=phone) for phone in (True, False))
    request.addfinalizer(first.close)
    request.addfinalizer(second.close)
    pid = "5f1e0000000000000000000a"
    with Served(study, tmp_path) as served:
        out = tmp_path / "out"
        host = f"http://127.0.0.1:{served.server.port}"
        assert main(["export", "prolific", str(served.study), str(out), "--host", host]) == 0
        (row,) = csv.DictReader(StringIO((out / "prolific.csv").read_text()))
        link = row["external_study_url"]
        for name, value in {"PROLIFIC_PID": pid, "STUDY_ID": "s1", "SESSION_ID": "x1"}.items():
            link = link.replace("{{%" + name + "%}}", value)
        assert "{" not in link
        first.open(link)
        begin(first)
        clicked = answer_all(first, until=5)
        first.wait("return state.sent === 5")
        first.open("about:blank")
        second.open(link)
        second.click("#agree")
        second.click("#begin")
        second.wait("return draft && ready")
        assert second.run("return current()") == 5
        clicked += answer_all(second)
        second.run("document.getElementById('said').value = 'It was fine.'")
        assert second.run("return document.getElementById('completion').hidden")
        second.click("#finish")
        second.wait("return !document.getElementById('end').hidden")
        assert row["completion_code"] in second.run("return document.getElementById('completion').textContent")
        second.run("back(0)")
        second.wait(f"return location.href.startsWith('{row['completion_url']}') || document.URL.startsWith('chrome')")
        # Back on the first device there is nothing left to answer, and the same code.
        first.open(link)
        first.wait("return !document.getElementById('end').hidden")
        assert row["completion_code"] in first.run("return document.getElementById('completion').textContent")
    answers = Answers(served.database)
    (person,) = answers.people(raw=True).to_dict("records")
    assert (person["PROLIFIC_PID"], person["status"], person["remark"]) == (pid, "finished", "It was fine.")
    assert person["device_width"] == 390
    report = tmp_path / "report"
    assert main(["analyse", str(served.study), str(served.database), str(report)]) == 0
    table = pd.read_parquet(report / "answers.parquet")
    assert sorted(zip(table["trial"], table["given"], strict=True)) == sorted(clicked)
    assert set(table["participant"]) == {person["participant"]}
    assert not any(pid.encode() in path.read_bytes() for path in report.iterdir())
    assert answers.payments()["approve"]["PROLIFIC_PID"].tolist() == [pid]


def test_who_stops_or_declines_is_told_and_asked_no_more(browser, study, tmp_path):
    told = "return document.getElementById('why').textContent"
    with Served(study, tmp_path) as served:
        browser.open(f"{served.at}?PROLIFIC_PID=declines")
        browser.click("#decline")
        assert "do not take part" in browser.run(told)
        assert len(Answers(served.database).people()) == 0
        for who, button in (("stops", "#keep"), ("withdraws", "#delete")):
            browser.open(f"{served.at}?PROLIFIC_PID={who}")
            begin(browser)
            answer_all(browser, until=2)
            browser.click("#stopping")
            browser.click(button)
            browser.wait("return !document.getElementById('closed').hidden")
            assert "return your submission" in browser.run(told)
        browser.open(f"{served.at}?PROLIFIC_PID=foreign")
        begin(browser)
        Answers(served.database).withdraw("foreign")
        answer_one(browser, 0)
        browser.wait("return !document.getElementById('closed').hidden")
        assert "have withdrawn" in browser.run(told)
        assert browser.run("return sending") is False
        people = Answers(served.database).people(raw=True)
        assert people["PROLIFIC_PID"].tolist() == ["stops"]
        assert people["answers"].tolist() == [2]


def test_nothing_is_taken_before_the_pictures_are_shown(browser, study, tmp_path):
    with Served(study, tmp_path) as served:
        browser.command("Network.enable", {})
        browser.command("Network.setBlockedURLs", {"urls": ["*.webp*"]})
        browser.open(f"{served.at}?PROLIFIC_PID=a")
        begin(browser)
        assert browser.run("return document.getElementById('trial').hidden") is False
        browser.click("#panels .box")
        browser.click("#next")
        assert "loading" in browser.run("return document.getElementById('hint').textContent")
        browser.wait("return !document.getElementById('skip').hidden")
        browser.click("#next")
        assert browser.run("return state.responses.length") == 0
        browser.click("#skip")
        browser.wait("return state.sent === 1")
        browser.command("Network.setBlockedURLs", {"urls": []})
        browser.wait("return ready")
        answer_one(browser, 0)
        browser.wait("return state.sent === 2")
    table = Answers(served.database).table().sort_values("place")
    assert table["choice"].isna().tolist() == [True, False]
    assert table["missing"].tolist() == [6, 0]
    assert table["failures"].min() >= 0
    assert tidy(study, table)["right"].isna().tolist() == [True, False]


def test_next_is_in_sight_and_pictures_are_large(browser, kinds, tmp_path):
    where = "const e = document.getElementById('next').getBoundingClientRect(); return [e.top, e.bottom, innerHeight]"
    size = "return [...document.querySelectorAll('#panels img')].map((i) => i.clientWidth)"
    for study in kinds:
        folder = render_study(study, tmp_path / study.kind)[0]
        browser.open((folder / "index.html").as_uri())
        begin(browser)
        browser.wait("return ready")
        top, bottom, height = browser.run(where)
        assert 0 <= top < bottom <= height
        columns = 2 if len(study.trials[0].panels[0]) <= 4 else 3
        assert min(browser.run(size)) >= 96 * columns
        browser.click(".enlarge")
        assert browser.run("return document.getElementById('large').open")
        browser.click("#shut")


def test_an_unanswered_question_is_not_left(browser, tmp_path):
    study = design("evolution_label", synthetic_neurons(0, side=16), 0, "as_released", Options(count=1))
    folder = render_study(study, tmp_path / "b")[0]
    browser.open((folder / "index.html").as_uri())
    begin(browser)
    browser.wait("return ready")
    browser.click("#next")
    assert "few words" in browser.run("return document.getElementById('hint').textContent")
    browser.run(
        "for (const i of document.querySelectorAll('#texts input'))"
        "{ i.value = 'dots 1'; i.dispatchEvent(new Event('input')); }"
    )
    browser.click("#next")
    assert "choose one" in browser.run("return document.getElementById('hint').textContent")
    browser.keys("2")
    browser.click("#next")
    (given,) = browser.run(ANSWERS)
    assert (given["texts"], given["option"], given["choice"]) == (["dots 1"] * 3, 1, None)


def every_page(browser, study, folder, check):
    """Call ``check`` on consent, instructions, the first trial with a hint, the dialogues, and the end."""
    rendered = render_study(study, folder / study.kind)[0]
    browser.open((rendered / "index.html").as_uri())
    check("consent")
    browser.click("#agree")
    check("agreed")
    browser.click("#begin")
    check("instructions")
    browser.click("#start")
    browser.wait("return ready")
    browser.click("#next")
    check("trial")
    browser.click("#stopping")
    check("leave")
    browser.click("#stay")
    browser.click(".enlarge")
    check("large")
    browser.click("#shut")
    if study.trials[0].form.choose:
        answer_all(browser)
        check("remark")
        browser.click("#finish")
        check("end")


@pytest.fixture(scope="module")
def kinds(study):
    concepts = synthetic_concepts(0, side=16)
    few = Options(count=2, blocking=Blocking(1, 3, practice=1, catch=1, repeats=0))
    return [
        study,
        design("evolution_label", synthetic_neurons(0, side=16), 0, "corrected", few),
        design("label_agreement", concepts, 0, "corrected", few),
    ]


@pytest.mark.skipif(not browsers.AXE.is_file(), reason="no axe-core in .venv/axe; .ci/run installs it")
def test_axe_finds_nothing(browser, kinds, tmp_path):
    found = {}
    for study in kinds:
        every_page(
            browser, study, tmp_path, lambda name, kind=study.kind: found.update({(kind, name): browser.violations()})
        )
    assert len(found) == 20
    assert {where: what for where, what in found.items() if what} == {}


def test_contrast_names_and_width(browser, kinds, tmp_path):
    def check(name):
        assert browser.run(CONTRAST) >= 4.5, name
        assert browser.run(NAMELESS) == 0, name
        assert browser.run(FITS), name

    for study in kinds:
        every_page(browser, study, tmp_path, check)


def test_tab_goes_through_the_panels_in_order_and_nothing_tells_the_answer(browser, study, tmp_path):
    folder = render_study(study, tmp_path / "b")[0]
    browser.open((folder / "index.html").as_uri())
    begin(browser)
    browser.wait("return ready")
    order = []
    for _ in range(13):
        browser.keys(TAB)
        name = "const e = document.activeElement; return e.id || e.getAttribute('aria-label') || e.textContent.trim()"
        order.append(browser.run(name))
    assert [name[0] for name in order[:12:2]] == list("123456")
    assert all(name.startswith("Enlarge Set") for name in order[1:12:2])
    assert order[12] == "next"
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    alts = browser.run("return [...document.querySelectorAll('#panels img')].map((i) => i.alt)")
    assert alts == [f"Set {letter}: 4 pictures" for letter in "ABCDEF"]


def test_hostile_labels_are_text(browser, tmp_path):
    concepts = synthetic_concepts(0, side=16)
    pool = dataclasses.replace(concepts, label=(HOSTILE,) * len(concepts.label))
    study = design("label_agreement", pool, 0, "as_released")
    texts = dataclasses.replace(read_texts(title=HOSTILE), consent=HOSTILE)
    folder = render_study(study, tmp_path / "b", texts)[0]
    browser.open((folder / "index.html").as_uri())
    begin(browser)
    assert HOSTILE in browser.run("return document.getElementById('question').textContent")
    assert browser.run("return document.title") == HOSTILE
    assert browser.run(UNHARMED)
    assert browser.run(NAMELESS) == 0
    assert browser.run(FITS)


def test_hostile_names_are_text_in_the_report(browser, tmp_path):
    options = Options(blocking=Blocking(1, 4, practice=0, catch=0, repeats=0))
    plain = design("concept_naming", synthetic_concepts(0, side=4), 0, "corrected", options)
    study = dataclasses.replace(plain, name=HOSTILE)
    block = study.blocks[0]
    records = [
        {"participant": HOSTILE + str(who), "block": block.id, "trial": name, "ms": 2000, "texts": [HOSTILE]}
        for who in range(2)
        for name in block.trials
    ]
    write_report(analyse(study, answer_table(records)), tmp_path)
    browser.open((tmp_path / "report.html").as_uri())
    assert browser.run("return document.querySelector('h1').textContent") == HOSTILE
    assert HOSTILE + "0" in browser.run("return document.body.textContent")
    assert browser.run(UNHARMED)
    broken = "return [...document.images].filter((i) => !i.naturalWidth).length"
    assert browser.run(broken) == 0
    assert browser.run(FITS)
