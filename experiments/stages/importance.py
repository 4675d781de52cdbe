"""Importance of neurons' evolutions between two epochs for a class, and whether it finds what defines the class."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from evoscope.activations.stimuli import NeuronIndex
from evoscope.arrays import Bools, Doubles
from evoscope.data.images import ImageSet
from evoscope.data.scenes import irrelevant_concepts, rules
from evoscope.evolution.importance import EvolutionImportance, sample_of_class
from evoscope.evolution.importance import importance as importance_on
from evoscope.evolution.pair import Pair, make_pair
from evoscope.evolution.summary import ranked
from evoscope.figure_data import Table
from evoscope.models.network import Network, layout
from evoscope.stats import bootstrap_interval
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.networks import Checkpoint
from experiments.stages.stimuli import Looked

TRUTHS = ("defining", "distractor")


@dataclass(frozen=True)
class EpochPair:
    """A stretch of training: its name, and its first and last epoch."""

    name: str
    before: int
    after: int

    @property
    def label(self) -> str:
        """The two epochs, for messages."""
        return f"{self.before} to {self.after}"

    def columns(self, run: str) -> dict[str, str | int]:
        """The first columns of a table about the stretch in ``run``."""
        return {"run": run, "pair": self.name, "from_epoch": self.before, "to_epoch": self.after}


@dataclass(frozen=True)
class CheckpointPair:
    """A run's network at two epochs, between which its evolutions lie."""

    run: str
    before: Checkpoint
    after: Checkpoint

    def open(self) -> Pair:
        """Both networks on their device.

        Raises
        ------
        EvoscopeError : a checkpoint does not fit the network.
        """
        names = [f"{self.run} at epoch {each.epoch}" for each in (self.before, self.after)]
        return make_pair(_opened(self.before), _opened(self.after), (names[0], names[1]))


def _opened(checkpoint: Checkpoint) -> Network:
    """The network, with its weights in the memory format that it takes."""
    network = checkpoint.open()
    form = layout(network.module, checkpoint.machine.device)
    network.module.to(memory_format=form)  # type: ignore[call-overload]  # missing in the stubs
    return network


@dataclass(frozen=True)
class ClassImportance:
    """Importance for one class between two epochs, by several independent samples of its images."""

    class_name: str
    before: int
    after: int
    samples: tuple[EvolutionImportance, ...]

    @property
    def neurons(self) -> NeuronIndex:
        """What each row is."""
        return self.samples[0].neurons

    @property
    def label(self) -> int:
        """The class."""
        return self.samples[0].label

    @property
    def score(self) -> Doubles:
        """Mean score over the samples, float64 [neurons]."""
        return np.asarray(np.mean([sample.score for sample in self.samples], axis=0))

    @property
    def mean(self) -> Doubles:
        """Mean sensitivity over the samples, float64 [neurons]."""
        return np.asarray(np.mean([sample.mean for sample in self.samples], axis=0))


@stage(version=1)
def importance(
    pair: CheckpointPair, train: ImageSet, label: int, images: int, samples: int, seed: int, runtime: Runtime
) -> ClassImportance:
    """Importance of a run's evolutions for class ``label``, on ``samples`` samples of ``images`` training images."""
    states = pair.open()
    found = [
        importance_on(
            states,
            sample_of_class(train, label, images, seed, number),
            label,
            memory_mb=runtime.memory_mb,
            workers=runtime.workers,
            progress=runtime.progress,
        )
        for number in range(samples)
    ]
    return ClassImportance(train.class_names[label], pair.before.epoch, pair.after.epoch, tuple(found))


@dataclass(frozen=True)
class ImportanceCase:
    """Importance of a run's evolutions for a class, and the run's stimuli at the later epoch."""

    run: str
    pair: EpochPair
    importance: Artefact[ClassImportance]
    stimuli: Artefact[Looked]


@stage(version=1, label="important evolutions against the truth")
def truth(cases: Sequence[ImportanceCase], classes: int, seed: int) -> Table:
    """How highly importance ranks neurons whose concept defines the class, and those whose concept no class uses.

    The stimuli say which concept each neuron tells apart; means over the classes come first.
    """
    rows = pd.DataFrame([_truth_row(each, kind, classes, seed) for each in cases for kind in TRUTHS])
    return Table(pd.concat([_means(rows, seed), rows], ignore_index=True))


def telling(found: Looked, kind: str, label: int, classes: int) -> Bools:
    """Neurons whose concept defines class ``label`` (``defining``), or is one that no class uses: bool [neurons]."""
    wanted = rules(classes)[label].concepts if kind == "defining" else irrelevant_concepts(classes)
    columns = [column for column, name in enumerate(found.concepts.names) if name in wanted]
    return np.isin(found.concepts.label, columns)


def _truth_row(case: ImportanceCase, kind: str, classes: int, seed: int) -> dict[str, object]:
    found = case.importance.load()
    chosen = telling(case.stimuli.load(), kind, found.label, classes)
    result = ranked(found.score, chosen, found.neurons.layer, seed)
    return {
        **case.pair.columns(case.run),
        "class_name": found.class_name,
        "kind": kind,
        **asdict(result),
        "low": np.nan,
        "high": np.nan,
        "note": "" if np.isfinite(result.auc) else "no neuron tells such a concept",
    }


def _means(table: pd.DataFrame, seed: int) -> pd.DataFrame:
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
