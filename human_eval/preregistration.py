"""Texts that follow from a study's design alone: its pre-registration, a paragraph of methods, and a codebook."""

from collections import Counter
from pathlib import Path

from human_eval.design.baselines import baselines
from human_eval.design.contrast import FEWEST_ITEMS, SHUFFLES, secondary_contrasts
from human_eval.design.files import key_digest
from human_eval.design.trial import Exclusion, Measure, Study, Trial, spoken

FILES = ("preregistration.md", "methods.md", "codebook.md")
TESTS: dict[Measure, str] = {
    "right": "The share of right answers is compared",
    "yes": "The share of “Yes” (“I cannot tell” is none; a habit of saying yes shows nothing) is compared",
    "agreement": "The mean overlap of the words that two people give to the same item (Jaccard; spelling, plurals and "
    "idle words do not count), less that of names dealt anew over each person's items, is compared",
    "rating": "The probability that a rating is higher than one of the other condition (Mann and Whitney's statistic; "
    "ties count half), which takes ratings as ordered only, is compared",
}
INTERVAL = (
    "Its 95 % interval takes people and items as samples of more: the variance over people plus that over items less "
    "that of single answers, never less than either, with Student's quantile and Satterthwaite's degrees of freedom."
)
# Column of the table of answers, and what it holds.
COLUMNS = {
    "participant": "salted hash of the panel's id, or a random id",
    "block": "the block that the participant was dealt",
    "trial": "opaque id of the question",
    "item": "what the question is about; a question and its repetition share it",
    "condition": "condition of the item",
    "role": "main, practice, catch (attention check) or repeat",
    "given": "number of the panel or option that was taken, from 0; empty where nothing can be taken",
    "answer": "number of the right or expected panel or option; empty where there is none",
    "right": "whether `given` is `answer`; empty where nothing is right",
    "alternatives": "how many panels or options there were",
    "ms": "milliseconds from the last picture's appearance to the answer",
    "texts": "what was written into the text fields",
    "position": "where the chosen panel stood on the screen, from 0",
    "missing": "whether pictures were not shown, so that nothing was answered",
}


def write_preregistration(study: Study, folder: Path, participants: int) -> None:
    """Write the three texts into ``folder``; ``participants``: how many are planned, 0 where that is open."""
    texts = (preregistration(study, participants), methods(study, participants), codebook(study))
    for name, text in zip(FILES, texts, strict=True):
        (folder / name).write_text(text, encoding="utf-8", newline="")


def preregistration(study: Study, participants: int = 0) -> str:
    """Answers to AsPredicted's questions."""
    others = [contrast.text for contrast in secondary_contrasts(study.primary, study.trials)]
    people = f"{participants} participants" if participants else "[[NUMBER]] participants"
    answers = {
        "1) Have any data been collected for this study already?": "No, no data have been collected yet.",
        "2) What's the main question being asked or hypothesis being tested in this study?": (
            f"Whether there is a difference in this contrast: {study.primary.text}. It was fixed with the design."
        ),
        "3) Describe the key dependent variable(s) specifying how they will be measured.": _measured(study),
        "4) How many and which conditions will participants be assigned to?": _conditions(study),
        "5) Specify exactly which analyses you will conduct to examine the main question/hypothesis.": _analysis(study),
        "6) Describe exactly how outliers will be defined and handled, and your precise rule(s) for excluding "
        "observations.": exclusion(study.exclusion),
        "7) How many observations will be collected or what will determine sample size?": (
            f"{people}, dealt to {len(study.blocks)} blocks by who has finished. Nothing is analysed before."
        ),
        "8) Anything else you would like to pre-register?": (
            "Secondary, without any claim from their p values: "
            + ("; ".join(others) or "none")
            + ". The primary contrast is also reported with nobody excluded, answers to repeated questions as "
            "test-retest agreement, and what machines find that compare pictures only. The key has the SHA-256 "
            f"{key_digest(study)}."
        ),
    }
    body = "\n\n".join(f"**{question}**\n\n{answer}" for question, answer in answers.items())
    return f"# Pre-registration of {study.name}\n\n{body}\n"


