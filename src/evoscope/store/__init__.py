"""Content-addressed artefacts: computed once, checked before use, resumable, shared between processes."""

from evoscope.store.node import Estimate, Event, Node, Stage
from evoscope.store.source import module_digest
from evoscope.store.stage import STAGES, Artefact, Machine, Runtime, folder_stage, stage
from evoscope.store.store import PlanRow, Store
from evoscope.store.upkeep import entries, prune, verify

__all__ = [
    "STAGES",
    "Artefact",
    "Estimate",
    "Event",
    "Machine",
    "Node",
    "PlanRow",
    "Runtime",
    "Stage",
    "Store",
    "entries",
    "folder_stage",
    "module_digest",
    "prune",
    "stage",
    "verify",
]
