"""Concept directions by other methods: neurons, rotations, k-means, ICA, NMF, linear probes, SVD and PCA."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from evoscope.arrays import Array, Doubles, canonical, unit_rows
from evoscope.data.images import ConceptTable
from evoscope.discovery.basis import ConceptBasis, Moments, blocks, check_finite, svd_basis
from evoscope.discovery.protocol import Signs
from evoscope.errors import EvoscopeError
from evoscope.seeds import derive, generator

_ROUNDING = 1e-12


class Decomposition(Protocol):
    """Finds directions in features."""

    @property
    def name(self) -> str:
        """What tables call the method."""
        ...

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Find unit directions.

        Parameters
        ----------
        features : [images, d], phi.
        seed : of whatever is random; the same seed gives the same directions.
        layer : for the record.

        Raises
        ------
        EvoscopeError : features are NaN, infinite, or leave nothing to find.
        """
        ...


def as_basis(
    method: str, layer: str, directions: Array, features: Array, *, centred: bool, names: tuple[str, ...] = ()
) -> ConceptBasis:
    """Put directions [r, d] into a basis, at unit length, with their strengths on the features."""
    centre = mean_of(features) if centred else np.zeros(features.shape[1])
    rows = unit_rows(directions)
    return ConceptBasis(layer, method, rows, strengths(features, rows, centre), centred, centre, names=names)


def strengths(features: Array, directions: Doubles, centre: Doubles) -> Doubles:
    """Length of the projections of all images on each direction, float64 [r]."""
    squares = np.zeros(len(directions))
    for rows in blocks(len(features)):
        squares += (((features[rows] - centre) @ directions.T) ** 2).sum(axis=0)
    return np.sqrt(squares)


def mean_of(features: Array) -> Doubles:
    """Mean over the images in float64, [d]."""
    return np.asarray(features.mean(axis=0, dtype=np.float64))


def components_within(features: Array, components: int | None, layer: str, method: str) -> int:
    """How many components the centred features allow, at most as many as asked for.

    Raises
    ------
    EvoscopeError : the features are NaN, infinite, or the same for all images.
    """
    check_finite(features, layer)
    # The dimensions in which the features vary by more than rounding.
    mean, scatter = mean_of(features), np.zeros((features.shape[1],) * 2)
    for rows in blocks(len(features)):
        centred = features[rows] - mean
        scatter += centred.T @ centred
    values = np.linalg.eigvalsh(scatter)
    rounding = _ROUNDING**2 * len(features) * float(mean @ mean)
    rank = int((values > max(_ROUNDING * values.max(), rounding)).sum())
    if rank == 0:
        raise EvoscopeError(
            f"the features of layer {layer!r} are the same for all images, so {method} finds nothing",
            "choose another layer or epoch",
        )
    return min(rank, components or rank)


@dataclass(frozen=True)
class Neurons:
    """The axes: one direction per channel, in their order."""

    name: str = "neurons"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Give the identity."""
        check_finite(features, layer)
        width = features.shape[1]
        names = tuple(f"{layer}#{channel}" for channel in range(width))
        return as_basis(self.name, layer, np.eye(width), features, centred=False, names=names)


@dataclass(frozen=True)
class RandomRotation:
    """Orthonormal directions, uniform among all rotations: what any complete basis gives by chance."""

    name: str = "random"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Draw Q of a Gaussian matrix, with the signs that make it uniform (Mezzadri 2007)."""
        check_finite(features, layer)
        drawn = generator(seed, "random rotation").standard_normal((features.shape[1],) * 2)
        q, r = np.linalg.qr(drawn)
        return as_basis(self.name, layer, (q * np.sign(np.diag(r))).T, features, centred=False)


def rotation(width: int, seed: int) -> Doubles:
    """A rotation, uniform among all, float64 [width, width]."""
    return RandomRotation().fit(np.zeros((1, width)), seed).directions


STARTS = 5


@dataclass(frozen=True)
class KMeansCentres:
    """Centres of k-means, seen from the mean of all images.

    ``components``: how many, as many as the features have dimensions unless given, and at least two: the only
    centre of one cluster is the mean.
    """

    components: int | None = None
    name: str = "kmeans"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Cluster the images."""
        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning

        count = max(2, components_within(features, self.components, layer, self.name))
        model = KMeans(count, n_init=STARTS, random_state=derive(seed, KMeansCentres.name) % 2**32)
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            centres = model.fit(np.asarray(features, dtype=np.float64)).cluster_centers_
        return as_basis(self.name, layer, centres - mean_of(features), features, centred=True)


ITERATIONS = 400


@dataclass(frozen=True)
class Independent:
    """Rows of the unmixing matrix: coordinates along them are the sources.

    ``components``: how many, as many as the features allow unless given.
    """

    components: int | None = None
    name: str = "ica"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Whiten, then rotate."""
        from sklearn.decomposition import FastICA
        from sklearn.exceptions import ConvergenceWarning

        count = components_within(features, self.components, layer, self.name)
        state = derive(seed, "ica") % 2**32
        model = FastICA(count, whiten="unit-variance", random_state=state, max_iter=ITERATIONS)
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            # Dimensions that the features do not have are divided by zero, and then left out.
            warnings.simplefilter("ignore", RuntimeWarning)
            model.fit(features.astype("float64"))
        return as_basis(self.name, layer, canonical(model.components_), features, centred=True)


