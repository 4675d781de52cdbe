"""The one comparison that a study is made for, by kind; it is written into the key before there are data."""

from collections.abc import Sequence

from human_eval.design.trial import Contrast, Kind, Measure, Trial

FEWEST_ITEMS = 15
"""Items of a condition from which on intervals were seen to cover .92 or more (`benchmarks.studies`)."""
ENOUGH_ITEMS = 60
"""Items of a condition that a corrected study should have."""
SHUFFLES = 200  # of names, which say what their agreement is worth
# Conditions in the order in which they are wanted: first, and other.
WANTED: dict[Kind, tuple[Measure, tuple[str, ...], tuple[str, ...]]] = {
    "alignability": ("right", ("different_model_different_epoch", "same_model_different_epoch", "base_model"), ()),
    "evolution_label": ("agreement", (), ()),
    "image_intruder": ("right", ("svd",), ("neuron", "random")),
    "label_agreement": ("yes", ("own",), ("foil",)),
    "concept_naming": ("agreement", ("svd",), ("random", "neuron")),
    "pairwise_coherence": ("rating", ("near",), ("random",)),
}


def primary_contrast(kind: Kind, main: Sequence[Trial]) -> Contrast:
    """The primary contrast of a kind, among the conditions that its ``main`` trials have."""
    measure, firsts, others = WANTED[kind]
    if not firsts:
        return Contrast(measure, "", "")
    there = _conditions(measure, main)
    first = next((name for name in firsts if name in there), there[0] if there else "")
    other = next((name for name in others if name in there and name != first), "")
    return Contrast(measure, first, other)


def secondary_contrasts(primary: Contrast, trials: Sequence[Trial]) -> list[Contrast]:
    """Every condition against chance, and the first against each other one, but for the primary contrast."""
    there = _conditions(primary.measure, [trial for trial in trials if trial.role == "main"])
    pairs = [(name, "") for name in there if primary.measure in ("right", "agreement")]
    pairs += [(primary.first, name) for name in there if primary.first not in ("", name)]
    found = [Contrast(primary.measure, *pair) for pair in pairs]
    return [each for each in found if each != primary]


def _conditions(measure: Measure, main: Sequence[Trial]) -> list[str]:
    able = [trial.condition for trial in main if measure != "right" or trial.answer is not None]
    return list(dict.fromkeys(able))
