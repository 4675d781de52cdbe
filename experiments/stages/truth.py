"""Stage ``truth``: whether the important evolutions are those of neurons whose concept defines the class."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.arrays import Bools
from evoscope.artefacts import save
from evoscope.data.scenes import irrelevant_concepts, rules
from evoscope.evolution.summary import ranked
from evoscope.figure_data import Table
from evoscope.progress import Progress
from evoscope.stats import bootstrap_interval
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.importance import ClassImportance, Judged, found_importance
from experiments.stages.stimuli import Looked, looked

STAGE = Stage(
    "truth", version=1, modules=("evoscope.evolution.summary", "evoscope.stats", "experiments.stages.truth")
)
KINDS = ("defining", "distractor")


def truth(context: Context, judged: Sequence[Judged], stimuli: Mapping[str, Node]) -> Node:
    """Node of the exhibit ``truth``.

    Parameters
    ----------
    judged : runs, pairs and classes.
    stimuli : run and later epoch (``vgg16@5``) -> node of its stimuli, which say what each neuron tells apart.
    """
    classes, seed = len(context.data.train.class_names), context.config.seed

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        rows = []
        for each in judged:
            found = found_importance(inputs[each.name])
            seen = looked(inputs[place_of(each)])
            rows += [_row(each, found, seen, kind, classes, seed) for kind in KINDS]
        table = pd.DataFrame(rows)
        save(Table(pd.concat([means(table, seed), table], ignore_index=True)), folder)

    return Node(
        STAGE,
        config={"classes": classes, "pairs": [[each.name, each.pair.name] for each in judged]},
        inputs={**{each.name: each.node for each in judged}, **stimuli},
        build=compute,
        seed=seed,
        label="important evolutions against the truth",
    )


def place_of(judged: Judged) -> str:
    """Run and later epoch of what is judged."""
    return f"{judged.run.name}@{judged.pair.after}"


def telling(found: Looked, kind: str, label: int, classes: int) -> Bools:
    """Neurons whose concept defines class ``label`` (``defining``), or is one that no class uses: bool [neurons]."""
    wanted = rules(classes)[label].concepts if kind == "defining" else irrelevant_concepts(classes)
    columns = [column for column, name in enumerate(found.concepts.names) if name in wanted]
    return np.isin(found.concepts.label, columns)


def means(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Mean over the classes of every run, pair and kind, with its interval over classes."""
    head = ["run", "pair", "from_epoch", "to_epoch", "kind"]
    rows = []
    for values, group in table.groupby(head, sort=False):
        known = group[group["auc"].notna()]
        row = {**dict(zip(head, values, strict=True)), "class_name": "", "of": int(group["of"].iloc[0])}
        if known.empty:
            rows.append({**row, "auc": np.nan, "neurons": 0, "note": "no neuron tells such a concept"})
            continue
        interval = bootstrap_interval(known["auc"].to_numpy(), seed)
        null = {name: float(known[name].mean()) for name in ("null", "null_low", "null_high")}
        bounds = {"auc": interval.value, "low": interval.low, "high": interval.high}
        note = f"{len(known)} of {len(group)} classes"
        rows.append({**row, **bounds, **null, "neurons": int(known["neurons"].sum()), "note": note})
    return pd.DataFrame(rows)


def _row(
    judged: Judged, found: ClassImportance, seen: Looked, kind: str, classes: int, seed: int
) -> dict[str, object]:
    chosen = telling(seen, kind, judged.label, classes)
    result = ranked(found.score, chosen, found.neurons.layer, seed)
    note = "" if np.isfinite(result.auc) else "no neuron tells such a concept"
    return {
        "run": judged.run.name,
        "pair": judged.pair.name,
        "from_epoch": judged.pair.before,
        "to_epoch": judged.pair.after,
        "class_name": found.class_name,
        "kind": kind,
        **asdict(result),
        "low": np.nan,
        "high": np.nan,
        "note": note,
    }
