"""A study and its parts: trials, blocks, rules of exclusion, and the wording of the questions."""

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from evoscope.arrays import Bytes, Ints
from evoscope.errors import EvoscopeError
from evoscope.seeds import derive

Kind = Literal[
    "alignability", "evolution_label", "image_intruder", "label_agreement", "concept_naming", "pairwise_coherence"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
Protocol = Literal["as_released", "corrected"]
Role = Literal["main", "practice", "catch", "repeat"]


@dataclass(frozen=True)
class Form:
    """What is asked: choose a panel (``choose``), fill in ``texts`` (their prompts), take one of ``options``."""

    question: str
    choose: bool = False
    texts: tuple[str, ...] = ()
    option_question: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """One question about a few panels of pictures.

    ``id``: opaque; ``panels``: for each panel the rows of the study's pictures; ``answer``: position of the right
    panel, or of the expected option where no panel is chosen, None where nothing is right; ``item``: what the
    trial is about, shared by a trial and its repetition; ``sources``: pool ids behind the panels.
    """

    id: str
    kind: Kind
    condition: str
    item: str
    form: Form
    panels: tuple[tuple[int, ...], ...]
    sources: tuple[str, ...]
    answer: int | None
    role: Role = "main"

    @property
    def alternatives(self) -> int:
        """How many answers the closed question has; 0 where it is open only."""
        return len(self.panels) if self.form.choose else len(self.form.options)


@dataclass(frozen=True)
class Block:
    """The trials, by id and in order, that one participant sees."""

    id: str
    trials: tuple[str, ...]


@dataclass(frozen=True)
class Exclusion:
    """Whose answers do not count, fixed before there are any.

    ``catch_failures``: attention checks answered wrongly from which on somebody is excluded (panels ask for two at
    least); ``min_median_ms``: median response time;
    ``max_same_position``: share of main choices of one position (asked of at least ten); ``min_complete``: share of
    the block answered; ``min_repeat``: share of repeated trials answered alike (asked of at least three).
    """

    catch_failures: int = 2
    min_median_ms: int = 800
    max_same_position: float = 0.7
    min_complete: float = 0.5
    min_repeat: float = 0.0


Measure = Literal["right", "yes", "agreement", "rating"]
MEASURES: dict[Measure, str] = {
    "right": "share of right answers",
    "yes": "share of “Yes”",
    "agreement": "agreement of names beyond that of shuffled names",
    "rating": "probability that a rating is the higher one",
}
AGAINST: dict[Measure, str] = {
    "right": "chance",
    "yes": "one half",
    "agreement": "shuffled names",
    "rating": "one half",
}


def spoken(condition: str) -> str:
    """A condition in words."""
    return condition.replace("_", " ")


@dataclass(frozen=True)
class Contrast:
    """``measure`` of the condition ``first`` ("": of all) against that of ``other`` ("": what chance gives)."""

    measure: Measure = "right"
    first: str = ""
    other: str = ""

    @property
    def text(self) -> str:
        """In words, as tables and the pre-registration name it."""
        one = spoken(self.first) if self.first else "all conditions"
        other = spoken(self.other) if self.other else AGAINST[self.measure]
        return f"{MEASURES[self.measure]}: {one} against {other}"


@dataclass(frozen=True)
class Study:
    """A designed study.

    ``pictures``: uint8 [m, side, side, 3]; ``remarks``: what the design had to do differently than asked;
    ``primary``: the contrast that it is made for; ``photos``: the photograph that each of the first pictures is cut
    of, -1 where that is not known.
    """

    name: str
    kind: Kind
    protocol: Protocol
    seed: int
    trials: tuple[Trial, ...]
    blocks: tuple[Block, ...]
    pictures: Bytes
    exclusion: Exclusion = field(default_factory=Exclusion)
    remarks: tuple[str, ...] = ()
    primary: Contrast = field(default_factory=Contrast)
    photos: tuple[int, ...] = ()

    def by_id(self) -> dict[str, Trial]:
        """Trials by their id."""
        return {trial.id: trial for trial in self.trials}


# The wording of every kind of trial. The papers did not publish theirs; this one is ours.
YES, NO, UNSURE = "Yes", "No", "I cannot tell"
SCALE = ("1 - nothing in common", "2", "3", "4", "5 - the same thing")
ALIGNABILITY_FORM = Form(
    "Five of these sets of pictures show the same thing or pattern. Which set does not belong?", choose=True
)
NAMING_FORM = Form("What do these pictures have in common?", texts=("A few words",))
COHERENCE_FORM = Form(
    "How much do these two sets of pictures have in common?", option_question="In common", options=SCALE
)


def intruder_form(shown: int) -> Form:
    """Form that asks which of ``shown`` pictures does not belong."""
    return Form(f"{shown - 1} of these pictures have something in common. Which does not belong?", choose=True)


def evolution_form(count: int) -> Form:
    """Form that asks for a name of each of ``count`` sets, and whether they show the same."""
    names = tuple(f"Set {chr(ord('A') + place)} shows" for place in range(count))
    question = "Name, in a few words, what the pictures of each set have in common."
    return Form(question, texts=names, option_question="Did it change between the sets?", options=(YES, NO, UNSURE))


def label_form(label: str) -> Form:
    """Form that asks whether ``label`` fits the pictures."""
    question = f"Do these pictures have this in common: “{label}”?"
    return Form(question, option_question="Does the label fit?", options=(YES, NO, UNSURE))


@dataclass(frozen=True)
class Draft:
    """A trial that has no id and no pictures yet: ``panels`` hold pairs of a pool row and a picture of it."""

    condition: str
    item: str
    form: Form
    panels: tuple[tuple[tuple[int, int], ...], ...]
    sources: tuple[str, ...]
    answer: int | None


def panel(row: int, count: int) -> tuple[tuple[int, int], ...]:
    """Panel of the first ``count`` pictures of a pool row."""
    return tuple((row, place) for place in range(count))


def sample(candidates: Ints, count: int, stream: np.random.Generator, what: str) -> list[int]:
    """``count`` different candidates at random.

    Raises
    ------
    EvoscopeError : there are fewer; names ``what`` they were wanted for.
    """
    if len(candidates) < count:
        raise EvoscopeError(
            f"{what} needs {count} entries, and the pool has {len(candidates)}",
            "give a larger pool or ask for fewer trials",
        )
    return [int(row) for row in stream.choice(candidates, count, replace=False)]


def balanced(count: int, positions: int, stream: np.random.Generator) -> list[int]:
    """``count`` positions, each used equally often up to one, in random order within every round."""
    rounds = [stream.permutation(positions) for _ in range(-(-count // positions))]
    return [int(place) for place in np.concatenate([*rounds, np.empty(0, int)])[:count]]


def opaque(seed: int, *names: str | int) -> str:
    """Name of 12 characters that reveals nothing without the seed."""
    return f"{derive(seed, 'opaque', *names):016x}"[-12:]
