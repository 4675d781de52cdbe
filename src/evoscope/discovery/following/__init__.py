"""Concept vectors followed over training through the unified semantic space.

At each epoch a layer's directions are virtual neurons: the images that project most on them are their stimuli
(``virtual``), which place them in ConceptEvo's space as stimuli place neurons. ``follow`` matches the directions of
the last epoch with those of every other one (``matching``), against what chance gives (``chance``) and what another
draw of the images would change (``resampling``), and tells when each appears and settles (``timing``); ``describing``
puts it into tables.
"""

from evoscope.discovery.following.follow import Following, Snapshot, follow
from evoscope.discovery.following.timing import NEVER, share_since
from evoscope.discovery.following.virtual import Virtual, on_the_map, placer

__all__ = ["NEVER", "Following", "Snapshot", "Virtual", "follow", "on_the_map", "placer", "share_since"]
