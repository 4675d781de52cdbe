"""Vectors of the base model's neurons: skip-gram over co-activated pairs (ConceptEvo, step 1.3)."""

from dataclasses import dataclass

import numpy as np

from evoscope.activations.stimuli import Status, Stimuli
from evoscope.arrays import Array, Bools, Doubles, Floats, Ints, SmallInts
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent
from evoscope.seeds import derive, generator
from evoscope.space.protocol import SpaceProtocol


@dataclass(frozen=True)
class Groups:
    """Groups of items in compressed rows: ``members[offsets[g]:offsets[g + 1]]`` is group g.

    ``keys``: int64 [groups], what each group stands for (an image, a neuron);
    ``offsets``: int64 [groups + 1]; ``members``: int32 [memberships], ascending within a group.
    """

    keys: Ints
    offsets: Ints
    members: SmallInts

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def sizes(self) -> Ints:
        """Members per group, int64 [groups]."""
        return np.diff(self.offsets)

    def take(self, chosen: Bools) -> "Groups":
        """Keep the groups where ``chosen`` bool [groups] holds."""
        keep = np.repeat(chosen, self.sizes)
        return Groups(self.keys[chosen], _offsets(self.sizes[chosen]), self.members[keep])

    def ordered(self, order: Ints) -> "Groups":
        """The groups in another order, int64 [groups]."""
        parts = [self.members[self.offsets[g] : self.offsets[g + 1]] for g in order]
        return Groups(self.keys[order], _offsets(self.sizes[order]), np.concatenate(parts))


def group(keys: Ints, members: Ints) -> Groups:
    """Gather distinct members by key, from two int arrays [memberships] in any order.

    Groups come in ascending order of their keys.
    """
    order = np.lexsort((members, keys))
    keys, members = keys[order], members[order]
    fresh = np.ones(len(keys), dtype=bool)
    fresh[1:] = (np.diff(keys) != 0) | (np.diff(members) != 0)
    unique, sizes = np.unique(keys[fresh], return_counts=True)
    return Groups(unique.astype(np.int64), _offsets(sizes), members[fresh].astype(np.int32))


def counted_stimuli(stimuli: Stimuli, protocol: SpaceProtocol) -> SmallInts:
    """Choose the stimuli that count under a protocol.

    Returns
    -------
    int32 [neurons, k], positions in the pool, -1 where there is none: beyond a small pool, and for every
    dead, constant or non-finite neuron when the protocol excludes those.

    Raises
    ------
    EvoscopeError : the stimuli hold fewer images per neuron than the protocol asks for.
    """
    if stimuli.k < protocol.k:
        raise EvoscopeError(
            f"the stimuli hold {stimuli.k} images per neuron, the space protocol asks for k={protocol.k}",
            "lower the protocol's k or run the activation pass with a larger k",
        )
    images = stimuli.images[:, : protocol.k].astype(np.int32)
    if protocol.unplaced == "exclude":
        images[stimuli.status != Status.OK] = -1
    return images


def coactivation(images: SmallInts) -> Groups:
    """Neurons by the image that stimulates them, for the images that stimulate at least two.

    Parameters
    ----------
    images : int32 [neurons, k], as `counted_stimuli` returns them.

    Returns
    -------
    Groups whose keys are images of the pool and whose members are neurons.
    """
    neuron, _ = np.nonzero(images >= 0)
    groups = group(images[images >= 0].astype(np.int64), neuron)
    return groups.take(groups.sizes >= 2)


