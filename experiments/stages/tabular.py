"""Stage ``tabular``: concepts of a table's networks, read against the inputs and taken out of the network."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.artefacts import save
from evoscope.data.tables import Table
from evoscope.figure_data import TabularConcepts
from evoscope.progress import Progress
from evoscope.stats import correlations
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.discovery_protocol import discovery_protocol
from experiments.stages.tabular_layers import Found, LayerRows, find, layer_rows
from experiments.stages.tabular_training import Trained, trained

STAGE = Stage(
    "tabular",
    version=1,
    modules=(
        "evoscope.discovery.latent",
        "evoscope.discovery.basis",
        "evoscope.discovery.basis",
        "evoscope.discovery.ranking",
        "evoscope.discovery.gradients",
        "evoscope.discovery.ranking",
        "evoscope.discovery.relevance",
        "evoscope.discovery.relevance",
        "evoscope.discovery.relevance",
        "evoscope.data.tables",
        "evoscope.arrays",
        "evoscope.stats",
        "experiments.stages.tabular",
        "experiments.stages.tabular_layers",
    ),
)


def tabular(context: Context, table: Table, networks: Sequence[Trained]) -> Node:
    """Node of the exhibit ``tabular``: every network's layers."""
    protocol = discovery_protocol(context.config.protocol)
    draws = context.config.scale.bootstrap

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        found: list[Found] = []
        parts: list[LayerRows] = []
        for each in progress(networks, total=len(networks), what="concepts of the table", unit="network"):
            network = trained(context, table, each, inputs[str(each.seed)])
            spaces = find(network, table, protocol, each.seed)
            found += spaces
            parts += [layer_rows(network, table, space, draws) for space in spaces]
        concepts = pd.concat([part.concepts for part in parts], ignore_index=True)
        exhibit = TabularConcepts(
            data=table.name,
            columns=table.columns,
            protected=table.protected,
            shown=table.class_names[table.shown],
            networks=_networks(table, found),
            concepts=concepts.assign(again=np.concatenate([again(each, found) for each in found])),
            correlations=pd.concat([part.correlations for part in parts], ignore_index=True),
            gaps=pd.concat([part.gaps for part in parts], ignore_index=True),
            inputs=between(table),
        )
        save(exhibit, folder)

    return Node(
        STAGE,
        config={"protocol": asdict(protocol), "draws": draws, "protected": list(table.protected)},
        inputs={str(each.seed): each.node for each in networks},
        build=compute,
        seed=context.config.seed,
        data={"table": table.fingerprint},
        label=f"concepts of {len(networks)} networks for {table.name}",
    )


def again(own: Found, every: Sequence[Found]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """How well another network's concepts follow each of one's own: float64 [concepts], NaN for a single network.

    The largest |correlation| over the test rows with a concept of the same layer, mean over the other networks.
    """
    others = [each for each in every if each.layer == own.layer and each.seed != own.seed]
    if not others:
        return np.full(len(own.chosen), np.nan)
    best = [np.abs(correlations(own.scores, other.scores)).max(axis=1) for other in others]
    return np.asarray(np.mean(best, axis=0), dtype=np.float64)


def between(table: Table) -> pd.DataFrame:
    """For every protected column the other input that it correlates with most, over the test rows."""
    values = table.test.values
    r = correlations(values, values) - np.eye(values.shape[1])
    rows = []
    for name in table.protected if len(table.columns) > 1 else ():
        place = table.columns.index(name)
        r[place, place] = 0.0
        other = int(np.abs(r[place]).argmax())
        rows.append({"column": name, "other": table.columns[other], "value": r[place, other]})
    return pd.DataFrame(rows, columns=["column", "other", "value"]).astype({"value": np.float64})


def _networks(table: Table, found: Sequence[Found]) -> pd.DataFrame:
    """One row per network: how often it is right."""
    firsts = {each.seed: each for each in reversed(found)}
    largest = np.bincount(table.test.labels).max() / len(table.test)
    rows = [
        {
            "seed": seed,
            "train_accuracy": each.train.accuracy,
            "test_accuracy": each.test.accuracy,
            "largest_class": float(largest),
            "shown_share": float((each.test.predictions == table.shown).mean()),
            "train_rows": len(table.train),
            "test_rows": len(table.test),
        }
        for seed, each in sorted(firsts.items())
    ]
    return pd.DataFrame(rows)
