"""Stage ``concept_tables``: the tables of concept discovery over all runs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from evoscope.artefacts import load, save
from evoscope.figure_data import Table
from evoscope.progress import Progress
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.concept_methods import method_concepts
from experiments.stages.concept_rows import (
    band_rows,
    cluster_rows,
    mean_rows,
    popularity_rows,
    spectrum_rows,
    wrong_side_row,
)
from experiments.stages.concept_spaces import Space
from experiments.stages.concepts import Sought, layer_concepts

STAGE = Stage(
    "concept_tables",
    version=1,
    modules=(
        "evoscope.discovery.basis",
        "evoscope.discovery.ranking",
        "evoscope.discovery.refine",
        "evoscope.stats",
        "experiments.stages.concept_rows",
        "experiments.stages.concept_tables",
    ),
)
Rows = Callable[[Mapping[str, Path]], pd.DataFrame]


def count_tables(context: Context, spaces: Sequence[Space], methods: Sequence[Node]) -> dict[str, Node]:
    """Nodes of the exhibits ``clusters``, ``cluster_means`` and ``bands``; ``methods``: one node per space."""
    seed, inputs = context.config.seed, _roles(spaces, methods)
    ways: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "clusters": cluster_rows,
        "cluster_means": lambda counts: mean_rows(counts, seed),
        "bands": band_rows,
    }

    def rows(way: Callable[[pd.DataFrame], pd.DataFrame]) -> Rows:
        return lambda folders: _joined(
            [_headed(space, way(method_concepts(folders[space.name]).counts)) for space in spaces]
        )

    return {name: _table(context, name, spaces, inputs, rows(way)) for name, way in ways.items()}


def spectrum(context: Context, sought: Sequence[Sought]) -> Node:
    """Node of the exhibit ``spectrum``: singular values and alignment to neurons, under the job's own protocol."""

    def rows(folders: Mapping[str, Path]) -> pd.DataFrame:
        return _joined(
            [
                _headed(
                    each.space,
                    spectrum_rows(layer_concepts(folders[each.space.name]).basis, context.config.seed),
                )
                for each in sought
            ]
        )

    spaces = [each.space for each in sought]
    return _table(context, "spectrum", spaces, _roles(spaces, [each.own for each in sought]), rows)


def popular(context: Context, sought: Sequence[Sought]) -> Node:
    """Node of the exhibit ``popularity``, under every protocol."""
    names = context.data.train.class_names

    def rows(folders: Mapping[str, Path]) -> pd.DataFrame:
        parts = []
        for each in sought:
            for protocol in each.found:
                ranking = layer_concepts(folders[each.role(protocol)]).ranking
                parts.append(_headed(each.space, popularity_rows(ranking, names), protocol))
        return _joined(parts)

    return _table(context, "popularity", [each.space for each in sought], _all_roles(sought), rows)


def wrong_side(context: Context, sought: Sequence[Sought], protocols: Sequence[str]) -> Node:
    """Node of the exhibit ``wrong_side``, for the protocols that score images along the wrong side."""

    def rows(folders: Mapping[str, Path]) -> pd.DataFrame:
        parts = []
        for each in sought:
            for protocol in protocols:
                found = layer_concepts(folders[each.role(protocol)])
                row = wrong_side_row(found.ranking, found.along_rows, context.config.seed)
                parts.append(_headed(each.space, pd.DataFrame([row]), protocol))
        return _joined(parts)

    return _table(context, "wrong_side", [each.space for each in sought], _all_roles(sought), rows)


def gathered(context: Context, name: str, spaces: Sequence[Space], parts: Sequence[Node]) -> Node:
    """Node of the exhibit ``name``: the tables of all runs, one below the other."""

    def rows(folders: Mapping[str, Path]) -> pd.DataFrame:
        return _joined([load(Table, folders[space.name]).rows for space in spaces])

    return _table(context, name, spaces, _roles(spaces, parts), rows)


def _table(
    context: Context, name: str, spaces: Sequence[Space], inputs: Mapping[str, Node], rows: Rows
) -> Node:
    def compute(folder: Path, folders: Mapping[str, Path], progress: Progress) -> None:
        save(Table(rows(folders)), folder)

    return Node(
        STAGE,
        config={
            "table": name,
            "order": [[space.name, space.layer] for space in spaces],
            "inputs": list(inputs),
            "classes": list(context.data.train.class_names),
        },
        inputs=inputs,
        build=compute,
        seed=context.config.seed,
        label=f"table of concepts: {name.replace('_', ' ')}",
    )


def _roles(spaces: Sequence[Space], nodes: Sequence[Node]) -> dict[str, Node]:
    return {space.name: node for space, node in zip(spaces, nodes, strict=True)}


def _all_roles(sought: Sequence[Sought]) -> dict[str, Node]:
    return {role: node for each in sought for role, node in each.roles.items()}


def _headed(space: Space, rows: pd.DataFrame, protocol: str | None = None) -> pd.DataFrame:
    head = {**space.head, **({"protocol": protocol} if protocol else {})}
    return rows.assign(**head)[[*head, *rows.columns]]


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)
