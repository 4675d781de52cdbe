"""Stage ``concept_methods``: directions by every method, and how many unique concepts each of them holds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.artefacts import load, save
from evoscope.data.images import ConceptTable
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.methods import (
    CentredPCA,
    Decomposition,
    Independent,
    KMeansCentres,
    LinearProbes,
    Neurons,
    NonNegative,
    RandomRotation,
    Singular,
)
from evoscope.discovery.protocol import DiscoveryProtocol, Signs
from evoscope.discovery.refine import refine
from evoscope.errors import EvoscopeError
from evoscope.models.zoo import find_function
from evoscope.progress import Progress
from evoscope.seeds import generator
from evoscope.store import JSON, Node, Stage, source_digest
from experiments.checks import one_of
from experiments.context import Context
from experiments.stages.concept_spaces import Space, read_space
from experiments.stages.latents import concept_images

STAGE = Stage(
    "concept_methods",
    version=1,
    modules=(
        "evoscope.discovery.methods",
        "evoscope.discovery.basis",
        "evoscope.discovery.refine",
        "experiments.stages.concept_methods",
    ),
)
METHODS = ("svd", "pca", "neurons", "rotation", "nmf", "ica", "kmeans", "probes")
OWN = ":"
"""In the name of a method of the user's own: ``package.module:function``."""
# Those that the published table compares; under the protocols that are not the job's own, only they.
PUBLISHED = ("svd", "neurons")
COMPONENTS = 64
"""Directions of the methods whose cost grows with their number: NMF, ICA, k-means."""
FEWER = ("nmf", "kmeans")
FITTED = 2000
"""Images that the slowest of them are fitted on, drawn from all."""


@dataclass(frozen=True)
class MethodConcepts:
    """What the methods find in a layer.

    ``bases``: one per method, under the job's own protocol, their ``method`` as in `METHODS`; ``counts``: one row per
    protocol, method and direction, the strongest first: ``protocol``, ``method``, ``direction`` (index in the
    basis), ``formed``, ``surviving`` (clusters before and after pruning).
    """

    bases: tuple[ConceptBasis, ...]
    counts: pd.DataFrame


def concept_methods(
    context: Context, space: Space, protocols: Mapping[str, DiscoveryProtocol], methods: Sequence[str]
) -> Node:
    """Node of the directions of a space by ``methods`` and of their unique concepts under ``protocols``."""
    seed, images = context.config.seed, concept_images(context)
    labelled = {"concepts": images.fingerprint} if "probes" in methods else {}

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        _, layer = read_space(space, inputs["latents"])
        features, own = layer.rows("features"), next(iter(protocols))
        some = features[np.sort(generator(seed, "fitted").permutation(len(features))[:FITTED])]
        bases: list[ConceptBasis] = []
        counts = []
        for name, protocol in protocols.items():
            for method in methods if name == own else PUBLISHED:
                fit = decomposition(method, images.concepts, protocol.signs)
                found_on = some if method in FEWER else features
                basis = replace(fit.fit(found_on, seed, space.layer), method=method)
                bases += [basis] if name == own else []
                found = refine(
                    features,
                    basis.directions,
                    protocol.refine,
                    layer=space.layer,
                    seed=seed,
                    progress=progress,
                )
                order = np.argsort(-basis.strengths, kind="stable")
                rows = {
                    "direction": order,
                    "formed": found.formed[order],
                    "surviving": found.surviving[order],
                }
                counts.append(pd.DataFrame({"protocol": name, "method": method, **rows}))
        save(MethodConcepts(tuple(bases), pd.concat(counts, ignore_index=True)), folder)

    return Node(
        STAGE,
        config={
            "protocols": {
                name: {"refine": asdict(each.refine), "signs": each.signs} for name, each in protocols.items()
            },
            "own": next(iter(protocols)),
            "methods": list(methods),
            "components": COMPONENTS,
            "fitted": FITTED,
            **method_sources(methods),
        },
        inputs={"latents": space.node},
        build=compute,
        seed=seed,
        data=labelled,
        label=f"directions of {space.run.name}, epoch {space.epoch}, by {len(methods)} methods",
    )


def method_sources(methods: Sequence[str]) -> dict[str, JSON]:
    """Digests of the users' own methods: a changed one is another artefact. Nothing where there are none."""
    digests: dict[str, JSON] = {
        name: source_digest([name.partition(OWN)[0]]) for name in methods if OWN in name
    }
    return {"sources": digests} if digests else {}


def check_method(method: str) -> None:
    """Refuse what is neither one of `METHODS` nor a method of the user's own.

    Raises
    ------
    EvoscopeError : there is no such method, or it cannot be imported.
    """
    if OWN in method:
        own_method(method)
    else:
        one_of("discovery.methods", method, METHODS)


def own_method(name: str) -> Decomposition:
    """What the function or class at ``package.module:name`` makes.

    Raises
    ------
    EvoscopeError : it cannot be imported or has no ``fit``.
    """
    made = find_function(name, "discovery.methods")()
    if not callable(getattr(made, "fit", None)):
        raise EvoscopeError(
            f"{name!r} made a {type(made).__name__}, which has no fit()",
            "let it make an evoscope.discovery.methods.Decomposition",
        )
    method: Decomposition = made
    return method


def decomposition(method: str, truth: ConceptTable | None, signs: Signs = "canonical") -> Decomposition:
    """The method of that name, see `METHODS` and `own_method`; ``truth``: what the images show, for the probes."""
    if OWN in method:
        return own_method(method)
    if method == "probes":
        assert truth is not None
        return LinearProbes(truth)
    known: dict[str, Decomposition] = {
        "svd": Singular(signs=signs),
        "pca": CentredPCA(),
        "neurons": Neurons(),
        "rotation": RandomRotation(),
        "nmf": NonNegative(COMPONENTS),
        "ica": Independent(COMPONENTS),
        "kmeans": KMeansCentres(COMPONENTS),
    }
    return known[method]


def method_concepts(folder: Path) -> MethodConcepts:
    """Read back what a ``concept_methods`` node left."""
    return load(MethodConcepts, folder)
