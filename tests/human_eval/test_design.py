import dataclasses
import json
from collections import Counter

import numpy as np
import pytest

from evoscope.errors import EvoscopeError
from human_eval.design import (
    KINDS,
    SETS,
    Alignability,
    Blocking,
    NeuronPool,
    Options,
    design,
    load_study,
    personal_plan,
    save_study,
    synthetic_concepts,
    synthetic_neurons,
)
from human_eval.design.baselines import PHOTOS, baselines
from human_eval.design.blocks import concurrences, incomplete_blocks
from human_eval.design.build import NEURON_KINDS
from human_eval.design.kinds import is_odd
from human_eval.design.pools import depths, disjoint

SMALL = Options(count=4, pictures=2, blocking=Blocking(blocks=4, size=12))
NEURONS, CONCEPTS = synthetic_neurons(0, side=8), synthetic_concepts(0, side=8)


def pool_of(kind):
    return NEURONS if kind in ("alignability", "evolution_label", "pairwise_coherence") else CONCEPTS


def mains(study):
    return [trial for trial in study.trials if trial.role == "main"]


def rows(trial):
    return [NEURONS.ids.index(name) for name in trial.sources]


def cosine(a, b):
    a, b = NEURONS.vectors[a].astype(float), NEURONS.vectors[b].astype(float)
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


@pytest.fixture(scope="module", params=["as_released", "corrected"])
def aligned(request):
    return design("alignability", NEURONS, 3, request.param, SMALL)


def test_the_published_77_sets_are_drawn(aligned):
    counts = Counter(trial.condition for trial in mains(aligned))
    assert counts == {**{k: v for k, v in SETS.items() if k != "hand_picked"}, "tightest": 10}
    assert sum(counts.values()) == 77
    assert all(len(set(trial.sources)) == 6 for trial in mains(aligned))
    assert "tightest groups" in aligned.remarks[0]


def test_members_lie_together_and_the_intruder_does_not(aligned):
    for trial in mains(aligned):
        if trial.condition == "random":
            assert trial.answer is None
            continue
        group = rows(trial)
        odd = group.pop(trial.answer)
        inside = np.mean([cosine(a, b) for a in group for b in group if a != b])
        assert inside > np.mean([cosine(odd, member) for member in group])


def test_base_sets_hold_the_five_nearest_of_the_base(aligned):
    base = [i for i, m in enumerate(NEURONS.model) if m == "net0" and NEURONS.epoch[i] == 2]
    for trial in mains(aligned):
        if trial.condition == "base_model":
            group = rows(trial)
            group.pop(trial.answer)
            nearest = [set(sorted(base, key=lambda row: -cosine(row, target))[:5]) for target in group]
            assert set(group) in nearest


def test_corrected_sets_differ_in_epoch_or_model_and_intruders_match_a_layer():
    study = design("alignability", NEURONS, 3, "corrected", SMALL)
    for trial in mains(study):
        if trial.answer is None:
            continue
        group = rows(trial)
        odd = group.pop(trial.answer)

        def place(row):
            return NEURONS.model[row], NEURONS.layer[row], NEURONS.epoch[row]

        assert place(odd) in [place(row) for row in group]
        if trial.condition == "same_model_different_epoch":
            assert max(Counter(int(NEURONS.epoch[row]) for row in group).values()) == 2
            assert {NEURONS.model[row] for row in group} == {"net0"}
        if trial.condition == "different_model_different_epoch":
            assert max(Counter(NEURONS.model[row] for row in group).values()) == 3
            assert len({(NEURONS.model[r], NEURONS.layer[r], NEURONS.channel[r]) for r in group}) == 5


def test_released_intruders_come_from_all_layers_though_targets_are_late():
    many = dataclasses.replace(SMALL, alignability=Alignability(sets=(("base_model", 40),)))
    study = design("alignability", NEURONS, 0, "as_released", many)
    layers = Counter(NEURONS.layer[rows(trial)[trial.answer]] for trial in mains(study))
    assert min(layers["layer0"], layers["layer1"]) > 8


@pytest.mark.parametrize("kind", ["alignability", "image_intruder"])
def test_corrected_answers_stand_equally_often_in_every_position(kind):
    study = design(kind, pool_of(kind), 1, "corrected", SMALL)
    answers = [trial.answer for trial in mains(study) if trial.answer is not None]
    counts = np.bincount(answers, minlength=len(mains(study)[0].panels))
    assert counts.max() - counts.min() <= 1
    assert answers[:6] != sorted(answers[:6])


