"""Directions by every method, and how many unique concepts each of them holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evoscope.data.images import ConceptTable, ImageSet
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.methods import METHODS, Decomposition
from evoscope.discovery.protocol import DiscoveryProtocol, Signs
from evoscope.discovery.refine import refine
from evoscope.errors import EvoscopeError
from evoscope.models.zoo import find_function
from evoscope.seeds import generator
from evoscope.store import Runtime, module_digest, stage
from experiments.stages.concepts import LayerSpace

OWN = ":"
"""In the name of a method of the user's own: ``package.module:function``."""
# Those that the published table compares; under the protocols that are not the job's own, only they.
PUBLISHED = ("svd", "neurons")
FITTED = 2000
"""Images that the slowest methods are fitted on, drawn from all."""


@dataclass(frozen=True)
class MethodConcepts:
    """What the methods find in a layer.

    ``bases``: one per method, under the job's own protocol, their ``method`` as in `METHODS`; ``counts``: one row per
    protocol, method and direction, the strongest first: ``protocol``, ``method``, ``direction`` (index in the
    basis), ``formed``, ``surviving`` (clusters before and after pruning).
    """

    bases: tuple[ConceptBasis, ...]
    counts: pd.DataFrame


@dataclass(frozen=True)
class NamedMethod:
    """A method by name; ``code``: digest of its source where it is the user's own, so that a changed one is another."""

    name: str
    code: str

    @classmethod
    def of(cls, name: str) -> "NamedMethod":
        """The method that a configuration names.

        Raises
        ------
        EvoscopeError : there is no such method, or it cannot be imported.
        """
        if OWN in name:
            own_method(name)
            return cls(name, module_digest(name.partition(OWN)[0]))
        if name not in METHODS:
            raise EvoscopeError(
                f"discovery.methods cannot be {name!r}",
                f"choose among {', '.join(METHODS)}, or give package.module:name",
            )
        return cls(name, "")


@stage(version=2)
def concept_methods(
    space: LayerSpace,
    protocols: Mapping[str, DiscoveryProtocol],
    methods: Sequence[NamedMethod],
    images: ImageSet,
    seed: int,
    runtime: Runtime,
) -> MethodConcepts:
    """The directions of a space by ``methods``, and their unique concepts under ``protocols``, the job's own first."""
    features, own = space.pool().rows("features"), next(iter(protocols))
    some = features[np.sort(generator(seed, "fitted").permutation(len(features))[:FITTED])]
    bases: list[ConceptBasis] = []
    counts = []
    for name, protocol in protocols.items():
        for method in [each.name for each in methods] if name == own else PUBLISHED:
            fit = decomposition(method, images.concepts, protocol.signs)
            found_on = some if method in METHODS and METHODS[method].few else features
            basis = replace(fit.fit(found_on, seed, space.layer), method=method)
            bases += [basis] if name == own else []
            found = refine(
                features, basis.directions, protocol.refine, layer=space.layer, seed=seed, progress=runtime.progress
            )
            order = np.argsort(-basis.strengths, kind="stable")
            rows = {"direction": order, "formed": found.formed[order], "surviving": found.surviving[order]}
            counts.append(pd.DataFrame({"protocol": name, "method": method, **rows}))
    return MethodConcepts(tuple(bases), pd.concat(counts, ignore_index=True))


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


def decomposition(name: str, truth: ConceptTable | None, signs: Signs = "canonical") -> Decomposition:
    """The method of that name; ``truth``: what the images show, where it is known."""
    return own_method(name) if OWN in name else METHODS[name].make(truth, signs)
