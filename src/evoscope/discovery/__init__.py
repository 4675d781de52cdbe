"""Concepts in a layer's latent space, and whether they are what they claim to be (CDISCO).

``latent`` passes over the images, with ``gradients``; ``basis`` sums up and decomposes a layer; ``ranking`` leads to
the directions of every class; ``refine`` splits them into unique concepts. ``methods`` finds directions in other ways;
``relevance``, ``truth`` and ``outliers`` with ``outlier_judging`` test them; ``following`` and ``virtual_neurons``
follow them over training. ``protocol`` names the choices.
"""

from evoscope.discovery.basis import ConceptBasis, Moments, svd_basis
from evoscope.discovery.latent import Latents, LayerLatents, Outcomes, latent_pass, scan_latents
from evoscope.discovery.protocol import DiscoveryProtocol, RefineRule
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
    "class_concepts",
    "discover",
    "latent_pass",
    "rank_layer",
    "refine",
    "scan_latents",
    "svd_basis",
]
