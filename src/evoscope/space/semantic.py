"""The unified semantic space: vectors for the base model's neurons and for images, and neurons projected into it."""

from dataclasses import dataclass

from evoscope.arrays import Bools, Floats


@dataclass(frozen=True)
class SemanticSpace:
    """Embedding learned on the base model (ConceptEvo, steps 1 and 2.1).

    ``image_ids``: the pool; ``base_vectors``: float32 [base neurons, dim], from the skip-gram, NaN rows for
    neurons without stimuli; ``image_vectors``: float32 [images, dim]; ``covered``: bool [images], a stimulus of
    a placed base neuron;
    ``indirect``: bool [images], placed through shared responsive neurons. An image that is neither has the
    vector that the protocol leaves it with (random start or NaN);
    ``likelihood``: float32 [epochs recorded], held-out pair log-likelihood (or NaN where not measured);
    ``residual``: root of the mean squared distance between base neurons and the mean of their stimuli's vectors.
    """

    image_ids: tuple[str, ...]
    base_vectors: Floats
    image_vectors: Floats
    covered: Bools
    indirect: Bools
    likelihood: Floats
    residual: float


@dataclass(frozen=True)
class Projection:
    """Neurons of one model at one epoch, placed in the space (ConceptEvo, step 2.2).

    ``vectors``: float32 [neurons, dim], NaN rows for unplaced neurons; ``coverage``: float32 [neurons], share
    of a neuron's stimuli that the base covers; ``placed``: bool [neurons].
    """

    vectors: Floats
    coverage: Floats
    placed: Bools
