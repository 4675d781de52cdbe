"""Look after the store: ``action=list``, ``verify``, ``prune`` or ``adopt``."""

from collections import Counter
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import RunFolder
from evoscope.models.spec import ModelSpec
from evoscope.store import Artefact, entries, prune, verify
from evoscope.store.hashing import JSON, plain
from evoscope.store.manifest import inspect, read_manifest
from evoscope.training.recipe import TrainingRecipe
from experiments.base import trained_spec, training
from experiments.context import Context
from experiments.networks import RECIPES
from experiments.reporting import complain, duration, say, size, table
from experiments.runs import Run
from experiments.schema import Action
from experiments.stages import all_stages


def run(context: Context) -> None:
    """Do what ``action`` says."""
    root = Path(context.config.store)
    actions = {Action.list: _list, Action.verify: _verify, Action.prune: _prune, Action.adopt: _adopt}
    actions[context.config.action](root, context)


def _list(root: Path, context: Context) -> None:
    found = entries(root)
    rows = [
        [e.stage, e.key[:12], e.summary[:60], size(e.size), "" if e.seconds is None else duration(e.seconds)]
        for e in found
    ]
    say(table(rows, ["stage", "key", "what", "size", "time"]))
    say(f"{len(found)} artefacts, {size(sum(e.size for e in found))}, in {root}")


