"""How well checkpoints are aligned in the space: metrics of a job's looks, and purity beside the base's coverage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from evoscope.arrays import Doubles, unit_rows
from evoscope.errors import EvoscopeError
from evoscope.figure_data import Table
from evoscope.seeds import derive
from evoscope.space.baselines import neighbour_hits, random_vectors, stacked, stimulus_rows
from evoscope.space.build import build_space, project
from evoscope.space.metrics import Measure, as_frame, coverage, placed_rows, same_neuron_retrieval, self_projection
from evoscope.space.protocol import Projection, SemanticSpace, SpaceProtocol
from evoscope.space.purity import LabelledNeurons, concept_purity, stimulus_agreement
from evoscope.space.skipgram import counted_stimuli
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.stimuli import Look, Looked

NAN = float("nan")
VALUES = ("value", "low", "high", "null", "null_low", "null_high")
WHERE = ("protocol", "pool_images", "k", "coverage", "run", "epoch")
COLUMNS = [*WHERE, *VALUES, "random_vectors", "shared_stimuli", "n", "placed", "unlabelled", "note"]
DRAWS = 5


@stage(version=1, label="alignment metrics")
def metrics(
    space: Artefact[SemanticSpace],
    looks: Sequence[Look],
    compared: Sequence[Look],
    protocol: SpaceProtocol,
    seed: int,
    runtime: Runtime,
) -> Table:
    """How well the looks are aligned, each number with interval and null; purity is measured across ``compared``."""
    semantic = space.load()
    last = {look.run: look for look in looks}.values()
    frames = [_coverage(look, semantic, protocol, seed) for look in looks]
    frames += [
        _agreement(look, semantic, protocol, seed)
        for look in runtime.progress(last, total=len(last), what="alignment metrics", unit="run")
    ]
    frames += [_retrieval(a, b, seed) for a, b in pairwise(looks) if a.run == b.run]
    if any(look.stimuli.load().concepts.names for look in looks):
        frames.append(purity([_labelled(look) for look in compared], seed))
    return Table(pd.concat(frames, ignore_index=True).rename(columns={"model": "run"}))


def measured(work: Callable[[], Sequence[Measure]], metric: str, run: str, epoch: int) -> pd.DataFrame:
    """Rows of ``work``, or one row without a value that says why it could not be measured."""
    try:
        return as_frame(work()).assign(note="")
    except EvoscopeError as problem:
        return as_frame([bare(metric, run, epoch, NAN, 0)]).assign(note=str(problem))


def bare(metric: str, run: str, epoch: int, value: float, n: int) -> Measure:
    """A value that has neither interval nor null."""
    return Measure(metric, run, epoch, value, NAN, NAN, NAN, NAN, NAN, n)


def _coverage(look: Look, space: SemanticSpace, protocol: SpaceProtocol, seed: int) -> pd.DataFrame:
    """How much of a checkpoint's stimuli the base covers."""
    run, epoch, placed = look.run, look.epoch, look.projection.load()
    return measured(
        lambda: coverage(placed, space, protocol.k, model=run, epoch=epoch, seed=seed), "coverage", run, epoch
    )


def _agreement(look: Look, space: SemanticSpace, protocol: SpaceProtocol, seed: int) -> pd.DataFrame:
    """Whether neurons that share stimuli lie together, and whether the base's own neurons land where they were."""
    run, epoch, placed = look.run, look.epoch, look.projection.load()
    images = counted_stimuli(look.stimuli.load().stimuli, protocol)
    rows = measured(
        lambda: [stimulus_agreement(placed.vectors, images, model=run, epoch=epoch, seed=seed)],
        "stimulus_agreement",
        run,
        epoch,
    )
    if not look.base:
        return rows
    own = measured(
        lambda: self_projection(space, placed, model=run, epoch=epoch, seed=seed), "self_projection_rmse", run, epoch
    )
    return pd.concat([rows, own], ignore_index=True)


def _retrieval(before: Look, after: Look, seed: int) -> pd.DataFrame:
    """Same-neuron retrieval between two adjacent epochs of a run."""
    run, epoch, layer = after.run, after.epoch, after.stimuli.load().stimuli.neurons.layer
    pair = before.projection.load(), after.projection.load()
    return measured(
        lambda: [same_neuron_retrieval(*pair, model=run, epoch=epoch, seed=seed, layer=layer)],
        "same_neuron_mrr",
        run,
        epoch,
    )


def purity(models: Sequence[LabelledNeurons], seed: int) -> pd.DataFrame:
    """Concept purity of each model and of all, and the shares that are left out of it."""
    rows = measured(lambda: concept_purity(models, seed=seed), "concept_purity@10", "all", -1)
    return pd.concat([rows, *[_left_out(model) for model in models]], ignore_index=True)


