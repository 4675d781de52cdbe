"""The unified space in the browser: one folder that opens from disk."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from evoscope.errors import EvoscopeError
from evoscope.figure_data import NeuronMap
from evoscope.store import Artefact
from experiments.base import base_space
from experiments.concept_discovery import placed_concepts
from experiments.context import Context
from experiments.evolution_importance import judged_classes
from experiments.reporting import say, size
from experiments.runner import Plan
from experiments.selection import judged_runs
from experiments.stages.concept_places import ConceptPlaces
from experiments.stages.explorer import TABLE, Judged, Shown, Site, explorer_data
from experiments.stages.space import neuron_map
from experiments.stages.stimuli import Look
from experiments.unified_space import looks_of
from results.explorer import finding, write_site

FOLDER = "explorer"
T = TypeVar("T")


def plan(context: Context) -> Plan:
    """The page's data from the looks of the unified space; the page itself is written beside them."""
    semantic = base_space(context)
    looks = looks_of(context, semantic)
    places = neuron_map(semantic, looks, context.map_method, context.config.seed)
    asked, judged, vectors = context.config.explorer, list[Judged](), list[Artefact[ConceptPlaces]]()
    for run in judged_runs(context.runs):
        judged += _known(asked.importance, judged_classes, context, run, asked.importance)
        where = asked.concepts, semantic, places, looks[0]
        vectors += _known(asked.concepts, placed_concepts, context, run, *where)
    data = site_data(context, places, looks, vectors, judged)
    return Plan({"explorer": data}, (), after=lambda: hand_out(context, data), found=lambda: told(context, data))


def site_data(
    context: Context,
    places: Artefact[NeuronMap],
    looks: Sequence[Look],
    vectors: Sequence[Artefact[ConceptPlaces]],
    judged: Sequence[Judged],
) -> Artefact[Site]:
    """The data of the page for some looks at their places on the map, with concept vectors and judged classes."""
    title = f"{context.data.pool.name}: {len({look.run for look in looks})} networks"
    return explorer_data(places, looks, context.data.pool, vectors, judged, title, Shown())


def _known(asked: bool | None, find: Callable[..., list[T]], *arguments: object) -> list[T]:
    """What is found; nothing where there can be none and it was not asked for."""
    try:
        return find(*arguments)
    except EvoscopeError:
        if asked:
            raise
        return []


def told(context: Context, data: Artefact[Site]) -> str:
    """What the page shows, in a sentence."""
    return finding(pd.read_parquet(Site(context.get(data)).folder / TABLE))


def hand_out(context: Context, data: Artefact[Site]) -> list[Path]:
    """Write the page and its data below the job's folder; the page's path."""
    page = write_site(context.folder / FOLDER, Site(context.get(data)).files)
    total = sum(path.stat().st_size for path in page.parent.iterdir())
    say(f"explorer, {size(total)}; open it in a browser, it needs no server: {page}")
    return [page]
