"""A study and its parts: what is shown, what is asked, and what is right."""

from dataclasses import dataclass, field
from typing import Literal

from evoscope.arrays import Bytes

Kind = Literal[
    "alignability",
    "evolution_label",
    "image_intruder",
    "label_agreement",
    "concept_naming",
    "pairwise_coherence",
]
KINDS: tuple[Kind, ...] = (
    "alignability",
    "evolution_label",
    "image_intruder",
    "label_agreement",
    "concept_naming",
    "pairwise_coherence",
)
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

    ``min_catch``: share of catch trials answered rightly; ``min_median_ms``: median response time;
    ``max_same_position``: share of main choices of one position (asked of at least ten); ``min_complete``: share of
    the block answered; ``min_repeat``: share of repeated trials answered alike (asked of at least three).
    """

    min_catch: float = 0.7
    min_median_ms: int = 800
    max_same_position: float = 0.7
    min_complete: float = 0.5
    min_repeat: float = 0.0


@dataclass(frozen=True)
class Study:
    """A designed study.

    ``pictures``: uint8 [m, side, side, 3]; ``remarks``: what the design had to do differently than asked.
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

    def by_id(self) -> dict[str, Trial]:
        """Trials by their id."""
        return {trial.id: trial for trial in self.trials}
