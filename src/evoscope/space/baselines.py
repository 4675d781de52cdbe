"""What the measures of alignment read without a learned space.

Neurons lie at the mean of their stimuli's vectors, so that neurons with stimuli in common lie together whatever these
vectors are. Beside the learned space stand *random* image vectors, from which nothing was learned, and the *shared
stimuli* themselves, without any vectors: a neuron's row is then the images that excite it.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse

from evoscope.activations.stimuli import Stimuli
from evoscope.arrays import IN_MEMORY, Doubles, Floats, Ints, SmallInts
from evoscope.seeds import generator
from evoscope.space.build import project
from evoscope.space.metrics import TIE_DECIMALS
from evoscope.space.protocol import SemanticSpace, SpaceProtocol

Rows = Doubles | sparse.csr_array
"""Rows of length 1, [neurons, dim], dense or sparse."""


def random_vectors(space: SemanticSpace, stimuli: Stimuli, protocol: SpaceProtocol, seed: int) -> Floats:
    """Neurons projected by Gaussian vectors of the images that have one, float32 [neurons, dim].

    They are placed where the space places them, since what is covered stays.
    """
    drawn = generator(seed, "random image vectors").standard_normal(space.image_vectors.shape)
    known = np.isfinite(space.image_vectors)
    random = replace(space, image_vectors=np.where(known, drawn, np.nan).astype(np.float32))
    return project(random, stimuli, protocol).vectors


def stimulus_rows(images: SmallInts, pool: int) -> sparse.csr_array:
    """Which images of a ``pool`` excite each neuron, sparse float64 [neurons, pool] with rows of length 1.

    Parameters
    ----------
    images : int32 [neurons, k], -1 for none; the cosine of two rows is what they share over k.
    """
    counts = np.maximum((images >= 0).sum(axis=1), 1)
    rows, _ = np.nonzero(images >= 0)
    entries = (1.0 / np.sqrt(counts[rows]), (rows, images[images >= 0]))
    return sparse.csr_array(entries, shape=(len(images), pool))


def stacked(parts: Sequence[Rows]) -> Rows:
    """Rows of several models one below the other, all dense or all sparse."""
    dense = [part for part in parts if isinstance(part, np.ndarray)]
    if len(dense) == len(parts):
        return np.concatenate(dense)
    return sparse.csr_array(sparse.vstack([part for part in parts if not isinstance(part, np.ndarray)]))


def neighbour_hits(rows: Rows, concept: Ints, model: Ints, seed: int, neighbours: int = 10) -> Doubles:
    """Share of each neuron's nearest neighbours of other models that have its concept, float64 [neurons].

    As `evoscope.space.purity.concept_purity` has it, but ties, which shared stimuli have many of, fall at random.

    Parameters
    ----------
    rows : of all models; ``concept``, ``model``: int [neurons].
    """
    stream, hits = generator(seed, "ties of neighbours"), np.empty(len(concept))
    for own in np.unique(model):
        mine, others = np.flatnonzero(model == own), np.flatnonzero(model != own)
        count = min(neighbours, len(others))
        for block in _blocks(mine, len(others)):
            cosines = _products(rows[block], rows[others])
            mixed = np.round(cosines, TIE_DECIMALS) + 10.0 ** -(TIE_DECIMALS + 1) * stream.random(cosines.shape)
            best = others[np.argpartition(-mixed, count - 1, axis=1)[:, :count]]
            hits[block] = (concept[best] == concept[block][:, None]).mean(axis=1)
    return hits


def reciprocal_ranks(queries: Rows, candidates: Rows, own: Ints) -> Doubles:
    """One over the rank of each query's own candidate by cosine, tied ones sharing their mean rank: float64 [queries].

    Parameters
    ----------
    own : int64 [queries], the row among the candidates that is the same neuron.
    """
    found = np.empty(len(own))
    for block in _blocks(np.arange(len(own)), candidates.shape[0]):
        cosines = np.round(_products(queries[block], candidates), TIE_DECIMALS)
        mine = cosines[np.arange(len(block)), own[block]][:, None]
        tied = (cosines == mine).sum(axis=1)
        found[block] = 1 / ((cosines > mine).sum(axis=1) + (tied + 1) / 2)
    return found


def _blocks(rows: Ints, columns: int) -> list[Ints]:
    size = max(1, IN_MEMORY // max(columns, 1))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _products(left: Rows, right: Rows) -> Doubles:
    found = left @ right.T
    return np.asarray(found.toarray() if sparse.issparse(found) else found, dtype=np.float64)
