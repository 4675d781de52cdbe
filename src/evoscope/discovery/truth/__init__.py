"""How directions fare where the concepts are known: recovery, distinctness, localisation."""

from evoscope.discovery.truth.distinctness import Distinctness, distinctness
from evoscope.discovery.truth.localisation import localisation_by_concept, localise
from evoscope.discovery.truth.recovery import Recovery, recovery

__all__ = ["Distinctness", "Recovery", "distinctness", "localisation_by_concept", "localise", "recovery"]
