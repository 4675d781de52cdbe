"""What a researcher must know before a study begins, as Markdown beside the pages."""

from collections.abc import Mapping, Sequence

from human_eval.design.trial import Study

TERMS = (
    "The images of {name} are ImageNet's, whose terms allow research and teaching only, and no public hosting"
)
UNKNOWN = "Nothing is known here about the licence of the images of {name}"
IMAGENET = ("imagenet", "imagenette", "imagewoof")
DRAWN = ("concept_scenes",)


def licence_warning(data: str) -> str:
    """A sentence on where pages with images of the data set ``data`` may be hosted; "" if anywhere."""
    name = data.lower()
    if name in DRAWN:
        return ""
    if name.startswith(IMAGENET):
        terms = TERMS.format(name=data)
        return f"{terms}: show these pages on your own machines or behind a password, and never on a public host."
    return f"{UNKNOWN.format(name=data)}: make sure that it allows it before you host these pages in public."


def study_notes(studies: Sequence[Study], warning: str, exports: Mapping[str, Sequence[str]]) -> str:
    """Notes on all studies of a folder, the warning first; ``exports``: platforms by kind."""
    head = ["# Human studies", ""]
    head += [f"> **Warning.** {warning}", ""] if warning else []
    return "\n".join(
        [*head, *INTRODUCTION, *(line for study in studies for line in _section(study, exports))]
    )


INTRODUCTION = (
    "Before you begin: edit `consent.md` and `instructions.md`, have the consent approved by your ethics board, and",
    "run the same command again; the pages then have your texts. Change nothing else once there are answers.",
    "",
    "* `pages/BLOCK/index.html` is what one participant sees. It opens from disk or from any web server.",
    "* `key.json` holds the answers: keep it from participants. `study.json` holds its checksum, and who is excluded.",
    "* Answers come back as a file that each participant downloads at the end. To collect them on a server instead:",
    "  `python -m human_eval render KIND pages --post /answers`, then `python -m human_eval serve pages`.",
    "* `python -m human_eval analyse KIND ANSWERS report` makes the tables.",
    "",
)


def _section(study: Study, exports: Mapping[str, Sequence[str]]) -> list[str]:
    main = sum(trial.role == "main" for trial in study.trials)
    longest = max(len(block.trials) for block in study.blocks)
    rules = study.exclusion
    lines = [
        f"## {study.kind}",
        "",
        f"* {main} trials ({study.protocol.replace('_', ' ')} sampling, seed {study.seed}) in {len(study.blocks)} "
        f"blocks of at most {longest} questions.",
    ]
    if study.protocol == "corrected":
        lines.append(
            f"* Excluded, as fixed now: who answers fewer than {rules.min_catch:.0%} of the attention checks rightly, "
            f"whose median answer takes less than {rules.min_median_ms} ms, who takes one position in more than "
            f"{rules.max_same_position:.0%} of choices, or who answers less than {rules.min_complete:.0%} of the block."
        )
    lines += [f"* {remark}" for remark in study.remarks]
    if exports.get(study.kind):
        lines.append(f"* Exported to {', '.join(exports[study.kind])} below `{study.kind}/exports`.")
    return [*lines, ""]
