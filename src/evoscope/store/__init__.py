"""Content-addressed artefacts: computed once, checked before use, resumable, shared between processes."""

from evoscope.store.hashing import JSON, canonical
from evoscope.store.node import Build, Estimate, Event, Node, Stage, in_order
from evoscope.store.source import module_digest, source_digest
from evoscope.store.stage import STAGES, Artefact, Machine, Runtime, folder_stage, stage
from evoscope.store.store import PlanRow, Stale, Store
from evoscope.store.upkeep import Entry, Finding, Removal, entries, prune, verify

__all__ = [
    "JSON",
    "STAGES",
    "Artefact",
    "Build",
    "Entry",
    "Estimate",
    "Event",
    "Finding",
    "Machine",
    "Node",
    "PlanRow",
    "Removal",
    "Runtime",
    "Stage",
    "Stale",
    "Store",
    "canonical",
    "entries",
    "folder_stage",
    "in_order",
    "module_digest",
    "prune",
    "source_digest",
    "stage",
    "verify",
]
