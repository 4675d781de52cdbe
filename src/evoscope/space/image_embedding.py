"""Vectors of the images that stimulate base neurons (ConceptEvo, step 2.1.2).

Wanted are image vectors whose mean over a neuron's stimuli is that neuron's vector: one linear system, three
solvers.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from evoscope.activations.stimuli import NeuronIndex
from evoscope.arrays import Bools, Doubles, SmallInts
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent
from evoscope.seeds import derive, generator
from evoscope.space.kernels import draw_pairs, random_state, sweep_at_once, sweep_in_place, train_pairs_in_turn
from evoscope.space.protocol import SpaceProtocol
from evoscope.space.skipgram import Groups, group

# Conjugate gradients: most steps, and the gradient (relative to the first) at which a dimension is done.
_STEPS = 5000
_PRECISION = 1e-9

# A distance in the space beyond which a descent will not come back.
DIVERGED = 1e12


@dataclass(frozen=True)
class ImageVectors:
    """Result of the image embedding.

    ``vectors``: float64 [images, dim], for images outside the stimuli NaN (least squares) or their start in
    U(-.5, .5); ``covered``: bool [images], a stimulus of a neuron that has a vector; ``residual``:
    sqrt(mean_n ||v'_n - v_n||^2); ``sweeps``: passes over the images, or steps of conjugate gradients.
    """

    vectors: Doubles
    covered: Bools
    residual: float
    sweeps: int


def embed_images(
    stimuli: SmallInts, targets: Doubles, images: int, protocol: SpaceProtocol, seed: int, progress: Progress = silent
) -> ImageVectors:
    """Image vectors that reproduce the base neurons as means over their stimuli.

    Parameters
    ----------
    stimuli : int32 [neurons, k], positions in the pool, -1 for none.
    targets : float64 [neurons, dim], the neurons' vectors; a NaN row, or one without stimuli, takes no part.
    images : size of the pool.
    protocol : uses ``image_*``.
    seed : of the random start (published solvers).
    progress : counts sweeps (published solvers).

    Raises
    ------
    EvoscopeError : no neuron has both a vector and stimuli, or the descent diverges.
    """
    taking_part = np.isfinite(targets).all(axis=1) & (stimuli >= 0).any(axis=1)
    if not taking_part.any():
        raise EvoscopeError("no base neuron has both a vector and stimuli", "check the health of the base model")
    stimuli, targets = stimuli[taking_part], np.ascontiguousarray(targets[taking_part], dtype=np.float64)
    covered = np.zeros(images, dtype=bool)
    covered[stimuli[stimuli >= 0]] = True
    if protocol.image_solver != "least_squares":
        return _descent(stimuli, targets, covered, protocol, seed, progress)
    means, ridge = averaging_matrix(stimuli, images)[:, covered], protocol.image_ridge
    solution, steps = minimum_norm(means, targets) if ridge == 0 else near_mean(means, targets, ridge)
    vectors = np.full((images, targets.shape[1]), np.nan)
    vectors[covered] = solution
    residual = root_mean_square(means @ solution - targets)
    return ImageVectors(vectors, covered, residual, steps)


def averaging_matrix(stimuli: SmallInts, images: int) -> sparse.csr_array:
    """Sparse float64 [neurons, images] that takes image vectors to their mean over each neuron's stimuli."""
    counts = (stimuli >= 0).sum(axis=1)
    rows, _ = np.nonzero(stimuli >= 0)
    entries = (1.0 / counts[rows], (rows, stimuli[stimuli >= 0]))
    return sparse.csr_array(entries, shape=(len(stimuli), images))


def root_mean_square(differences: Doubles) -> float:
    """sqrt(mean_n ||d_n||^2) of float64 [n, dim]: not divided by the dimension, as published."""
    return float(np.sqrt((differences**2).sum(axis=1).mean()))


def minimum_norm(matrix: sparse.csr_array, targets: Doubles) -> tuple[Doubles, int]:
    """Least-squares solution of smallest norm, all dimensions at once, and the steps it took.

    Conjugate gradients on the normal equations from zero (Bjorck, Numerical Methods for Least Squares
    Problems, 1996, section 7.4): iterates stay in the row space, so that among all minimisers they reach the
    shortest.

    Parameters
    ----------
    matrix : sparse float64 [m, n]; targets : float64 [m, dim]. Returns float64 [n, dim].
    """
    transposed = sparse.csr_array(matrix.T)
    solution = np.zeros((matrix.shape[1], targets.shape[1]))
    remainder = targets.copy()
    gradient = transposed @ remainder
    direction, size = gradient.copy(), _squares(gradient)
    enough = _PRECISION**2 * size
    for step in range(_STEPS):
        active = size > enough
        if not active.any():
            return solution, step
        image = matrix @ direction
        length = _ratio(size, _squares(image), active)
        solution += length * direction
        remainder -= length * image
        gradient = transposed @ remainder
        renewed = _squares(gradient)
        direction = gradient + _ratio(renewed, size, active) * direction
        size = renewed
    return solution, _STEPS


def near_mean(matrix: sparse.csr_array, targets: Doubles, ridge: float) -> tuple[Doubles, int]:
    """Image vectors that nearly reproduce the neurons and stay near the mean of the neurons they excite.

    The exact solution of smallest norm fits noise: neurons that share most stimuli but differ a little need huge
    image vectors, and neurons of other models projected through those land anywhere. So the shift D from
    that mean M minimises ||A (M + D) - V||^2 + rho ||D||^2, where rho is ``ridge`` times the mean squared
    norm of A's rows.

    Parameters are those of `minimum_norm`; ``ridge`` above 0.
    """
    excited = sparse.csr_array(matrix.T)
    excited.data = np.ones_like(excited.data)
    start = (excited @ targets) / excited.sum(axis=1)[:, None]
    rho = ridge * float((matrix**2).sum()) / matrix.shape[0]
    padded = sparse.csr_array(sparse.hstack([matrix, np.sqrt(rho) * sparse.eye_array(matrix.shape[0])]))
    shift, steps = minimum_norm(padded, targets - matrix @ start)
    return start + shift[: matrix.shape[1]], steps


def _squares(columns: Doubles) -> Doubles:
    return np.asarray(np.einsum("nd,nd->d", columns, columns))


def _ratio(above: Doubles, below: Doubles, active: Bools) -> Doubles:
    return np.divide(above, below, out=np.zeros_like(above), where=active & (below > 0))


def _descent(
    stimuli: SmallInts, targets: Doubles, covered: Bools, protocol: SpaceProtocol, seed: int, progress: Progress
) -> ImageVectors:
    vectors = generator(seed, "image start").uniform(-0.5, 0.5, (len(covered), targets.shape[1]))
    means = averaging_matrix(stimuli, len(covered))
    by_image, weights = _by_appearance(stimuli), 1.0 / (stimuli >= 0).sum(axis=1)
    sweep, lr, limit = sweep_in_place, protocol.image_lr, protocol.image_threshold
    if protocol.image_solver != "gauss_seidel":
        sweep, lr = sweep_at_once, lr / len(stimuli)
        limit = float(np.sqrt(2 * limit))  # v1's is on sum ||.||^2 / 2N, and not on sqrt(mean ||.||^2)
    errors = means @ vectors - targets
    steps = range(protocol.image_sweeps)
    done = 0
    for _ in progress(steps, total=len(steps), what="image embedding", unit="sweep"):
        if root_mean_square(errors) < limit:
            break
        sweep(vectors, errors, by_image.keys, by_image.offsets, by_image.members, weights, lr)
        errors = means @ vectors - targets
        done += 1
        if not np.abs(errors).max(initial=0.0) < DIVERGED:
            raise EvoscopeError(
                f"the image embedding diverged in sweep {done} with image_lr={protocol.image_lr}",
                "lower image_lr of the space protocol or set image_solver='least_squares'",
            )
    return ImageVectors(vectors, covered, root_mean_square(errors), done)


def _by_appearance(stimuli: SmallInts) -> Groups:
    """Neurons by image; images as they first appear among the stimuli, which the published sweep keeps to.

    The sweep is in place, so another order of the images leads to other vectors.
    """
    neuron, _ = np.nonzero(stimuli >= 0)
    images = stimuli[stimuli >= 0].astype(np.int64)
    return group(images, neuron).ordered(np.argsort(np.unique(images, return_index=True)[1]))


def embed_indirectly(
    vectors: Doubles,
    covered: Bools,
    responsive: SmallInts,
    neurons: NeuronIndex,
    protocol: SpaceProtocol,
    seed: int,
    progress: Progress = silent,
) -> tuple[Doubles, Bools]:
    """Place uncovered images near the images that excite the same neurons, by the skip-gram over images.

    Each epoch, every group of images is shuffled and its consecutive members paired, at most
    ``pairs_per_neuron`` pairs a group. Covered images never move. Negatives are uniform over the images that
    are covered or in a group of at least two.

    Parameters
    ----------
    vectors : float64 [images, dim]; where an uncovered image has none (NaN) it starts in U(-.5, .5), and goes
        back to NaN if it is in no pair.
    covered : bool [images].
    responsive : int32 [images, r], base neurons each image responds to (-1: none).
    neurons : names of the base neurons, used by ``indirect="characters"``.
    protocol : uses ``indirect*``, ``responsive`` and ``pairs_per_neuron``.
    seed, progress : the latter counts epochs.

    Returns
    -------
    float64 [images, dim], the vectors of covered images unchanged; and bool [images], which were moved at least once.

    Raises
    ------
    EvoscopeError : the stimuli come without responsive neurons, or the vectors diverge.
    """
    if protocol.indirect == "none" or covered.all():
        return vectors, np.zeros(len(vectors), dtype=bool)
    listed = responsive[:, : protocol.responsive]
    if listed.shape[1] == 0:
        raise EvoscopeError(
            f"indirect={protocol.indirect!r} needs responsive neurons, and the stimuli hold none",
            f"run the base model's activation pass with responsive={protocol.responsive}",
        )
    released = protocol.indirect == "characters"
    groups = images_by_character(listed, neurons) if released else images_by_neuron(listed)
    taking_part = covered.copy()
    taking_part[groups.members] = True
    random = generator(seed, "indirect start").uniform(-0.5, 0.5, vectors.shape)
    started = np.where(np.isfinite(vectors), vectors, random)
    compact = np.cumsum(taking_part).astype(np.int32) - 1
    work, fixed = started[taking_part], covered[taking_part]
    members = compact[groups.members]
    moved = np.zeros(len(vectors), dtype=bool)
    moved[taking_part] = _train(work, fixed, groups.offsets, members, protocol, seed, progress)
    started[taking_part] = work
    return np.where(moved[:, None], started, vectors), moved


def images_by_neuron(responsive: SmallInts) -> Groups:
    """Images by the neuron they respond to, for neurons with at least two images."""
    image, column = np.nonzero(responsive >= 0)
    groups = group(responsive[image, column].astype(np.int64), image)
    return groups.take(groups.sizes >= 2)


def images_by_character(responsive: SmallInts, neurons: NeuronIndex) -> Groups:
    """Images by each character in the names of the neurons they respond to, as the released code groups them.

    The names have the released form, ``layer-channel``; an image is once in the group of a character.
    """
    spelled = [
        set(f"{neurons.layers[layer]}-{channel}") for layer, channel in zip(neurons.layer, neurons.channel, strict=True)
    ]
    alphabet = sorted(set().union(*spelled))
    contains = np.array([[character in name for character in alphabet] for name in spelled], dtype=bool)
    present = np.zeros((len(responsive), len(alphabet)), dtype=bool)
    for column in responsive.T:
        present |= contains[column] & (column >= 0)[:, None]
    image, character = np.nonzero(present)
    groups = group(character, image)
    return groups.take(groups.sizes >= 2)


def _train(
    vectors: Doubles,
    fixed: Bools,
    offsets: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    members: SmallInts,
    protocol: SpaceProtocol,
    seed: int,
    progress: Progress,
) -> Bools:
    """Train in place; return which vectors moved."""
    state = random_state(derive(seed, "indirect pairs"))
    paired = np.zeros(len(vectors), dtype=bool)
    epochs = protocol.indirect_epochs
    for epoch in progress(range(epochs), total=epochs, what="indirect image embedding", unit="epoch"):
        pairs, negatives = draw_pairs(
            offsets, members, protocol.pairs_per_neuron, len(vectors), protocol.indirect_negatives, state
        )
        paired[pairs] = True
        gradient = train_pairs_in_turn(vectors, fixed, pairs, negatives, protocol.indirect_lr)
        if not np.isfinite(gradient):
            raise EvoscopeError(
                f"the indirect embedding diverged in epoch {epoch} with indirect_lr={protocol.indirect_lr}",
                "lower indirect_lr of the space protocol",
            )
        if gradient <= protocol.indirect_threshold:
            break
    return paired & ~fixed