def _offsets(sizes: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


# Share of the images whose pairs are kept from training to see when it has settled.
HELD_OUT = 0.05
# Epochs between two looks at the held-out pairs, and looks without improvement before training stops.
CHECK_EVERY = 5
PATIENCE = 4
_NO_LIMIT = np.iinfo(np.int64).max


@dataclass(frozen=True)
class NeuronVectors:
    """Result of the skip-gram.

    ``vectors``: float64 [neurons, dim]; ``likelihood``: float32 [epochs], mean log-likelihood of a held-out
    pair with its negatives, NaN in the epochs where it was not measured.
    """

    vectors: Doubles
    likelihood: Floats


def embed_neurons(
    groups: Groups, neurons: int, protocol: SpaceProtocol, seed: int, progress: Progress = silent
) -> NeuronVectors:
    """Train the skip-gram on co-activated neurons.

    With ``skipgram_stop="settled"`` the images of `hold_out` are not trained on, and the vectors returned are
    those of the look with the best likelihood; otherwise all images are trained on and the last vectors are
    returned.

    Parameters
    ----------
    groups : image -> neurons, from `coactivation`.
    neurons : number of neurons, all of which can be negatives; one that is in no group keeps its start in
        U(-.5, .5).
    protocol : uses dim, negatives and ``skipgram_*``.
    seed : same seed, same bytes (on one kind of processor).
    progress : counts epochs.

    Raises
    ------
    EvoscopeError : no image stimulates two neurons, or the vectors diverge.
    """
    from evoscope.space.kernels import random_state, train_pairs

    if len(groups) == 0:
        raise EvoscopeError(
            "no image is among the stimuli of two base neurons, so there is nothing to learn from",
            "take a larger k or a smaller image pool",
        )
    judge, epochs = _Judge(groups, neurons, protocol, seed), protocol.skipgram_epochs
    vectors = generator(seed, "neuron start").uniform(-0.5, 0.5, (neurons, protocol.dim))
    offsets, members = judge.training.offsets, judge.training.members.copy()
    state = random_state(derive(seed, "skip-gram pairs"))
    for epoch in progress(range(epochs), total=epochs, what="skip-gram", unit="epoch"):
        pairs, negatives = _draw(offsets, members, neurons, protocol, state)
        gradient = float(train_pairs(vectors, pairs, negatives, protocol.skipgram_lr))
        if not np.isfinite(gradient):
            raise EvoscopeError(
                f"the skip-gram diverged in epoch {epoch} with skipgram_lr={protocol.skipgram_lr}",
                "lower skipgram_lr of the space protocol",
            )
        if judge.stops(epoch, vectors, gradient):
            break
    vectors = vectors if judge.best is None else judge.best
    return NeuronVectors(vectors, np.array(judge.history, dtype=np.float32))


def hold_out(groups: Groups, neurons: int, share: float, seed: int) -> Bools:
    """Images to keep from training, bool [groups]: about ``share``, such that every neuron keeps an image."""
    left = np.bincount(groups.members, minlength=neurons)
    held = np.zeros(len(groups), dtype=bool)
    wanted = round(share * len(groups))
    for g in generator(seed, "held-out images").permutation(len(groups)):
        if wanted == 0:
            break
        members = groups.members[groups.offsets[g] : groups.offsets[g + 1]]
        if left[members].min() > 1:
            held[g], wanted = True, wanted - 1
            left[members] -= 1
    return held


def pair_likelihood(vectors: Doubles, pairs: SmallInts, negatives: SmallInts) -> float:
    """Mean over pairs of log s(v_n.v_m) + sum_r log s(-v_n.v_r) + sum_r log s(-v_m.v_r).

    Parameters
    ----------
    vectors : float64 [items, dim]; pairs : int32 [pairs, 2]; negatives : int32 [pairs, 2, negatives].
    """
    ends = vectors[pairs]
    together = np.einsum("pd,pd->p", ends[:, 0], ends[:, 1])
    apart = np.einsum("psd,psrd->psr", ends, vectors[negatives])
    return float((_log_sigmoid(together) + _log_sigmoid(-apart).sum(axis=(1, 2))).mean())


class _Judge:
    """Decides when training ends; holds images out if the rule looks at held-out pairs."""

    def __init__(self, groups: Groups, neurons: int, protocol: SpaceProtocol, seed: int) -> None:
        self.training = groups
        self.history: list[float] = []
        self.best: Doubles | None = None
        self._protocol = protocol
        self._best_likelihood = -np.inf
        self._looks_since = 0
        if protocol.skipgram_stop == "settled":
            self._pairs, self._negatives = self._hold_out(groups, neurons, seed)

    def _hold_out(self, groups: Groups, neurons: int, seed: int) -> tuple[SmallInts, SmallInts]:
        from evoscope.space.kernels import random_state

        held = hold_out(groups, neurons, HELD_OUT, seed)
        if not held.any():  # a handful of images: watch the pairs that are trained on
            held[:] = True
        else:
            self.training = groups.take(~held)
        watched = groups.take(held)
        state = random_state(derive(seed, "held-out pairs"))
        return _draw(watched.offsets, watched.members.copy(), neurons, self._protocol, state)

    def stops(self, epoch: int, vectors: Doubles, gradient: float) -> bool:
        self.history.append(float("nan"))
        if self._protocol.skipgram_stop == "gradient":
            return gradient <= self._protocol.skipgram_threshold
        last = epoch + 1 == self._protocol.skipgram_epochs
        if self._protocol.skipgram_stop == "settled" and (last or (epoch + 1) % CHECK_EVERY == 0):
            return self._look(vectors)
        return False

    def _look(self, vectors: Doubles) -> bool:
        likelihood = pair_likelihood(vectors, self._pairs, self._negatives)
        self.history[-1] = likelihood
        enough = self._protocol.skipgram_threshold * abs(self._best_likelihood)
        self._looks_since += 1
        if self.best is None or likelihood > self._best_likelihood + enough:
            self._best_likelihood, self._looks_since = likelihood, 0
            self.best = vectors.copy()
        return self._looks_since >= PATIENCE


def _draw(
    offsets: Array, members: SmallInts, neurons: int, protocol: SpaceProtocol, state: Array
) -> tuple[SmallInts, SmallInts]:
    from evoscope.space.kernels import draw_pairs

    pairs, negatives = draw_pairs(offsets, members, _NO_LIMIT, neurons, protocol.negatives, state)
    return pairs, negatives


def _log_sigmoid(x: Doubles) -> Doubles:
    return -np.logaddexp(0.0, -x)