def test_hand_picked_sets_are_taken_as_given():
    picked = (tuple(NEURONS.ids[row] for row in (0, 24, 48, 72, 96, 7)),)
    options = dataclasses.replace(SMALL, alignability=Alignability(hand_picked=picked, sets=(("hand_picked", 1),)))
    (trial,) = mains(design("alignability", NEURONS, 0, "corrected", options))
    assert (trial.condition, set(trial.sources)) == ("hand_picked", set(picked[0]))
    assert trial.sources[trial.answer] == picked[0][-1]
    wrong = dataclasses.replace(options, alignability=Alignability(hand_picked=(picked[0][:5],)))
    with pytest.raises(EvoscopeError, match="six ids"):
        design("alignability", NEURONS, 0, "corrected", wrong)


@pytest.mark.parametrize("protocol", ["as_released", "corrected"])
def test_of_a_picked_region_the_five_nearest_to_its_middle_are_shown_with_a_drawn_intruder(protocol):
    among = [i for i, m in enumerate(NEURONS.model) if (m, NEURONS.epoch[i]) == ("net0", 2)]
    region = sorted(among, key=lambda row: -cosine(row, among[0]))[:7]
    picked = ((*(NEURONS.ids[row] for row in region), ""),)
    sets = Alignability(hand_picked=picked, sets=(("hand_picked", 10),))
    (trial,) = mains(design("alignability", NEURONS, 0, protocol, dataclasses.replace(SMALL, alignability=sets)))
    group = rows(trial)
    odd = group.pop(trial.answer)
    units = NEURONS.vectors[region] / np.linalg.norm(NEURONS.vectors[region], axis=1, keepdims=True)
    nearest = np.argsort(-units @ units.mean(axis=0))[:5]
    assert (trial.condition, set(group)) == ("hand_picked", {region[place] for place in nearest})
    assert odd not in group
    assert protocol == "as_released" or NEURONS.layer[odd] in {NEURONS.layer[row] for row in group}


def test_unplaced_neurons_are_never_shown():
    vectors = NEURONS.vectors.copy()
    vectors[::3] = np.nan
    pool = dataclasses.replace(NEURONS, vectors=vectors)
    study = design("alignability", pool, 0, "corrected", SMALL)
    shown = {pool.ids.index(name) for trial in mains(study) for name in trial.sources}
    assert len(shown) > 50
    assert not any(row % 3 == 0 for row in shown)


def test_evolution_shows_one_neuron_at_three_stages_half_of_them_backwards():
    study = design("evolution_label", NEURONS, 0, "corrected", SMALL)
    epochs = [[int(NEURONS.epoch[row]) for row in rows(trial)] for trial in mains(study)]
    assert len(epochs) == 8
    assert sorted(map(tuple, epochs)) == [(0, 1, 2)] * 4 + [(2, 1, 0)] * 4
    for trial in mains(study):
        assert len({(NEURONS.layer[row], NEURONS.channel[row]) for row in rows(trial)}) == 1
        assert len(trial.form.texts) == 3
    released = mains(design("evolution_label", NEURONS, 0, "as_released", SMALL))
    assert all([int(NEURONS.epoch[row]) for row in rows(trial)] == [0, 1, 2] for trial in released)


def test_image_intruders_are_not_images_of_the_concept():
    study = design("image_intruder", CONCEPTS, 0, "corrected", SMALL)
    for trial in mains(study):
        concepts = list(trial.sources)
        odd = concepts.pop(trial.answer)
        assert set(concepts) == {trial.item} != {odd}
        assert len(trial.panels) == 5
        assert odd.split("-")[0] == trial.condition
        own = {picture.tobytes() for picture in CONCEPTS.images[CONCEPTS.ids.index(trial.item)]}
        assert study.pictures[trial.panels[trial.answer][0]].tobytes() not in own


@pytest.mark.parametrize("protocol", ["corrected", "as_released"])
def test_concepts_with_the_same_images_are_no_intruders_of_one_another(protocol):
    """Nearly all of a condition show the same; in the corrected design enough of them lie far away all the same."""
    condition = np.array(CONCEPTS.condition)
    same = np.flatnonzero(condition == condition[0])[:-1]
    images = CONCEPTS.images.copy()
    images[same] = images[same[0]]
    alike = {CONCEPTS.ids[row] for row in same}
    study = design("image_intruder", dataclasses.replace(CONCEPTS, images=images), 0, protocol, SMALL)
    for trial in mains(study):
        assert len(set(trial.sources) & alike) < 2