def _verify(root: Path, context: Context) -> None:
    findings = verify(root, progress=context.progress)
    kinds = Counter(finding.condition for finding in findings)
    bad = kinds["damaged"] + kinds["unreadable"]
    for finding in findings:
        if finding.condition != "ok":
            say(f"{finding.condition}: {finding.path}: {finding.detail}")
    say(", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) + f", in {root}")
    if bad:
        raise EvoscopeError(
            f"{bad} artefacts of {root} are damaged", "run the experiment again, or action=prune to remove them"
        )


def _prune(root: Path, context: Context) -> None:
    removed = prune(
        root, stages=all_stages(), older_than=86400 * context.config.older_than_days, dry_run=context.config.dry_run
    )
    for removal in removed:
        say(f"{removal.path}: {removal.reason}, {size(removal.size)}")
    verb = "would be removed" if context.config.dry_run else "removed"
    say(f"{len(removed)} entries {verb}, {size(sum(removal.size for removal in removed))}")


@dataclass(frozen=True)
class OldTraining:
    """A training stored when its key knew neither the device nor the number of threads.

    ``decided``: what decided its key, by name (``recipe.lr``), with the defaults of what is a choice only now.
    """

    path: Path
    decided: dict[str, JSON]

    def differences(self, wanted: dict[str, JSON]) -> list[str]:
        """What differs from the training that is wanted, each in a few words."""
        names = [
            name for name in sorted(wanted.keys() | self.decided.keys()) if wanted.get(name) != self.decided.get(name)
        ]
        values = [f" ({self.decided.get(name)!r} there, {wanted.get(name)!r} here)" for name in names]
        return [name + value * (not name.endswith("images")) for name, value in zip(names, values, strict=True)]


def old_trainings(root: Path) -> list[OldTraining]:
    """The trainings of a store that the version before the stages with decorators left there, damaged ones too.

    Raises
    ------
    EvoscopeError : the store is no folder.
    """
    paths = [root / entry.stage / entry.key for entry in entries(root) if entry.stage == "training"]
    found = [(path, read_manifest(path)) for path in paths]
    return [
        OldTraining(path, _decided(manifest["config"], manifest["data"], manifest["seed"]))
        for path, manifest in found
        if set(manifest["config"]) == {"spec", "recipe", "classes"} and set(manifest["data"]) == {"train", "test"}
    ]


def _decided(config: dict[str, Any], data: dict[str, str], seed: int) -> dict[str, JSON]:
    """What decides a training, by name; ``data``: fingerprints of the ``train`` and ``test`` images."""
    spec, recipe = _defaults(ModelSpec) | config["spec"], _defaults(TrainingRecipe) | config["recipe"]
    return {
        **{f"spec.{name}": value for name, value in spec.items()},
        **{f"recipe.{name}": value for name, value in recipe.items()},
        "classes": config["classes"],
        "training images": data["train"],
        "test images": data["test"],
        "seed": seed,
    }


def _defaults(kind: type[ModelSpec] | type[TrainingRecipe]) -> dict[str, JSON]:
    """Plain defaults of a dataclass; those made by a factory are left out, for all of them are old."""
    return {each.name: plain(each.default) for each in fields(kind) if each.default is not MISSING}


def trainings_to_adopt(context: Context) -> list[tuple[Run, Artefact[RunFolder]]]:
    """The runs of the job with their trainings, and the recipes that are trained with several seeds with each.

    Raises
    ------
    EvoscopeError : none of the runs is trained.
    """
    runs = {name: run for name, run in context.runs.items() if run.recipe is not None}
    if not runs:
        raise EvoscopeError("none of the runs is trained by us", "there is nothing to adopt")
    first = context.config.seed
    seeds = range(first + 1, first + context.config.scale.seeds)
    several = [(runs[name], seed) for seed in seeds for name in RECIPES if name in runs]
    pairs = [*((run, first) for run in runs.values()), *several]
    return [(run, training(context, run, seed)) for run, seed in pairs]


def _adopt(root: Path, context: Context) -> None:
    wanted, old = trainings_to_adopt(context), old_trainings(root)
    ends = Counter(_adopted(run, node, old, context) for run, node in wanted)
    say(", ".join(f"{count} {end}" for end, count in ends.most_common()) + f", in {root}")
    if ends["damaged"]:
        raise EvoscopeError(
            f"{ends['damaged']} of the old trainings that fit {'is' if ends['damaged'] == 1 else 'are'} damaged",
            "restore them from a copy, or run the experiment to train anew",
        )


def _adopted(run: Run, node: Artefact[RunFolder], old: list[OldTraining], context: Context) -> str:
    """Adopt a training if an old one fits, say so, and give what became of it in a word or two."""
    if inspect(context.store.path(node), contents=True).state == "ok":
        return "there already"
    data = {"train": node.data["data"], "test": node.data["test"]}
    classes = len(context.data.train.class_names)
    config = {"spec": plain(trained_spec(run)), "recipe": plain(run.recipe), "classes": classes}
    wanted = _decided(config, data, node.seed)
    differing = [(each.differences(wanted), each.path) for each in old]
    fitting = [path for differences, path in differing if not differences]
    verdicts = {path: inspect(path, contents=True) for path in fitting}
    sound = [path for path in fitting if verdicts[path].state == "ok"]
    if sound:
        return _take_over(node, sound[0], context)
    if fitting:
        complain(f"evoscope: {node.label}: an old training fits but is damaged: {verdicts[fitting[0]].detail}")
        return "damaged"
    nearest = min(differing, key=lambda each: len(each[0]), default=None)
    say(f"{node.label}: no old training fits; {_how_far(*nearest) if nearest else 'there is none'}")
    return "without an old training"


def _how_far(differences: list[str], path: Path) -> str:
    more = f" and {len(differences) - 4} more" if len(differences) > 4 else ""
    return f"the nearest, {path.name[:12]}, differs in {', '.join(differences[:4])}{more}"


def _take_over(node: Artefact[RunFolder], old: Path, context: Context) -> str:
    if not context.config.dry_run:
        context.store.adopt(node, old)
    end = "would be adopted" if context.config.dry_run else "adopted"
    machine = context.machine
    threads = f" and {machine.threads} thread{'s' * (machine.threads > 1)}" if machine.threads else ""
    say(
        f"{node.label}: {end} from {old.name[:12]}, whose key says nothing of the machine: "
        f"it counts as made on {machine.device}{threads}"
    )
    return end
