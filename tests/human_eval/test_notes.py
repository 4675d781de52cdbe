import dataclasses

import pytest

from human_eval.design import Effect, Options, design, participants_needed, simulated_power, synthetic_neurons
from human_eval.render import RenderOptions, is_rendered, licence_warning, render_study, study_notes

NEURONS = synthetic_neurons(0, side=4)


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
    notes = study_notes([study], warning, {study.kind: ["qualtrics"]})
    assert notes.index(warning) < notes.index("Before you begin") < notes.index("## pairwise_coherence")
    assert "Exported to qualtrics" in notes


def test_drawn_images_may_be_hosted():
    assert licence_warning("concept_scenes") == ""


def test_pages_that_are_whole_and_have_these_texts_are_known(tmp_path):
    study = design("pairwise_coherence", NEURONS, 0, "as_released", Options(count=2))
    assert not is_rendered(study, tmp_path)
    (folder,) = render_study(study, tmp_path)
    assert is_rendered(study, tmp_path)
    assert not is_rendered(study, tmp_path, RenderOptions(title="other"))
    (folder / "index.html").unlink()
    assert not is_rendered(study, tmp_path)


def test_fewest_participants_are_found_and_fewer_do_not_suffice():
    effect = Effect(0.4)
    needed = participants_needed(effect, 5, 0.8, 0)
    assert simulated_power(effect, needed, 5, 0) >= 0.8 > simulated_power(effect, needed - 1, 5, 0)
    assert participants_needed(Effect(0.17), 1, 0.9, 0, most=20, draws=50) is None


def test_models_with_too_few_neurons_are_named():
    vectors = NEURONS.vectors.copy()
    lost = [row for row, model in enumerate(NEURONS.model) if model == "net1" and NEURONS.channel[row] > 3]
    vectors[lost] = float("nan")
    study = design(
        "evolution_label", dataclasses.replace(NEURONS, vectors=vectors), 0, "corrected", Options(count=25)
    )
    assert study.remarks == ("Only 8 neurons of net1 have a place in the space at all stages, not 25.",)