def shows_all(label, row, k=6):
    return sum(label == CONCEPTS.names[int(c)] for c in CONCEPTS.shows[row, :k].argmax(axis=1))


def test_labels_and_foils_are_true_of_the_pictures_shown():
    """Counted on what was drawn: seven of nine show an own label, one of nine at most a foil."""
    options = dataclasses.replace(SMALL, pictures=6)
    study = design("label_agreement", CONCEPTS, 0, "corrected", options)
    found = Counter((trial.condition, trial.answer) for trial in mains(study))
    assert found[("foil", 1)] == 48
    assert 24 < found[("own", 0)] < 48
    for trial in mains(study):
        row = CONCEPTS.ids.index(trial.sources[0])
        label = trial.form.question.split("“")[1].split("”")[0]
        assert (label == CONCEPTS.label[row]) == (trial.condition == "own")
        count = shows_all(label, row)
        assert count >= 7 / 9 * 6 if trial.condition == "own" else count == 0


def test_intruders_of_drawn_pictures_never_belong():
    """A picture shows one thing: the intruder another than any of the rest, and no two of the rest another."""
    study = design("image_intruder", CONCEPTS, 0, "corrected", SMALL)
    known = {
        picture.tobytes(): CONCEPTS.names[int(CONCEPTS.shows[row, rank].argmax())]
        for row, pictures in enumerate(CONCEPTS.images)
        for rank, picture in enumerate(pictures)
    }
    assert len({trial.condition for trial in mains(study)}) == 3
    for trial in mains(study):
        things = [known[study.pictures[panel[0]].tobytes()] for panel in trial.panels]
        odd = things.pop(trial.answer)
        assert odd not in things


def test_an_intruder_must_lack_what_the_others_share():
    shows = np.zeros((2, 4, 3), bool)
    shows[0, :, 0] = True  # the members share the first
    shows[1, :, 1] = True  # the intruder's concept stands for the second
    pool = dataclasses.replace(
        CONCEPTS, ids=("a", "b"), condition=("svd",) * 2, layer=("l",) * 2, label=("x", "y"),
        vectors=CONCEPTS.vectors[:2], images=CONCEPTS.images[:2, :4], names=("x", "y", "z"), shows=shows,
    )  # fmt: skip
    assert is_odd(pool, 0, 4, 1, 0)
    for place in ((1, 0, 0), (0, 2, 1)):  # the intruder shares it too; a member shows what the intruder stands for
        wrong = shows.copy()
        wrong[place] = True
        assert not is_odd(dataclasses.replace(pool, shows=wrong), 0, 4, 1, 0)
    lone = shows.copy()
    lone[1, 0, 2] = lone[0, :3, 2] = True  # all but one member and the intruder show the third
    assert not is_odd(dataclasses.replace(pool, shows=lone), 0, 4, 1, 0)


def test_too_few_items_are_said_or_refused():
    study = design("image_intruder", CONCEPTS, 0, "corrected", SMALL)
    assert any(remark.startswith("Fewer than 60 items: 24 of svd") for remark in study.remarks)
    with pytest.raises(EvoscopeError, match="items of condition svd, and 60 were asked for"):
        design("image_intruder", CONCEPTS, 0, "corrected", dataclasses.replace(SMALL, items=60))


def test_another_primary_contrast_than_the_kinds_own_is_said():
    kept = [row for row, name in enumerate(CONCEPTS.condition) if name != "svd"]
    names = ("ids", "condition", "layer", "label")
    texts = {name: tuple(getattr(CONCEPTS, name)[row] for row in kept) for name in names}
    arrays = {name: getattr(CONCEPTS, name)[kept] for name in ("vectors", "images", "shows")}
    study = design("image_intruder", dataclasses.replace(CONCEPTS, **texts, **arrays), 0, "corrected", SMALL)
    assert study.primary.first == "neuron"
    assert any("lacks a condition" in remark for remark in study.remarks)
    whole = design("image_intruder", CONCEPTS, 0, "corrected", SMALL)
    assert not any("lacks a condition" in remark for remark in whole.remarks)


