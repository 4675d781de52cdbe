"""The page in a real browser; skipped where there is no Chromium with its driver."""

import dataclasses

import pytest

from human_eval.design import Alignability, Blocking, Options, design, drawn_concepts, drawn_neurons
from human_eval.render import RenderOptions, render_block
from tests.human_eval import browser as browsers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (browsers.DRIVER and browsers.CHROMIUM), reason="no chromium and chromedriver"),
]
ANSWERS = "return JSON.parse(Object.values(localStorage)[0] || '{}').responses || []"
HOSTILE = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'> \"' 😀 שלום =cmd()"


@pytest.fixture(params=[(1200, 900), (500, 850)], ids=["desktop", "phone"])
def browser(request):
    opened = browsers.Browser(*request.param)
    yield opened
    opened.close()


def begin(browser):
    browser.click("#agree")
    browser.click("#begin")
    browser.click("#start")


def test_a_whole_block_by_mouse_and_keys_with_a_reload_in_between(browser, tmp_path):
    options = Options(
        Alignability(sets=(("base_model", 6),)), blocking=Blocking(1, 6, practice=1, catch=1, repeats=1)
    )
    study = design("alignability", drawn_neurons(0, side=16), 0, "corrected", options)
    folder = render_block(study, study.blocks[0], tmp_path / "b", RenderOptions(completion=("C0DE", "")))
    browser.open((folder / "index.html").as_uri())
    begin(browser)
    clicked = []
    for number, name in enumerate(study.blocks[0].trials):
        if number == 4:
            browser.open((folder / "index.html").as_uri())
        at = (number * 5 + 2) % 6
        if number % 2:
            browser.keys(str(at + 1))
        else:
            browser.click(f"#panels > :nth-child({at + 1})")
        browser.screenshot(tmp_path / "trial.png")
        browser.click("#next")
        clicked.append((name, at))
    assert [(given["trial"], given["choice"]) for given in browser.run(ANSWERS)] == clicked
    assert [given["resumed"] for given in browser.run(ANSWERS)].index(True) == 4
    assert browser.run("return document.getElementById('end').hidden") is False
    assert "C0DE" in browser.run("return document.getElementById('completion').textContent")
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")


def test_an_unanswered_question_is_not_left(browser, tmp_path):
    study = design("evolution_label", drawn_neurons(0, side=16), 0, "as_released", Options(count=1))
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


def test_hostile_labels_are_text_and_every_control_has_a_name(browser, tmp_path):
    concepts = drawn_concepts(0, side=16)
    pool = dataclasses.replace(concepts, label=(HOSTILE,) * len(concepts.label))
    study = design("label_agreement", pool, 0, "as_released")
    folder = render_block(
        study, study.blocks[0], tmp_path / "b", RenderOptions(title=HOSTILE, consent=HOSTILE)
    )
    browser.open((folder / "index.html").as_uri())
    begin(browser)
    assert HOSTILE in browser.run("return document.getElementById('question').textContent")
    assert browser.run("return document.title") == HOSTILE
    assert browser.run("return window.pwned === undefined")
    nameless = browser.run(
        "return [...document.querySelectorAll('img, button, input')].filter((e) => !(e.alt || e.textContent.trim()"
        " || (e.labels && e.labels[0] && e.labels[0].textContent.trim()))).length"
    )
    assert nameless == 0
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
