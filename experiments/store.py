"""Look after the store: ``action=list``, ``verify`` or ``prune``."""

from collections import Counter
from pathlib import Path

from evoscope.errors import EvoscopeError
from evoscope.store import entries, prune, verify
from experiments.context import Context
from experiments.reporting import duration, say, size, table
from experiments.schema import Action
from experiments.stages import all_stages


def run(context: Context) -> None:
    """Do what ``action`` says."""
    root = Path(context.config.store)
    actions = {Action.list: _list, Action.verify: _verify, Action.prune: _prune}
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
            f"{bad} artefacts of {root} are damaged",
            "run the experiment again, or action=prune to remove them",
        )


def _prune(root: Path, context: Context) -> None:
    removed = prune(
        root,
        stages=all_stages(),
        older_than=86400 * context.config.older_than_days,
        dry_run=context.config.dry_run,
    )
    for removal in removed:
        say(f"{removal.path}: {removal.reason}, {size(removal.size)}")
    verb = "would be removed" if context.config.dry_run else "removed"
    say(f"{len(removed)} entries {verb}, {size(sum(removal.size for removal in removed))}")
