"""Human studies from networks: what is written, that it is the same again, and what is refused."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from evoscope.errors import EvoscopeError
from experiments.human_eval import check_asked, stages, study_protocol
from experiments.runs import Run
from experiments.schema import StudyConfig
from experiments.stages.studies import options_of
from human_eval.design import KINDS, design, load_study, synthetic_concepts, synthetic_neurons

NEURONS, CONCEPTS = synthetic_neurons(0, models=4, side=4), synthetic_concepts(0, side=4)


def pool_of(kind):
    return NEURONS if kind in ("alignability", "evolution_label", "pairwise_coherence") else CONCEPTS


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "status.json"
    }


@pytest.fixture
def folder(tmp_path, run_py):
    arguments = ("experiment=human_eval", "scale=smoke", "study.kinds=[pairwise_coherence]")
    exported = ("study.export=[prolific]", "study.host=https://study.uni.test")
    done = run_py(*arguments, *exported)
    assert done.returncode == 0, done.stderr
    (found,) = (tmp_path / "outputs" / "human_eval").iterdir()
    return found, lambda: run_py(*arguments, *exported)


def test_studies_are_written_and_the_same_again(folder):
    found, again = folder
    study = load_study(found / "pairwise_coherence")
    assert [path.name for path in sorted((found / "pairwise_coherence" / "pages").iterdir())] == sorted(
        block.id for block in study.blocks
    )
    assert study.pictures.std() > 10
    assert {source.split("@")[0] for trial in study.trials for source in trial.sources if source} <= {
        "vgg16",
        "inception_v3",
    }
    first = tree(found)
    code = json.loads((found / "pairwise_coherence" / "completion.json").read_text())["code"]
    assert code in (found / "pairwise_coherence" / "exports" / "prolific" / "prolific.csv").read_text()
    assert not any(code.encode() in text for name, text in first.items() if "/pages/" in name)
    (found / "pairwise_coherence" / "pages" / study.blocks[0].id / "index.html").unlink()
    done = again()
    assert " 0 stages computed" in done.stdout
    assert tree(found) == first
    (found / "consent.md").write_text("# Ours <b>")
    again()
    changed = tree(found)
    assert changed["consent.md"] == b"# Ours <b>"
    assert {name for name in changed if changed[name] != first[name]} == {"consent.md"} | {
        f"pairwise_coherence/pages/{block.id}/index.html" for block in study.blocks
    }
    assert b"Ours &lt;b&gt;" in changed[f"pairwise_coherence/pages/{study.blocks[0].id}/index.html"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("study.kinds=[alignabilty]", "alignability"),
        ("study.kinds=[]", "no kind"),
        ("study.export=[jspych]", "jspsych"),
        ("study.export=[prolific]", "study.host"),
        ("study.participants=1", "at least 2"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(override, words):
    key, value = override.removeprefix("study.").split("=")
    values = {key: int(value) if value.isdigit() else [name for name in value.strip("[]").split(",") if name]}
    context = SimpleNamespace(config=SimpleNamespace(study=StudyConfig(**values)))
    with pytest.raises(EvoscopeError, match=words):
        check_asked(context)


@pytest.mark.parametrize("kind", KINDS)
def test_as_released_has_each_trial_once_and_corrected_twice_with_checks(kind):
    options = options_of(kind)
    studies = {}
    for name in ("as_released", "v1", "corrected"):
        protocol = study_protocol(SimpleNamespace(config=SimpleNamespace(protocol=SimpleNamespace(name=name))))
        studies[name] = design(kind, pool_of(kind), 0, protocol, options)
    assert [trial.id for trial in studies["v1"].trials] == [trial.id for trial in studies["as_released"].trials]
    assert {trial.role for trial in studies["as_released"].trials} == {"main"}
    assert {trial.role for trial in studies["corrected"].trials} == {"main", "practice", "catch", "repeat"}
    for name, views in (("as_released", (1, 1)), ("corrected", (2, 3))):
        main = [trial.id for trial in studies[name].trials if trial.role == "main"]
        counts = [sum(each in block.trials for block in studies[name].blocks) for each in main]
        assert (min(counts), max(counts)) <= views
        assert min(counts) >= views[0]


def test_the_published_numbers_are_those_of_the_papers():
    main = {
        kind: sum(trial.role == "main" for trial in design(kind, NEURONS, 0, "corrected", options_of(kind)).trials)
        for kind in ("alignability", "evolution_label")
    }
    assert main == {"alignability": 77, "evolution_label": 100}


@pytest.mark.parametrize(
    ("epochs", "given", "wanted"),
    [
        ((-1, 0, 2, 6), (), (0, 2, 6)),
        ((-1, 0, 2, 6, 8), (), (0, 6, 8)),
        ((-1, 0, 1), (), (-1, 0, 1)),
        ((0, 5), (), (0, 5)),
        ((0, 5, 21, 207), (5, 21, 207), (5, 21, 207)),
    ],
)
def test_stages_are_early_middle_and_late(epochs, given, wanted):
    assert tuple(stages(Run("a", None, None, None, epochs, given))) == wanted


def test_only_the_pictures_that_are_shown_are_cut():
    asked = []

    def cut(rows, ranks):
        asked.append(rows)
        return NEURONS.patches[rows, ranks]

    whole = design("alignability", NEURONS, 2, "corrected", options_of("alignability"))
    bare = NEURONS.__class__(**{**vars(NEURONS), "patches": NEURONS.patches[:, :, :0, :0]})
    study = design("alignability", bare, 2, "corrected", options_of("alignability"), cut=cut)
    assert (study.trials, study.blocks) == (whole.trials, whole.blocks)
    assert np.array_equal(study.pictures, whole.pictures)
    assert len(asked) == 1
    assert len(set(asked[0])) < len(NEURONS.ids)
    with pytest.raises(EvoscopeError, match="no pictures"):
        design("alignability", bare, 2, "corrected", options_of("alignability"))