def test_keys_that_nothing_checks_are_said():
    unknown = dataclasses.replace(CONCEPTS, names=(), shows=np.zeros((0, 0, 0), bool))
    for kind in ("image_intruder", "label_agreement"):
        assert any("not checked" in remark for remark in design(kind, unknown, 0, "corrected", SMALL).remarks)
        assert not any("not checked" in r for r in design(kind, CONCEPTS, 0, "corrected", SMALL).remarks)


def with_photos(stream, spread):
    """The drawn neurons, each cut of 60 of 200 photographs: those of one thing of much the same, ``spread`` apart."""
    photos = []
    for row in range(len(NEURONS.ids)):
        liking = np.random.default_rng(int(NEURONS.channel[row]) % 24).normal(size=200)
        photos.append(np.argsort(liking + spread * stream.normal(size=200))[:60])
    patches = np.zeros((len(photos), 60, 4, 4, 3), np.uint8)
    return dataclasses.replace(NEURONS, patches=patches, photos=np.array(photos))


MANY = dataclasses.replace(SMALL, alignability=Alignability(sets=(("base_model", 40),)))


def test_sets_share_no_photograph_and_matching_photographs_finds_nothing():
    pool = with_photos(np.random.default_rng(0), 0.3)
    study = design("alignability", pool, 0, "corrected", MANY)
    for trial in mains(study):
        photos = [study.photos[row] for panel in trial.panels for row in panel]
        assert len(set(photos)) == len(photos) == 54
        assert {len(panel) for panel in trial.panels} == {9}
    (alone,) = [row for row in baselines(study) if row.observer == PHOTOS]
    assert alone.value == pytest.approx(1 / 6)
    assert alone.low < alone.chance < alone.high
    assert not any("compares shared photographs" in remark for remark in study.remarks)


def test_released_sets_are_found_by_their_photographs_and_that_is_said():
    study = design("alignability", with_photos(np.random.default_rng(0), 0.3), 0, "as_released", MANY)
    (alone,) = [row for row in baselines(study) if row.observer == PHOTOS]
    assert alone.low > 0.3
    assert any("compares shared photographs finds" in remark for remark in study.remarks)


def test_colours_that_give_the_intruder_away_are_said():
    study = design("image_intruder", CONCEPTS, 0, "corrected", SMALL)
    found = {row.condition: row for row in baselines(study)}
    assert found["svd"].low > 0.2 + 0.2
    assert found["svd"].items == 24
    assert any("only compares colours finds" in remark for remark in study.remarks)
    plain = dataclasses.replace(study, pictures=np.zeros_like(study.pictures))
    assert [row.value for row in baselines(plain)] == pytest.approx([0.2] * 3)


def test_sets_for_which_photographs_do_not_suffice_are_refused():
    found = disjoint(np.array([[1, 2, 3, 5], [1, 2, 4, -1]]), [0, 1], 2)
    assert found == (((0, 0), (0, 2)), ((1, 1), (1, 2)))
    with pytest.raises(EvoscopeError, match="do not suffice"):
        disjoint(np.array([[1], [1]]), [0, 1], 9)


def test_coherence_pairs_are_nearer_than_random_ones():
    study = design("pairwise_coherence", NEURONS, 0, "corrected", SMALL)
    found = {"near": [], "random": []}
    for trial in mains(study):
        found[trial.condition].append(cosine(*rows(trial)))
    assert min(found["near"]) > max(found["random"])


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_start_with_practice_and_hold_catch_and_repeated_trials(kind):
    study = design(kind, pool_of(kind), 0, "corrected", SMALL)
    trials = study.by_id()
    for block in study.blocks:
        roles = [trials[name].role for name in block.trials]
        assert roles[:2] == ["practice"] * 2
        size = min(12, len(mains(study)))
        assert Counter(roles) == {"main": size, "practice": 2, "catch": 3, "repeat": 3}
        items = [trials[name].item for name in block.trials]
        for place, name in enumerate(block.trials):
            if trials[name].role == "repeat":
                assert place - items.index(trials[name].item) >= 3
        assert roles[2] == "main"


