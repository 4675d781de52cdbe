"""Importance of neurons' evolutions between two epochs for a class, and whether it finds what defines the class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evoscope.activations.stimuli import NeuronIndex
from evoscope.arrays import Bools, Doubles
from evoscope.data.images import ImageSet
from evoscope.data.scenes import irrelevant_concepts, rules
from evoscope.evolution.importance import EvolutionImportance, sample_of_class
from evoscope.evolution.importance import importance as importance_on
from evoscope.evolution.pair import Pair, make_pair
from evoscope.evolution.summary import Ranked, mean_ranked, ranked
from evoscope.figure_data import Table
from evoscope.models.network import Network, layout
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.networks import Checkpoint
from experiments.stages.stimuli import Looked

TRUTHS = ("defining", "distractor")
HEAD = ("run", "pair", "from_epoch", "to_epoch", "kind")
NOTHING = "no neuron tells such a concept"


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
    pair: CheckpointPair,
    train: ImageSet,
    label: int,
    images: int,
    samples: int,
    seed: int,
    batch: int | None,
    runtime: Runtime,
) -> ClassImportance:
    """Importance of a run's evolutions for class ``label``, on ``samples`` samples of ``images`` training images.

    ``batch``: images at a time (`evoscope.evolution.pair.fixed_batch`).
    """
    states = pair.open()
    found = [
        importance_on(
            states, sample_of_class(train, label, images, seed, number), label, batch_size=batch, **vars(runtime)
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


@stage(version=2, label="important evolutions against the truth")
def truth(cases: Sequence[ImportanceCase], classes: int, seed: int) -> Table:
    """How highly importance ranks neurons whose concept defines the class, and those whose concept no class uses.

    The stimuli say which concept each neuron tells apart; means over the classes come first, each beside the null of
    the mean.
    """
    found = [(each, kind, _ranked(each, kind, classes, seed)) for each in cases for kind in TRUTHS]
    groups: dict[tuple[str | int, ...], list[Ranked]] = {}
    for case, kind, result in found:
        groups.setdefault((*case.pair.columns(case.run).values(), kind), []).append(result)
    means = [_mean_row(values, group, seed) for values, group in groups.items()]
    return Table(pd.DataFrame([*means, *(_truth_row(*each) for each in found)]))


def telling(found: Looked, kind: str, label: int, classes: int) -> Bools:
    """Neurons whose concept defines class ``label`` (``defining``), or is one that no class uses: bool [neurons]."""
    wanted = rules(classes)[label].concepts if kind == "defining" else irrelevant_concepts(classes)
    columns = [column for column, name in enumerate(found.concepts.names) if name in wanted]
    return np.isin(found.concepts.label, columns)


def _ranked(case: ImportanceCase, kind: str, classes: int, seed: int) -> Ranked:
    found = case.importance.load()
    chosen = telling(case.stimuli.load(), kind, found.label, classes)
    return ranked(found.score, chosen, found.neurons.layer, seed)


def _truth_row(case: ImportanceCase, kind: str, result: Ranked) -> dict[str, object]:
    names = ("auc", "null", "null_low", "null_high", "p", "neurons", "of")
    return {
        **case.pair.columns(case.run),
        "class_name": case.importance.load().class_name,
        "kind": kind,
        **{name: getattr(result, name) for name in names},
        "low": np.nan,
        "high": np.nan,
        "note": "" if np.isfinite(result.auc) else NOTHING,
    }


def _mean_row(values: Sequence[str | int], group: Sequence[Ranked], seed: int) -> dict[str, object]:
    """Mean over the classes of a run, pair and kind (``values``), with its interval over them."""
    known = [each for each in group if np.isfinite(each.auc)]
    head: dict[str, object] = dict(zip(HEAD, values, strict=True))
    row = {**head, "class_name": "", "of": group[0].of}
    if not known:
        return {**row, "auc": np.nan, "neurons": 0, "note": NOTHING}
    found = mean_ranked(known, seed)
    auc = {"auc": found.auc.value, "low": found.auc.low, "high": found.auc.high}
    null = {"null": found.null.value, "null_low": found.null.low, "null_high": found.null.high, "p": found.p}
    count = sum(each.neurons for each in known)
    return {**row, **auc, **null, "neurons": count, "note": f"{len(known)} of {len(group)} classes"}
