"""Content-addressed artefacts: computed once, checked before use, resumable, shared between processes."""

from evoscope.store.hashing import JSON, canonical
from evoscope.store.node import Build, Estimate, Event, Node, Stage, in_order
from evoscope.store.source import check_versions, read_lock, source_digest, write_lock
from evoscope.store.store import PlanRow, Store
from evoscope.store.upkeep import Entry, Finding, Removal, entries, prune, verify

__all__ = [
    "JSON",
    "Build",
    "Entry",
    "Estimate",
    "Event",
    "Finding",
    "Node",
    "PlanRow",
    "Removal",
    "Stage",
    "Store",
    "canonical",
    "check_versions",
    "entries",
    "in_order",
    "prune",
    "read_lock",
    "source_digest",
    "verify",
    "write_lock",
]
