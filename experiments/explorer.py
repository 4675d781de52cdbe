"""The unified space in the browser: one folder that opens from disk."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from evoscope.figure_data import NeuronMap
from evoscope.store import Artefact
from experiments.base import base_space
from experiments.context import Context
from experiments.reporting import say, size
from experiments.runner import Plan
from experiments.stages.explorer import TABLE, Shown, Site, explorer_data
from experiments.stages.space import neuron_map
from experiments.stages.stimuli import Look
from experiments.unified_space import looks_of
from results.explorer import finding, write_site

FOLDER = "explorer"


def plan(context: Context) -> Plan:
    """The page's data from the looks of the unified space; the page itself is written beside them."""
    semantic = base_space(context)
    looks = looks_of(context, semantic)
    places = neuron_map(semantic, looks, context.map_method, context.config.seed)
    data = site_data(context, places, looks)
    return Plan(
        {"explorer": data}, (), after=lambda: hand_out(context, data), found=lambda: told(context, data)
    )


def site_data(context: Context, places: Artefact[NeuronMap], looks: Sequence[Look]) -> Artefact[Site]:
    """The data of the page for some looks at their places on the map."""
    pool = context.data.pool
    title = f"{pool.name}: {len({look.run for look in looks})} networks"
    return explorer_data(places, looks, pool, title, Shown())


def told(context: Context, data: Artefact[Site]) -> str:
    """What the page shows, in a sentence."""
    return finding(pd.read_parquet(Site(context.get(data)).folder / TABLE))


def hand_out(context: Context, data: Artefact[Site]) -> list[Path]:
    """Write the page and its data below the job's folder; the page's path."""
    page = write_site(context.folder / FOLDER, Site(context.get(data)).files)
    total = sum(path.stat().st_size for path in page.parent.iterdir())
    say(f"explorer, {size(total)}; open it in a browser, it needs no server: {page}")
    return [page]