def _measured(study: Study) -> str:
    main = _main(study)
    asked = list(dict.fromkeys(trial.form.question for trial in main))
    example = asked[0] if len(asked) == 1 else f"{asked[0]} (and {len(asked) - 1} questions of the same form)"
    options = f" Options: {', '.join(main[0].form.options)}." if main[0].form.options else ""
    return f"Answers to: “{example}”{options} Times run from the appearance of the last picture."


def _conditions(study: Study) -> str:
    counts = Counter(trial.condition for trial in _main(study))
    listed = ", ".join(f"{spoken(name)} ({count} items)" for name, count in counts.items())
    shuffled = " in an order of their own" if study.protocol == "corrected" else ""
    return f"Within participants: {listed}. Everybody answers one block, a part of the items,{shuffled}."


def _analysis(study: Study) -> str:
    first, other = study.primary.first, study.primary.other
    sides = study.primary.text.split(": ", 1)[1].replace(" against ", " and ")
    what = f"{TESTS[study.primary.measure]} between {sides}."
    shuffled = study.primary.measure == "agreement" and not other
    p = f"one-sided p, by {SHUFFLES} shuffles," if shuffled else "two-sided p"
    few = [name for name in (first, other) if name and sum(t.condition == name for t in _main(study)) < FEWEST_ITEMS]
    warning = f" {', '.join(map(spoken, few))} has fewer than {FEWEST_ITEMS} items." if few else ""
    return f"{what} {INTERVAL} The difference is taken as shown where {p} < .05.{warning}"


def exclusion(rules: Exclusion) -> str:
    """The rules of exclusion in words."""
    repeat = f", or who answers less than {rules.min_repeat:.0%} of repeated questions alike" * (rules.min_repeat > 0)
    return (
        f"A participant is excluded who fails {rules.catch_failures} attention checks or more, whose median answer "
        f"takes less than {rules.min_median_ms} ms, who takes one position in more than {rules.max_same_position:.0%} "
        f"of at least ten choices, or who answers less than {rules.min_complete:.0%} of the block{repeat}. Answers to "
        "pictures that were not shown do not count; of two answers to one question the first does. No answer is left "
        "out for its time."
    )


def methods(study: Study, participants: int = 0) -> str:
    """A paragraph for a paper, to be completed where it has double brackets."""
    longest = max(len(block.trials) for block in study.blocks)
    extra = {role: sum(t.role == role for t in study.trials) for role in ("practice", "catch")}
    machines = "; ".join(
        f"{row.observer}, {spoken(row.condition)}: {row.value:.2f} (chance {row.chance:.2f})"
        for row in baselines(study)
    )
    alone = f" Machines that compare pictures only found: {machines}." if machines else ""
    people = str(participants) if participants else "[[NUMBER]]"
    return (
        f"{people} participants of [[PANEL]] each answered one of {len(study.blocks)} blocks of at most {longest} "
        f"questions, with {extra['practice']} for practice and {extra['catch']} attention checks. {_conditions(study)} "
        f"{_measured(study)} {exclusion(study.exclusion)} {_analysis(study)}{alone}\n"
    )


def codebook(study: Study) -> str:
    """What the columns of ``answers.parquet`` hold, and the codes of conditions and options."""
    rows = "\n".join(f"| `{name}` | {what} |" for name, what in COLUMNS.items())
    conditions = ", ".join(f"`{name}`" for name in dict.fromkeys(t.condition for t in study.trials))
    options = _main(study)[0].form.options
    codes = ", ".join(f"{number} = {option}" for number, option in enumerate(options))
    given = f"\nOptions (`given`, `answer`): {codes}.\n" if codes else ""
    return (
        f"# Codebook of {study.name}\n\nOne row an answer.\n\n| column | content |\n| --- | --- |\n{rows}\n\n"
        f"Conditions: {conditions}.\n{given}"
    )


def _main(study: Study) -> list[Trial]:
    return [trial for trial in study.trials if trial.role == "main"]
