"""Concepts in a layer's latent space, and whether they are what they claim to be (CDISCO).

``latent`` passes over the images, with ``gradients``; ``basis`` sums up and decomposes a layer; ``ranking`` leads to
the directions of every class; ``refine`` splits them into unique concepts. ``methods`` finds directions in other ways;
``relevance``, ``truth`` and ``outliers`` with ``outlier_judging`` test them; ``following`` and ``virtual_neurons``
follow them over training. ``protocol`` names the choices.
"""

from evoscope.discovery.protocol import DiscoveryProtocol, RefineRule

__all__ = ["DiscoveryProtocol", "RefineRule"]