def labelled(run: str, epoch: int, found: Looked, projection: Projection) -> LabelledNeurons:
    """Neurons of a run with their places and the concepts that they tell apart."""
    concept, layer = found.concepts.label.astype(np.int64), found.stimuli.neurons.layer
    return LabelledNeurons(run, epoch, projection.vectors, concept, layer)


def _labelled(look: Look) -> LabelledNeurons:
    return labelled(look.run, look.epoch, look.stimuli.load(), look.projection.load())


def _left_out(model: LabelledNeurons) -> pd.DataFrame:
    """Shares of the neurons without a place, and of the placed ones without a concept."""
    placed = placed_rows(model.vectors)
    unlabelled = float((model.concept[placed] < 0).mean()) if placed.any() else NAN
    shares = [
        bare("unplaced", model.model, model.epoch, float((~placed).mean()), len(model.vectors)),
        bare("unlabelled", model.model, model.epoch, unlabelled, int(placed.sum())),
    ]
    return as_frame(shares).assign(note="")


@dataclass(frozen=True)
class Sight:
    """A run at its last epoch over the pool of a cell of the sweep."""

    run: str
    epoch: int
    stimuli: Artefact[Looked]


@stage(version=3, label="purity, {name}, pool {pool_images}, k {protocol.k}")
def purity_cell(
    sights: Sequence[Sight], protocol: SpaceProtocol, name: str, pool_images: int, seed: int, runtime: Runtime
) -> Table:
    """One cell of the sweep: the purity of every run and of all; the base is the first of ``sights``.

    ``random_vectors`` and ``shared_stimuli`` are the purity of the same neurons without a learned space, see
    `evoscope.space.baselines`; the former the mean of five draws.

    A space that cannot be built (the published descent diverges where an image excites very many neurons) leaves a
    row without a value that says so.
    """
    found = [sight.stimuli.load() for sight in sights]
    try:
        built = build_space(found[0].stimuli, protocol, seed, runtime.progress)
        placed = [project(built, item.stimuli, protocol) for item in found]
        models = [labelled(x.run, x.epoch, *y) for x, y in zip(sights, zip(found, placed, strict=True), strict=True)]
        measures = purity(models, seed).rename(columns={"model": "run"})
        pure = measures[measures["metric"].str.startswith("concept_purity")]
        shares = {name: own.set_index("run")["value"] for name, own in measures.groupby("metric")}
        rows = pure.assign(
            **_without_space(models, found, built, protocol, seed, pure["run"].tolist()),
            coverage=float(np.mean(built.covered)),
            placed=1 - pure["run"].map(shares["unplaced"]),
            unlabelled=pure["run"].map(shares["unlabelled"]),
        )
    except EvoscopeError as problem:
        rows = pd.DataFrame([{"run": "all", "epoch": -1, "n": 0, "note": str(problem)}])
    cell = rows.assign(protocol=name, pool_images=pool_images, k=protocol.k)
    return Table(cell.reindex(columns=COLUMNS))


def _without_space(
    models: Sequence[LabelledNeurons],
    found: Sequence[Looked],
    space: SemanticSpace,
    protocol: SpaceProtocol,
    seed: int,
    runs: Sequence[str],
) -> dict[str, list[float]]:
    """Purity of the named runs, or of all, by random image vectors and by shared stimuli."""
    used = [placed_rows(each.vectors) & (each.concept >= 0) for each in models]
    if not all(rows.any() for rows in used):
        return {}
    concept = np.concatenate([each.concept[rows] for each, rows in zip(models, used, strict=True)])
    owner = np.repeat(np.arange(len(models)), [int(rows.sum()) for rows in used])

    def random(draw: int) -> Doubles:
        own = derive(seed, "random space", draw)
        parts = [
            random_vectors(space, each.stimuli, protocol, own)[rows] for each, rows in zip(found, used, strict=True)
        ]
        return neighbour_hits(unit_rows(np.concatenate(parts)), concept, owner, seed)

    pool = len(space.image_ids)
    shared = [
        stimulus_rows(counted_stimuli(each.stimuli, protocol)[rows], pool)
        for each, rows in zip(found, used, strict=True)
    ]
    hits = {
        "random_vectors": np.mean([random(draw) for draw in range(DRAWS)], axis=0),
        "shared_stimuli": neighbour_hits(stacked(shared), concept, owner, seed),
    }
    names = [each.model for each in models]
    chosen = [owner == names.index(run) if run in names else np.ones(len(owner), dtype=bool) for run in runs]
    return {name: [float(values[rows].mean()) for rows in chosen] for name, values in hits.items()}


@stage(version=1, label="purity of all protocols, pools and k")
def coverage_table(cells: Sequence[Artefact[Table]]) -> Table:
    """All cells of the sweep in one table."""
    return Table(pd.concat([cell.load().rows for cell in cells], ignore_index=True))
