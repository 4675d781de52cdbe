"""Keys of studies of drawn scenes, audited by what was drawn."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from evoscope.data.scenes import concept_scenes, scene_source
from evoscope.data.scenes.source import visible_concepts
from experiments.stages import studies
from experiments.stages.studies import StudyConcepts, StudyImages, options_of, spoken
from human_eval.design import design

LEAST, SEED = 60, 3


@pytest.fixture(scope="module")
def scenes():
    return concept_scenes("train", 300, 12, seed=SEED)


@pytest.fixture(scope="module")
def pool(scenes):
    """100 concepts a condition, which tell their label well, badly or not at all, by tiny pictures."""
    stream, present = np.random.default_rng(SEED), scenes.concepts.present
    kinds = np.repeat(["svd", "neuron", "random"], 100)
    told = stream.integers(present.shape[1], size=len(kinds))
    clear = stream.choice([0.0, 1.0, 4.0], size=len(kinds))
    scores = present[:, told].T * clear[:, None] + stream.normal(size=(len(kinds), len(scenes)))
    rows = np.argsort(-scores, axis=1)[:, :12]
    label = tuple(scenes.concepts.names[each] for each in told)
    ids = tuple(f"{kind}-{number}" for number, kind in enumerate(kinds))
    vectors = stream.normal(size=(len(kinds), 16)).astype(np.float32)
    return StudyConcepts(ids, tuple(kinds), ("layer",) * len(kinds), label, vectors, rows)


def shown_by(scenes, row):
    """What a scene shows, by the scene itself."""
    return {spoken(name) for name in visible_concepts(scene_source(scenes).scene(row))}


def designed(kind, found, scenes, monkeypatch):
    monkeypatch.setattr(studies, "IMAGE_PIXELS", 8)
    options = options_of(kind, items=LEAST)
    shown = StudyImages(SimpleNamespace(load=lambda: found), scenes).pool(options.pictures)
    made = design(kind, shown, SEED, "corrected", options)
    return made, [trial for trial in made.trials if trial.role == "main"]


def test_no_label_and_no_foil_is_wrong(pool, scenes, monkeypatch):
    _, main = designed("label_agreement", pool, scenes, monkeypatch)
    counts = Counter(trial.condition for trial in main)
    assert min(counts.values()) >= LEAST
    for trial in main:
        label = trial.form.question.split("“")[1].split("”")[0]
        rows = pool.images[pool.ids.index(trial.sources[0]), :9]
        count = sum(label in shown_by(scenes, int(row)) for row in rows)
        assert count >= 7 if trial.answer == 0 else count <= 1


def test_no_intruder_belongs_by_accident(pool, scenes, monkeypatch):
    made, main = designed("image_intruder", pool, scenes, monkeypatch)
    assert min(Counter(trial.condition for trial in main).values()) >= LEAST
    pictures = {}
    for row in np.unique(pool.images[:, :9]):
        pictures.setdefault(scenes.read(int(row), 8).tobytes(), shown_by(scenes, int(row)))
    for trial in main:
        things = [pictures[made.pictures[panel[0]].tobytes()] for panel in trial.panels]
        odd = things.pop(trial.answer)
        stands = spoken(pool.label[pool.ids.index(trial.sources[trial.answer])])
        assert not odd & set.intersection(*things)
        assert not any(stands in each for each in things)
        lacking = Counter(thing for each in things for thing in each if thing in odd)
        assert len(things) - 1 not in lacking.values()
