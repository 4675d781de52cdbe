"""Concepts in a layer's latent space, and whether they are what they claim to be (CDISCO).

``latent`` passes over images and ``discover`` leads from there to the concepts of every class. ``gram`` sums up,
``basis`` decomposes, ``ranking`` finds the directions of a class, ``refine`` splits them into unique concepts,
``maps`` shows where they are. ``uniqueness``, ``popularity`` and ``alignment`` describe them; ``baselines`` finds
directions by other methods; ``relevance``, ``truth`` and ``outliers`` test them. ``protocol`` names the choices.
"""

from evoscope.discovery.basis import ConceptBasis, Moments, svd_basis
from evoscope.discovery.latent import Latents, LayerLatents, Outcomes, latent_pass, scan_latents
from evoscope.discovery.protocol import DiscoveryProtocol, RefineRule, as_released, corrected
from evoscope.discovery.ranking import ClassRanking, Discovery, class_concepts, discover, rank_layer
from evoscope.discovery.refine import UniqueConcepts, refine

__all__ = [
    "ClassRanking",
    "ConceptBasis",
    "Discovery",
    "DiscoveryProtocol",
    "Latents",
    "LayerLatents",
    "Moments",
    "Outcomes",
    "RefineRule",
    "UniqueConcepts",
    "as_released",
    "class_concepts",
    "corrected",
    "discover",
    "latent_pass",
    "rank_layer",
    "refine",
    "scan_latents",
    "svd_basis",
]