@dataclass(frozen=True)
class NonNegative:
    """Rows of H in Phi = W H. ``components``: how many, as many as the features allow unless given.

    Where features are negative (layers that are not rectified), positive and negative parts are factorised side
    by side, and a direction is the difference of its two halves.
    """

    components: int | None = None
    name: str = "nmf"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Factorise by coordinate descent."""
        from sklearn.decomposition import NMF
        from sklearn.exceptions import ConvergenceWarning

        count = components_within(features, self.components, layer, self.name)
        exact = np.asarray(features, dtype=np.float64)
        signed = bool((exact < 0).any())
        parts = np.hstack([np.maximum(exact, 0), np.maximum(-exact, 0)]) if signed else exact
        state = derive(seed, "nmf") % 2**32
        model = NMF(count, init="nndsvdar", random_state=state, max_iter=ITERATIONS)
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            found = model.fit(parts).components_
        width = exact.shape[1]
        rows = found[:, :width] - found[:, width:] if signed else found
        return as_basis(self.name, layer, rows, exact, centred=False)


PROBE_ITERATIONS = 1000
PROBE_STRENGTH = 0.1
"""Inverse of the penalty, on standardised features."""


@dataclass(frozen=True)
class LinearProbes:
    """Normals of logistic regressions, one per concept that some but not all images show.

    ``truth``: which concepts the images to be fitted show.
    """

    truth: ConceptTable
    name: str = "probes"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Fit one concept after another; nothing is random."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        components_within(features, None, layer, self.name)
        shown = self.truth.present.mean(axis=0)
        usable = np.flatnonzero((shown > 0) & (shown < 1))
        if len(usable) == 0:
            raise EvoscopeError("no concept is shown by some but not all images", "give more images")
        scaler = StandardScaler().fit(np.asarray(features, dtype=np.float64))
        standard, normals = scaler.transform(np.asarray(features, dtype=np.float64)), []
        for concept in usable:
            model = LogisticRegression(C=PROBE_STRENGTH, class_weight="balanced", max_iter=PROBE_ITERATIONS)
            normals.append(model.fit(standard, self.truth.present[:, concept]).coef_[0])
        names = tuple(self.truth.names[concept] for concept in usable)
        return as_basis(self.name, layer, np.array(normals) / scaler.scale_, features, centred=True, names=names)


@dataclass(frozen=True)
class Singular:
    """Right singular vectors of the features as they are (CDISCO, step 2), or from their mean: principal components.

    ``components``: how many, all d unless given; ``signs``: see `DiscoveryProtocol`.
    """

    components: int | None = None
    signs: Signs = "canonical"
    name: str = "svd"
    centred: bool = False

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Decompose the Gram matrix of the features, or their covariance."""
        rank = self.components and min(self.components, features.shape[1])
        one_class = np.zeros(len(features), dtype=np.int64)
        moments = Moments.of(layer, features, one_class, one_class, 1)
        return svd_basis(moments, centred=self.centred, signs=self.signs, rank=rank, features=features)


@dataclass(frozen=True)
class Method:
    """A way to find directions, by the name that configurations and tables have for it.

    ``title``: in words; ``make``: makes it, given what the images show and the protocol's signs; ``few``: whether its
    costs grow so fast that it is fitted on a draw of the images; ``needs_truth``: whether it needs to know what the
    images show; ``place``: in figures, those of equal place in the order of `METHODS`.
    """

    title: str
    make: Callable[[ConceptTable | None, Signs], Decomposition]
    few: bool = False
    needs_truth: bool = False
    place: int = 9


COMPONENTS = 64
"""Directions of the methods whose cost grows with their number: NMF, ICA, k-means."""
METHODS = {
    "svd": Method("SVD", lambda truth, signs: Singular(signs=signs), place=0),
    "neurons": Method("neurons", lambda truth, signs: Neurons(), place=2),
    "rotation": Method("random rotation", lambda truth, signs: RandomRotation(), place=3),
    "pca": Method("centred PCA", lambda truth, signs: Singular(name="pca", centred=True), place=1),
    "nmf": Method("NMF", lambda truth, signs: NonNegative(COMPONENTS), few=True),
    "ica": Method("ICA", lambda truth, signs: Independent(COMPONENTS)),
    "kmeans": Method("k-means", lambda truth, signs: KMeansCentres(COMPONENTS), few=True),
    "sae": Method("sparse autoencoder", lambda truth, signs: _autoencoder(), few=True),
    "probes": Method("probes (labels)", lambda truth, signs: _probes(truth), needs_truth=True),
}
"""Built-in methods, in the order in which a job fits them."""


def _autoencoder() -> Decomposition:
    from evoscope.discovery.dictionaries import SparseAutoencoder

    return SparseAutoencoder()


def _probes(truth: ConceptTable | None) -> LinearProbes:
    if truth is None:
        raise EvoscopeError("probes need images whose concepts are known", "leave probes out of discovery.methods")
    return LinearProbes(truth)
