"""From drafts to a study: ids, pictures, practice, catch and repeated trials, blocks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from evoscope.arrays import Bytes, Doubles
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from human_eval.design.blocks import consecutive_blocks, incomplete_blocks, with_extras
from human_eval.design.draft import Draft
from human_eval.design.positions import balanced, inserted, opaque
from human_eval.design.trial import Block, Exclusion, Form, Kind, Protocol, Role, Study, Trial

ATTENTION = "This question checks that you are reading."
WORD = "blue"
VIEWS = 2


@dataclass(frozen=True)
class Blocking:
    """How many ``blocks`` of how many main trials (``size``; 0: all), and what is added to each if corrected.

    ``blocks`` None: as many as show every trial twice. As released every trial is shown once, in blocks of ``size``.
    """

    blocks: int | None = 6
    size: int = 0
    practice: int = 2
    catch: int = 3
    repeats: int = 3


class Album:
    """Collects pictures, each once."""

    def __init__(self, source: Bytes) -> None:
        self.source = source
        self.rows: dict[tuple[int, int], int] = {}
        self.keys: list[tuple[int, int]] = []
        self.colours: dict[int, Doubles] = {}

    def number(self, picture: tuple[int, int]) -> int:
        """Row of a (pool row, picture) pair among the study's pictures."""
        if picture not in self.rows:
            self.rows[picture] = len(self.keys)
            self.keys.append(picture)
        return self.rows[picture]

    def colour(self, panel: tuple[int, ...]) -> Doubles:
        """Mean colour [3] of the pictures of a panel."""
        for picture in panel:
            if picture not in self.colours:
                self.colours[picture] = self.source[self.keys[picture]].mean(axis=(0, 1))
        return np.asarray(np.mean([self.colours[picture] for picture in panel], axis=0))

    def pictures(self) -> Bytes:
        """Collected pictures, uint8 [m, side, side, 3]."""
        rows, ranks = np.array(self.keys, dtype=np.int64).reshape(-1, 2).T
        return np.ascontiguousarray(self.source[rows, ranks])


@dataclass(frozen=True)
class Frame:
    """What all trials of a study share."""

    name: str
    kind: Kind
    protocol: Protocol
    seed: int
    exclusion: Exclusion


def assemble(frame: Frame, drafts: Sequence[Draft], source: Bytes, blocking: Blocking) -> Study:
    """Put a study together from ``drafts`` about the pictures ``source`` [n, k, side, side, 3]."""
    if not drafts:
        raise EvoscopeError(
            f"the pool gives no trial of kind {frame.kind}", "give a pool with labels or more entries"
        )
    album = Album(source)
    main = [_trial(frame, draft, album, "main", place) for place, draft in enumerate(drafts)]
    groups = _groups(frame, main, blocking)
    blocks, extras = [[main[place].id for place in group] for group in groups], list[Trial]()
    if frame.protocol == "corrected":
        blocks, extras = _extended(frame, main, groups, blocking, album)
    named = tuple(Block(opaque(frame.seed, "block", n), tuple(ids)) for n, ids in enumerate(blocks))
    remarks = _remarks(main)
    return Study(
        frame.name, frame.kind, frame.protocol, frame.seed, (*main, *extras), named, album.pictures(),
        frame.exclusion, remarks,
    )  # fmt: skip


def _remarks(main: list[Trial]) -> tuple[str, ...]:
    stand_in = "No sets were hand-picked: the tightest groups of the base model stand in for them."
    return (stand_in,) if any(trial.condition == "tightest" for trial in main) else ()


def _trial(frame: Frame, draft: Draft, album: Album, role: Role, place: int | str) -> Trial:
    panels = tuple(tuple(album.number(picture) for picture in panel) for panel in draft.panels)
    name = opaque(frame.seed, frame.kind, role, place)
    return Trial(
        name, frame.kind, draft.condition, draft.item, draft.form, panels, draft.sources, draft.answer, role
    )


