"""Which neurons are worth following over the epochs."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from evoscope.activations.neuron_concepts import NeuronConcepts
from evoscope.arrays import Doubles, Floats, Ints


def steps_taken(vectors: Sequence[Floats]) -> Doubles:
    """How far each neuron moved in the space since the epoch before: float64 [epochs, neurons].

    ``vectors``: float32 [neurons, dim] per epoch; a step from or to an unplaced neuron is NaN, and so is the
    first.
    """
    first = np.full(len(vectors[0]), np.nan)
    later = [np.linalg.norm(b.astype(float) - a, axis=1) for a, b in pairwise(vectors)]
    return np.stack([first, *later])


def concept_changes(concepts: Sequence[NeuronConcepts]) -> tuple[Ints, Doubles]:
    """The concept that each neuron's change is measured by, and how well it tells it at each epoch.

    Returns int64 [neurons] and the held-out AUC, float64 [epochs, neurons]. The concept is the neuron's label at the
    last epoch, else at the first; -1 and NaN where it has neither.
    """
    first, last = concepts[0].label, concepts[-1].label
    concept = np.where(last >= 0, last, first).astype(np.int64)
    rows = np.arange(len(concept))
    aucs = (
        [np.where(concept >= 0, c.auc_held_out[rows, concept], np.nan) for c in concepts]
        if concepts[0].names
        else []
    )
    return concept, np.stack(aucs).astype(float) if aucs else np.full((len(concepts), len(concept)), np.nan)


def choose_followed(
    vectors: Sequence[Floats], concepts: Sequence[NeuronConcepts], layers: Ints, count: int
) -> Ints:
    """The ``count`` neurons whose evolution is largest: int64 rows.

    Where concepts are known the size is the change of the held-out AUC between the first and the last epoch;
    elsewhere the length of the path in the space. At most one neuron per concept (or, without concepts, per
    layer) is taken while there are enough; neurons unplaced at the last epoch come after all others.
    """
    concept, aucs = concept_changes(concepts)
    known = bool(np.isfinite(aucs).any())
    change = np.abs(aucs[-1] - aucs[0]) if known else np.nansum(steps_taken(vectors), axis=0)
    change = np.nan_to_num(change, nan=-1.0) - 10.0 * np.isnan(vectors[-1]).any(axis=1)
    order = np.argsort(-change, kind="stable")
    return _varied(order, concept if known else layers, count)


def _varied(order: Ints, groups: Ints, count: int) -> Ints:
    """The first of each group in ``order``, then the rest, cut to ``count``."""
    _, firsts = np.unique(groups[order], return_index=True)
    ahead = np.sort(firsts)
    rest = np.setdiff1d(np.arange(len(order)), ahead)
    return np.asarray(order[np.concatenate([ahead, rest])[:count]], dtype=np.int64)