def test_a_repeated_choice_has_its_panels_elsewhere():
    study = design("alignability", NEURONS, 0, "corrected", SMALL)
    first = {trial.item: trial for trial in mains(study)}
    again = [trial for trial in study.trials if trial.role == "repeat"]
    assert again
    for trial in again:
        before = first[trial.item]
        assert sorted(trial.panels) == sorted(before.panels)
        assert all(a != b for a, b in zip(trial.sources, before.sources, strict=True))
        if before.answer is not None:
            assert trial.sources[trial.answer] == before.sources[before.answer]


def test_catch_trials_of_choices_show_one_panel_again_and_again():
    study = design("alignability", NEURONS, 0, "corrected", SMALL)
    for trial in study.trials:
        if trial.role == "catch":
            rest = [panel for place, panel in enumerate(trial.panels) if place != trial.answer]
            assert len(set(rest)) == 1
            assert trial.panels[trial.answer] != rest[0]


def test_a_released_study_has_nothing_added():
    study = design("alignability", NEURONS, 0, "as_released", SMALL)
    assert {trial.role for trial in study.trials} == {"main"}
    assert [name for block in study.blocks for name in block.trials] == [trial.id for trial in study.trials]


def test_same_seed_same_study_other_seed_other_study(tmp_path):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        save_study(design("alignability", NEURONS, seed, "corrected", SMALL), tmp_path / folder)
    texts = {f: [(tmp_path / f / n).read_bytes() for n in ("study.json", "key.json")] for f in "abc"}
    assert texts["a"] == texts["b"]
    assert texts["a"][0] != texts["c"][0]


def test_a_study_comes_back_from_disk_and_a_changed_key_is_noticed(tmp_path):
    study = design("image_intruder", CONCEPTS, 0, "corrected", SMALL)
    save_study(study, tmp_path)
    back = load_study(tmp_path)
    assert (back.pictures == study.pictures).all()
    assert dataclasses.replace(back, pictures=study.pictures) == study
    key = json.loads((tmp_path / "key.json").read_text())
    key["trials"][0]["answer"] = 4 - key["trials"][0]["answer"]
    (tmp_path / "key.json").write_text(json.dumps(key, sort_keys=True, indent=1) + "\n")
    with pytest.raises(EvoscopeError, match="not the key"):
        load_study(tmp_path)


def test_the_public_file_tells_no_answer_condition_role_or_source(tmp_path):
    study = design("alignability", NEURONS, 0, "corrected", SMALL)
    save_study(study, tmp_path)
    text = (tmp_path / "study.json").read_text()
    for word in ("answer", "condition", "sources", "seed", "base_model", "net0", '"catch"', '"repeat"'):
        assert word not in text
    public = json.loads(text)
    assert public["exclusion"]["catch_failures"] == 2
    assert {tuple(trial) for trial in public["trials"]} == {("form", "id", "panels", "practice", "right")}
    hidden = [trial["right"] for trial in public["trials"] if not trial["practice"]]
    assert set(hidden) == {None}


@pytest.mark.parametrize("kind", KINDS)
def test_practice_is_drawn_and_its_answer_is_true(kind):
    study = design(kind, pool_of(kind), 0, "corrected", SMALL)
    pool = pool_of(kind)
    source = pool.patches if kind in NEURON_KINDS else pool.images
    known = {picture.tobytes() for entry in source for picture in entry}
    rows = {row for trial in study.trials if trial.role == "practice" for panel in trial.panels for row in panel}
    assert rows
    assert not any(study.pictures[row].tobytes() in known for row in rows)
    answers = {trial.answer for trial in study.trials if trial.role == "practice"}
    assert (answers == {None}) == (kind == "concept_naming")


@pytest.mark.parametrize("kind", KINDS)
def test_each_person_has_an_order_of_their_own_and_answers_in_all_places(kind):
    study = design(kind, pool_of(kind), 0, "corrected", SMALL)
    block, trials = study.blocks[0], study.by_id()
    plans = {who: personal_plan(study, block, who) for who in "abcdef"}
    assert plans["a"] == personal_plan(study, block, "a")
    assert len({tuple(name for name, _ in plan) for plan in plans.values()}) == len(plans)
    for plan in plans.values():
        assert sorted(name for name, _ in plan) == sorted(block.trials)
        roles = [trials[name].role for name, _ in plan]
        assert roles[:2] == ["practice"] * 2
        items = [trials[name].item for name, _ in plan]
        for place, (name, panels) in enumerate(plan):
            assert sorted(panels) == list(range(len(trials[name].panels)))
            if trials[name].role == "repeat":
                assert place - items.index(trials[name].item) >= 3
        if trials[block.trials[0]].form.choose:
            found = Counter(panels.index(trials[name].answer or 0) for name, panels in plan)
            assert max(found.values()) - min(found.values()) <= 1
            assert len(found) == len(trials[block.trials[0]].panels)