def _groups(frame: Frame, main: list[Trial], blocking: Blocking) -> list[list[int]]:
    size = blocking.size or len(main)
    if frame.protocol == "as_released":
        return consecutive_blocks(len(main), -(-len(main) // size))
    size = min(size, len(main))
    strata = [trial.condition for trial in main]
    blocks = ceil(VIEWS * len(main) / size) if blocking.blocks is None else blocking.blocks
    return incomplete_blocks(strata, blocks, size, frame.seed)


def _extended(
    frame: Frame, main: list[Trial], groups: list[list[int]], blocking: Blocking, album: Album
) -> tuple[list[list[str]], list[Trial]]:
    stream = generator(frame.seed, "extras")
    practice = [_easy(frame, main, album, "practice", n, stream) for n in range(blocking.practice)]
    catch = [_easy(frame, main, album, "catch", n, stream) for n in range(blocking.catch)]
    blocks, again = list[list[str]](), dict[str, Trial]()
    for group in groups:
        early = group[: max(1, len(group) // 2)]
        picked = [main[early[n]] for n in range(min(blocking.repeats, len(early)))]
        repeats = [again.setdefault(trial.id, _repeat(frame, trial, stream)) for trial in picked]
        shown = [main[place].id for place in group]
        blocks.append(with_extras(shown, _ids(practice), _ids(catch), _ids(repeats), stream))
    return blocks, [*practice, *catch, *again.values()]


def _ids(trials: list[Trial]) -> list[str]:
    return [trial.id for trial in trials]


def _repeat(frame: Frame, trial: Trial, stream: np.random.Generator) -> Trial:
    """The same question again; where a panel is chosen, the panels have moved on."""
    turn = int(stream.integers(1, len(trial.panels))) if trial.form.choose else 0
    moved = [(place - turn) % len(trial.panels) for place in range(len(trial.panels))]
    answer = trial.answer
    if trial.form.choose and answer is not None:
        answer = (answer + turn) % len(trial.panels)
    return replace(
        trial,
        id=opaque(frame.seed, "repeat", trial.id),
        panels=tuple(trial.panels[place] for place in moved),
        sources=tuple(trial.sources[place] for place in moved) if trial.form.choose else trial.sources,
        answer=answer,
        role="repeat",
    )


def _easy(
    frame: Frame, main: list[Trial], album: Album, role: Role, number: int, stream: np.random.Generator
) -> Trial:
    """A trial that nobody who looks can miss.

    Where a panel is chosen: one panel many times over and a foreign one. Otherwise the form itself says what to
    answer (catch), or is an ordinary one (practice).
    """
    name = opaque(frame.seed, frame.kind, role, number)
    model = main[int(stream.integers(len(main)))]
    if model.form.choose:
        return _obvious(frame, main, model, album, name, role, number, stream)
    if role == "practice":
        return replace(model, id=name, role=role, condition=role, item=f"{role}-{number}", answer=None)
    form, answer = _instructed(model.form, number)
    item = f"{role}-{number}"
    return replace(model, id=name, role=role, condition=role, item=item, form=form, answer=answer)


def _instructed(form: Form, number: int) -> tuple[Form, int]:
    if form.options:
        answer = number % len(form.options)
        question = f"{ATTENTION} Please choose “{form.options[answer]}”; in text fields, write anything."
        return replace(form, question=question), answer
    # Nothing to choose: analysis compares the text to the word.
    return replace(form, question=f"{ATTENTION} Please write the word {WORD}."), 0


def _obvious(
    frame: Frame, main: list[Trial], model: Trial, album: Album, name: str, role: Role, number: int,
    stream: np.random.Generator,
) -> Trial:  # fmt: skip
    shown = len(model.panels)
    colours = {panel: album.colour(panel) for trial in main for panel in trial.panels}
    same = model.panels[int(stream.integers(shown))]
    odd = max(colours, key=lambda panel: float(np.abs(colours[panel] - colours[same]).sum()))
    place = (balanced(shown, shown, generator(frame.seed, "easy", role)) * (number + 1))[number]
    copies = [0] * (shown - 1)
    panels = tuple(odd if part else same for part in inserted(copies, 1, place))
    return replace(
        model, id=name, condition=role, item=f"{role}-{number}", panels=panels,
        sources=("",) * shown, answer=place, role=role,
    )  # fmt: skip
