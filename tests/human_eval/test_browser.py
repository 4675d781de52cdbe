"""The page in a real browser; skipped where there is no Chromium with its driver."""

import dataclasses

import pytest

from human_eval.analyse import analyse, write_report
from human_eval.answers import Answers, answer_table
from human_eval.design import Alignability, Blocking, Options, design, synthetic_concepts, synthetic_neurons
from human_eval.render import RenderOptions, render_block, render_study
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
    "return [...document.querySelectorAll('img, button, input')].filter((e) => !(e.alt || e.textContent.trim()"
    " || (e.labels && e.labels[0] && e.labels[0].textContent.trim()))).length"
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
    browser.click("#start")


def clicked_through(browser, trials, reload):
    """Choose a panel of every trial, by mouse and by key in turns; a reload before trial 4."""
    clicked = []
    for number, name in enumerate(trials):
        if number == 4:
            reload()
        at = (number * 5 + 2) % 6
        if number % 2:
            browser.keys(str(at + 1))
        else:
            browser.click(f"#panels > :nth-child({at + 1})")
        browser.click("#next")
        clicked.append((name, at))
    return clicked


SMALL = Options(
    Alignability(patches=4, sets=(("base_model", 6),)),
    blocking=Blocking(1, 6, practice=1, catch=1, repeats=1),
)


@pytest.fixture(scope="module")
def study():
    return design("alignability", synthetic_neurons(0, side=16), 0, "corrected", SMALL)


def test_a_whole_block_by_mouse_and_keys_with_a_reload_in_between(browser, study, tmp_path):
    folder = render_block(study, study.blocks[0], tmp_path / "b", RenderOptions(completion=("C0DE", "")))
    page = (folder / "index.html").as_uri()
    browser.open(page)
    begin(browser)
    clicked = clicked_through(browser, study.blocks[0].trials, lambda: browser.open(page))
    assert [(given["trial"], given["choice"]) for given in browser.run(ANSWERS)] == clicked
    assert [given["resumed"] for given in browser.run(ANSWERS)].index(True) == 4
    assert browser.run("return document.getElementById('end').hidden") is False
    assert "C0DE" in browser.run("return document.getElementById('completion').textContent")
    assert browser.run(FITS)


def test_what_is_clicked_reaches_the_server(browser, study, tmp_path):
    render_study(study, tmp_path / "pages", RenderOptions(post="/answers"))
    server = Killable(tmp_path / "pages", tmp_path / "a.sqlite")
    try:
        browser.open(server.address)
        begin(browser)
        here = browser.run("return location.href")
        clicked = clicked_through(browser, study.blocks[0].trials, lambda: browser.open(here))
        browser.wait("return JSON.parse(Object.values(localStorage)[0]).sent === " + str(len(clicked)))
    finally:
        server.kill()
    table = Answers(tmp_path / "a.sqlite").table().sort_values("place")
    assert list(zip(table["trial"], table["choice"], strict=True)) == clicked


def test_an_unanswered_question_is_not_left(browser, tmp_path):
    study = design("evolution_label", synthetic_neurons(0, side=16), 0, "as_released", Options(count=1))
    folder = render_block(study, study.blocks[0], tmp_path / "b")
    browser.open((folder / "index.html").as_uri())
    begin(browser)
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
    """Call ``check`` on consent, instructions, the first trial with and without a hint, and the end."""
    rendered = render_block(
        study, study.blocks[0], folder / study.kind, RenderOptions(completion=("C0DE", ""))
    )
    browser.open((rendered / "index.html").as_uri())
    check("consent")
    browser.click("#agree")
    check("agreed")
    browser.click("#begin")
    check("instructions")
    browser.click("#start")
    browser.click("#next")
    check("trial")
    if study.trials[0].form.choose:
        clicked_through(browser, study.blocks[0].trials, lambda: None)
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
            browser,
            study,
            tmp_path,
            lambda name, kind=study.kind: found.update({(kind, name): browser.violations()}),
        )
    assert len(found) >= 13
    assert {where: what for where, what in found.items() if what} == {}


def test_contrast_names_and_width(browser, kinds, tmp_path):
    def check(name):
        assert browser.run(CONTRAST) >= 4.5, name
        assert browser.run(NAMELESS) == 0, name
        assert browser.run(FITS), name

    for study in kinds:
        every_page(browser, study, tmp_path, check)


def test_tab_goes_through_the_panels_in_order_and_nothing_tells_the_answer(browser, study, tmp_path):
    folder = render_block(study, study.blocks[0], tmp_path / "b")
    browser.open((folder / "index.html").as_uri())
    begin(browser)
    order = []
    for _ in range(7):
        browser.keys(TAB)
        order.append(
            browser.run("return document.activeElement.id || document.activeElement.textContent.trim()")
        )
    assert [name[0] for name in order[:6]] == list("123456")
    assert order[6] == "next"
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    told = "[...p.querySelectorAll('img')].map((i) => i.alt)"
    alts = browser.run(f"return [...document.querySelectorAll('.panel')].map((p) => {told})")
    assert len(alts) == 6
    assert all(alt == alts[0] for alt in alts)


def test_hostile_labels_are_text(browser, tmp_path):
    concepts = synthetic_concepts(0, side=16)
    pool = dataclasses.replace(concepts, label=(HOSTILE,) * len(concepts.label))
    study = design("label_agreement", pool, 0, "as_released")
    folder = render_block(
        study, study.blocks[0], tmp_path / "b", RenderOptions(title=HOSTILE, consent=HOSTILE)
    )
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
