"""The semantic space as an artefact, and the choices behind it (named sets of them are in ``conf/protocol``)."""

from dataclasses import dataclass
from typing import Literal

from evoscope.arrays import Bools, Floats
from evoscope.errors import EvoscopeError, check_choices

Stop = Literal["settled", "gradient", "none"]
Solver = Literal["least_squares", "gauss_seidel", "batch_descent"]
Indirect = Literal["none", "characters", "shared_neurons"]
Averaging = Literal["all", "covered_first"]
Unplaced = Literal["ordinary", "exclude"]
ResponsiveRule = Literal["none", "raw", "standardised"]


@dataclass(frozen=True)
class SpaceProtocol:
    """How stimuli become a semantic space and projections (ConceptEvo, steps 1.1 to 2.2).

    ``k``: stimuli per neuron that count, the most exciting first; ``dim``: of the space;
    ``negatives``: random neurons per endpoint of a pair;
    ``skipgram_lr``, ``skipgram_epochs``: step size and largest number of epochs; ``skipgram_stop``:
    ``settled`` when the likelihood of held-out pairs has stopped improving by the relative amount
    ``skipgram_threshold``, ``gradient`` when the summed squared gradient of an epoch is at most
    ``skipgram_threshold``, or ``none``; ``image_solver``: ``least_squares`` (with ``image_ridge`` times the
    rows' mean squared norm, around the mean of the neurons that an image excites; 0 is the exact solution
    of smallest norm, 1 was chosen on drawn scenes with their labels in view; the rest of this line is
    ignored), ``gauss_seidel`` (HEAD) or ``batch_descent`` (v1),
    with step ``image_lr``, at most ``image_sweeps`` sweeps, until the error is below ``image_threshold``:
    sqrt(mean ||.||^2) for ``gauss_seidel``, sum ||.||^2 / 2N for ``batch_descent``; ``indirect``: how
    images that excite no base neuron are placed: not at all, paired by shared characters of neuron names
    (the released defect), or by shared responsive neurons, of which each gives at most ``pairs_per_neuron``
    pairs an epoch; ``indirect_lr``, ``indirect_epochs``, ``indirect_negatives``, ``indirect_threshold``
    (summed squared gradient): of that; ``projection``: mean over ``all`` stimuli, or ``covered_first``:
    over the covered ones, with the indirect ones only where less than ``min_coverage`` of the stimuli are
    covered; ``unplaced``: whether dead, constant and non-finite neurons are ``ordinary`` or excluded;
    ``responsive``, ``responsive_rule``: how many neurons an image is tied to, by ``raw`` maxima or by
    maxima ``standardised`` per neuron: what the activation pass is to be asked for.
    """

    k: int = 20
    dim: int = 30
    negatives: int = 3
    skipgram_lr: float = 0.05
    skipgram_epochs: int = 1000
    skipgram_stop: Stop = "settled"
    skipgram_threshold: float = 1e-3
    image_solver: Solver = "least_squares"
    image_lr: float = 0.1
    image_threshold: float = 0.01
    image_sweeps: int = 10_000
    image_ridge: float = 1.0
    indirect: Indirect = "shared_neurons"
    indirect_lr: float = 0.1
    indirect_epochs: int = 20
    indirect_negatives: int = 2
    indirect_threshold: float = 0.01
    pairs_per_neuron: int = 500
    projection: Averaging = "covered_first"
    min_coverage: float = 0.25
    unplaced: Unplaced = "exclude"
    responsive: int = 20
    responsive_rule: ResponsiveRule = "standardised"

    def __post_init__(self) -> None:
        """Refuse values without a meaning and pairs of options that contradict each other."""
        check_choices(self, "the space protocol")
        counts = ("k", "dim", "negatives", "skipgram_epochs", "image_sweeps", "indirect_epochs")
        for name in (*counts, "skipgram_lr", "image_lr", "indirect_lr"):
            value = getattr(self, name)
            if not value > 0:
                wanted = "a whole number of at least 1" if name in counts else "a number above 0"
                raise EvoscopeError(f"{name}={value} in the space protocol", f"give {wanted}")
        if self.image_ridge < 0:
            raise EvoscopeError(f"image_ridge={self.image_ridge} in the space protocol", "give 0 or more")
        if self.indirect != "none" and (self.responsive_rule == "none" or self.responsive < 1):
            raise EvoscopeError(
                f"the space protocol asks for indirect={self.indirect!r} without responsive neurons",
                "set responsive_rule to 'raw' or 'standardised' and responsive to 1 or more, or indirect='none'",
            )


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