def test_a_released_study_is_shown_as_it_is_written():
    study = design("alignability", NEURONS, 0, "as_released", SMALL)
    plan = personal_plan(study, study.blocks[0], "a")
    assert plan == [(name, list(range(6))) for name in study.blocks[0].trials]


def test_block_names_carry_the_study():
    names = [
        block.id
        for name in ("one", "two")
        for kind in KINDS
        for block in design(kind, pool_of(kind), 0, "corrected", SMALL, name).blocks
    ]
    assert len(set(names)) == len(names)


def test_the_fano_plane_is_found():
    blocks = incomplete_blocks(["a"] * 7, 7, 3, 0)
    assert (concurrences(blocks, 7) == np.ones((7, 7)) + 2 * np.eye(7)).all()


@pytest.mark.parametrize(("blocks", "size"), [(6, 26), (14, 20), (5, 77), (3, 7)])
def test_items_occur_equally_often_and_conditions_in_proportion(blocks, size):
    strata = [name for name, count in SETS.items() for _ in range(count)]
    found = incomplete_blocks(strata, blocks, size, 0)
    counts = concurrences(found, 77)
    assert np.ptp(np.diag(counts)) <= 1
    assert all(len(set(block)) == size for block in found)
    for block in found:
        mix = Counter(strata[item] for item in block)
        assert all(abs(mix[name] - count * size / 77) <= 2.5 for name, count in SETS.items())


def test_pairs_share_blocks_more_equally_than_by_chance():
    found = incomplete_blocks(["a"] * 30, 12, 10, 0)
    off = ~np.eye(30, dtype=bool)
    stream = np.random.default_rng(0)
    random = [stream.permutation(30)[:10] for _ in range(12)]
    assert concurrences(found, 30)[off].var() < 0.5 * concurrences(random, 30)[off].var()


@pytest.mark.parametrize(
    ("kind", "pool", "words"),
    [
        ("alignability", CONCEPTS, "neuron pool"),
        ("image_intruder", NEURONS, "concept pool"),
        ("evolution_label", synthetic_neurons(0, epochs=2, side=4), "three epochs"),
        ("alignability", synthetic_neurons(0, epochs=1, side=4), "epochs"),
    ],
)
def test_an_unfit_pool_is_refused_in_a_sentence(kind, pool, words):
    with pytest.raises(EvoscopeError, match=words):
        design(kind, pool, 0, "corrected", SMALL)


def test_pools_with_columns_of_different_length_are_refused():
    with pytest.raises(EvoscopeError, match="one row in every column"):
        NeuronPool(
            ("a",), np.ones((2, 3), np.float32), ("m",), np.zeros(1, int), ("l",), np.zeros(1, int), NEURONS.patches[:1]
        )


def test_models_with_too_few_neurons_are_named():
    vectors = NEURONS.vectors.copy()
    lost = [row for row, model in enumerate(NEURONS.model) if model == "net1" and NEURONS.channel[row] > 3]
    vectors[lost] = float("nan")
    study = design("evolution_label", dataclasses.replace(NEURONS, vectors=vectors), 0, "corrected", Options(count=25))
    lacking, few = study.remarks
    assert lacking == "Only 8 neurons of net1 have a place in the space at all stages, not 25."
    assert few.startswith("Fewer than 60 items: 25 of net0, 8 of net1. Below 15 the intervals")


def test_the_only_layer_of_a_network_is_its_last():
    first = [row for row, layer in enumerate(NEURONS.layer) if layer == NEURONS.layer[0]]
    names = tuple(NEURONS.ids[row] for row in first)
    pool = dataclasses.replace(
        NEURONS,
        ids=names,
        model=tuple(NEURONS.model[row] for row in first),
        layer=tuple(NEURONS.layer[row] for row in first),
        **{name: getattr(NEURONS, name)[first] for name in ("vectors", "epoch", "channel", "patches", "photos")},
    )
    assert (depths(pool) == 1).all()
    both = depths(NEURONS)
    assert (both.min(), both.max()) == (0, 1)
