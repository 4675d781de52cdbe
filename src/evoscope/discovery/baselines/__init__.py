"""Ways to find directions in a layer's features, behind one protocol, to compare with the published one."""

from evoscope.discovery.baselines.axes import Neurons, RandomRotation
from evoscope.discovery.baselines.centres import KMeansCentres
from evoscope.discovery.baselines.decomposition import Decomposition
from evoscope.discovery.baselines.independent import Independent
from evoscope.discovery.baselines.nonnegative import NonNegative
from evoscope.discovery.baselines.probes import LinearProbes
from evoscope.discovery.baselines.singular import CentredPCA, Singular

__all__ = [
    "CentredPCA",
    "Decomposition",
    "Independent",
    "KMeansCentres",
    "LinearProbes",
    "Neurons",
    "NonNegative",
    "RandomRotation",
    "Singular",
]
