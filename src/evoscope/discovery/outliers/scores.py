"""Every outlier score of the same samples, side by side."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evoscope.arrays import Doubles
from evoscope.discovery.baselines import Neurons
from evoscope.discovery.basis import ConceptBasis, svd_basis
from evoscope.discovery.latent import LayerLatents, Outcomes
from evoscope.discovery.outliers.baselines import NEIGHBOURS, knn_distance, mahalanobis, uncertainty
from evoscope.discovery.outliers.concepts import CONCEPTS, concept_absence, concept_deviation
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.ranking import rank_layer
from evoscope.seeds import generator

CONCEPT_SCORES = ("svd_deviation", "svd_absence", "neurons_deviation", "neurons_absence")
RIVALS = ("loss", "uncertainty")
SCORES = (*CONCEPT_SCORES, *RIVALS, "mahalanobis", "knn", "random")


@dataclass(frozen=True)
class ScoreOptions:
    """``concepts``: of each class that are looked at; ``neighbours``: of `knn_distance`."""

    concepts: int = CONCEPTS
    neighbours: int = NEIGHBOURS


def outlier_scores(
    layer: LayerLatents, outcomes: Outcomes, protocol: DiscoveryProtocol, options: ScoreOptions, seed: int
) -> pd.DataFrame:
    """Score samples in every way of `SCORES`, a column each; larger means more of an outlier.

    Parameters
    ----------
    layer : its features and the protocol's evidence must have been kept.
    outcomes : of the same samples.
    seed : of the random score, which is what chance gives.

    Raises
    ------
    EvoscopeError : features or evidence were not kept, or are no numbers.
    """
    features, labels = layer.rows("features"), outcomes.labels
    name = layer.moments.layer
    bases = {
        "svd": svd_basis(layer.moments, centred=protocol.centred, signs=protocol.signs, side=protocol.side),
        "neurons": Neurons().fit(features, seed, name),
    }
    columns: dict[str, Doubles] = {}
    for method, basis in bases.items():
        found = _of_basis(layer, outcomes, basis, protocol, options.concepts)
        columns.update({f"{method}_{name}": values for name, values in found.items()})
    columns |= {
        "loss": outcomes.loss,
        "uncertainty": uncertainty(outcomes),
        "mahalanobis": mahalanobis(features, labels),
        "knn": knn_distance(features, labels, options.neighbours),
        "random": generator(seed, "random outlier score").random(len(labels)),
    }
    return pd.DataFrame({name: columns[name] for name in SCORES})


def _of_basis(
    layer: LayerLatents, outcomes: Outcomes, basis: ConceptBasis, protocol: DiscoveryProtocol, concepts: int
) -> dict[str, Doubles]:
    ranking = rank_layer(layer, outcomes, basis, protocol.evidence, protocol.candidates)
    along = np.asarray(layer.rows("features"), dtype=np.float64) @ basis.scored.T
    return {
        "deviation": concept_deviation(along, outcomes.labels, ranking, concepts),
        "absence": concept_absence(along, outcomes.labels, ranking, concepts),
    }
