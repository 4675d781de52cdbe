"""From a pool and a seed to a study: trials with ids and pictures, practice, catch and repeated trials, blocks."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np

from evoscope.arrays import Bytes, Doubles, Ints
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from human_eval.design.baselines import given_away
from human_eval.design.blocks import incomplete_blocks, with_extras
from human_eval.design.contrast import ENOUGH_ITEMS, FEWEST_ITEMS, WANTED, primary_contrast
from human_eval.design.kinds import (
    Alignability,
    alignability,
    concept_naming,
    evolution_label,
    image_intruder,
    label_agreement,
    pairwise_coherence,
)
from human_eval.design.pools import ConceptPool, NeuronPool
from human_eval.design.practice import drawn, lesson
from human_eval.design.trial import (
    Block,
    Contrast,
    Draft,
    Exclusion,
    Kind,
    Protocol,
    Study,
    Trial,
    balanced,
    opaque,
    spoken,
)

NEURON_KINDS: tuple[Kind, ...] = ("alignability", "evolution_label", "pairwise_coherence")
STAND_IN = "No sets were hand-picked: the tightest groups of the base model stand in for them."
UNCHECKED = "Nothing tells what these pictures show: keys follow from how items were made, and are not checked."
ATTENTION = "This question checks that you are reading."
WORD = "blue"  # what a catch trial without options asks to write
VIEWS = 2  # of every trial, where the number of blocks is free
# From pool rows and ranks [m] of pictures to these, uint8 [m, side, side, 3].
Cut = Callable[[Ints, Ints], Bytes]


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


@dataclass(frozen=True)
class Options:
    """Sizes: ``count`` (neurons a model, or pairs), ``pictures`` a panel, ``shown`` images with an intruder.

    ``items``: how many each condition must have at least, or the design is refused.
    """

    alignability: Alignability = field(default_factory=Alignability)
    count: int = 25
    pictures: int = 9
    shown: int = 5
    items: int = 0
    blocking: Blocking = field(default_factory=Blocking)
    exclusion: Exclusion = field(default_factory=Exclusion)


def design(
    kind: Kind,
    pool: NeuronPool | ConceptPool,
    seed: int,
    protocol: Protocol = "corrected",
    options: Options | None = None,
    name: str = "",
    cut: Cut | None = None,
) -> Study:
    """Design a study; the same arguments give the same study.

    Parameters
    ----------
    cut : called once, with only the pictures that are shown; the pool's own pictures may then have no pixels, and only
        tell k. None: the pool's own pictures.

    Raises
    ------
    EvoscopeError : the pool is of the wrong sort or too small; says what is lacking.
    """
    options = options or Options()
    if isinstance(pool, NeuronPool) != (kind in NEURON_KINDS):
        given, wanted = ("concepts", "neuron") if kind in NEURON_KINDS else ("neurons", "concept")
        raise EvoscopeError(f"{kind} was given {given}", f"give a {wanted} pool")
    drafts = _drafts(kind, pool, options, protocol, seed)
    source = pool.patches if isinstance(pool, NeuronPool) else pool.images
    few = _few_items(drafts, options.items) if protocol == "corrected" else ()
    pairs = sorted({pair for draft in drafts for panel in draft.panels for pair in panel})
    told = pool.photos if isinstance(pool, NeuronPool) and pool.photos.size else None
    photos = {pair: int(told[pair]) for pair in pairs} if told is not None else {}
    if cut is not None:
        photos = {(number, 0): photos[pair] for number, pair in enumerate(pairs) if pair in photos}
        drafts, source = _cut(drafts, pairs, cut)
    if 0 in source.shape:
        raise EvoscopeError("the pool has no pictures", "give a pool with pictures, or how to cut them")
    frame = Study(name or kind, kind, protocol, seed, (), (), source, options.exclusion)
    study = assemble(frame, drafts, options.blocking, photos)
    study = replace(study, remarks=(*study.remarks, *given_away(study)))
    # Keys of other kinds rest on nothing that pictures show.
    shown = kind not in ("image_intruder", "label_agreement") or bool(getattr(pool, "names", ()))
    unchecked = () if protocol == "as_released" or shown else (UNCHECKED,)
    short = _short(kind, pool, drafts, options.count)
    instead = _instead(study.primary, kind) if protocol == "corrected" else ()
    return replace(study, remarks=(*study.remarks, *instead, *unchecked, *short, *few))


def _instead(primary: Contrast, kind: Kind) -> tuple[str, ...]:
    """Says so where the primary contrast is not the one that the kind is made for."""
    _, firsts, others = WANTED[kind]
    if (primary.first or None, primary.other or None) == (next(iter(firsts), None), next(iter(others), None)):
        return ()
    return (f"The pool lacks a condition, so the primary contrast is another: {primary.text}.",)


def _few_items(drafts: Sequence[Draft], least: int) -> tuple[str, ...]:
    """Names the conditions with fewer items than a study should have; refuses fewer than ``least``."""
    counts = Counter(draft.condition for draft in drafts)
    for condition, count in counts.items():
        if count < least:
            raise EvoscopeError(
                f"the pool gives {count} items of condition {condition}, and {least} were asked for",
                "give a larger pool, or ask for fewer",
            )
    few = ", ".join(f"{count} of {spoken(name)}" for name, count in counts.items() if count < ENOUGH_ITEMS)
    narrow = any(count < FEWEST_ITEMS for count in counts.values())
    warning = f" Below {FEWEST_ITEMS} the intervals over items may be too narrow." if narrow else ""
    return (f"Fewer than {ENOUGH_ITEMS} items: {few}.{warning}",) if few else ()


def _drafts(kind: Kind, pool: NeuronPool | ConceptPool, options: Options, protocol: Protocol, seed: int) -> list[Draft]:
    count, pictures = options.count, options.pictures
    if isinstance(pool, NeuronPool):
        if kind == "alignability":
            return alignability(pool, options.alignability, protocol, seed)
        if kind == "evolution_label":
            return evolution_label(pool, count, pictures, protocol, seed)
        return pairwise_coherence(pool, count, pictures, protocol, seed)
    if kind == "image_intruder":
        return image_intruder(pool, options.shown, protocol, seed)
    if kind == "label_agreement":
        return label_agreement(pool, pictures, protocol, seed)
    return concept_naming(pool, pictures)


def _cut(drafts: Sequence[Draft], pairs: list[tuple[int, int]], cut: Cut) -> tuple[list[Draft], Bytes]:
    """Renumbers the pictures of the drafts, which are all ``pairs``, and cuts only those."""
    place = {pair: (number, 0) for number, pair in enumerate(pairs)}
    moved = [
        replace(draft, panels=tuple(tuple(place[pair] for pair in panel) for panel in draft.panels)) for draft in drafts
    ]
    rows, ranks = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return moved, cut(rows, ranks)[:, None]


def _short(kind: Kind, pool: NeuronPool | ConceptPool, drafts: Sequence[Draft], wanted: int) -> tuple[str, ...]:
    """Names the models that have fewer neurons to follow than wanted."""
    if kind != "evolution_label" or not isinstance(pool, NeuronPool):
        return ()
    counts = {model: sum(draft.condition == model for draft in drafts) for model in dict.fromkeys(pool.model)}
    return tuple(
        f"Only {count} neurons of {model} have a place in the space at all stages, not {wanted}."
        for model, count in counts.items()
        if count < wanted
    )


class Album:
    """Collects pictures, each once."""

    def __init__(self, source: Bytes) -> None:
        self.source = source
        self.rows: dict[tuple[int, int], int] = {}
        self.keys: list[tuple[int, int]] = []
        self.drawn: list[Bytes] = []
        self.colours: dict[int, Doubles] = {}

    def number(self, picture: tuple[int, int]) -> int:
        """Row of a (pool row, picture) pair among the study's pictures."""
        if picture not in self.rows:
            self.rows[picture] = len(self.keys)
            self.keys.append(picture)
        return self.rows[picture]

    def draw(self, pictures: Bytes) -> tuple[int, ...]:
        """Rows of ``pictures`` [k, side, side, 3], which come after those of the source once all are collected."""
        self.drawn.extend(pictures)
        return tuple(-row for row in range(len(self.drawn) - len(pictures) + 1, len(self.drawn) + 1))

    def row(self, number: int) -> int:
        """Row in `pictures` of a number that `number` or `draw` gave."""
        return number if number >= 0 else len(self.keys) - number - 1

    def colour(self, panel: tuple[int, ...]) -> Doubles:
        """Mean colour [3] of the pictures of a panel."""
        for picture in panel:
            if picture not in self.colours:
                self.colours[picture] = self.source[self.keys[picture]].mean(axis=(0, 1))
        return np.asarray(np.mean([self.colours[picture] for picture in panel], axis=0))

    def pictures(self) -> Bytes:
        """Collected pictures, uint8 [m, side, side, 3]."""
        rows, ranks = np.array(self.keys, dtype=np.int64).reshape(-1, 2).T
        return np.ascontiguousarray(np.concatenate([self.source[rows, ranks], *[p[None] for p in self.drawn]]))


def assemble(frame: Study, drafts: Sequence[Draft], blocking: Blocking, photos: Mapping[tuple[int, int], int]) -> Study:
    """Fill a study without trials, whose pictures are still those of its pool [n, k, side, side, 3], from ``drafts``.

    ``photos``: the photograph that a picture (row, rank) is cut of, where that is known.

    Raises
    ------
    EvoscopeError : there are no drafts.
    """
    if not drafts:
        raise EvoscopeError(f"the pool gives no trial of kind {frame.kind}", "give a pool with labels or more entries")
    album = Album(frame.pictures)
    main = [_trial(frame, draft, album, place) for place, draft in enumerate(drafts)]
    groups = _groups(frame, main, blocking)
    blocks, extras = [[main[place].id for place in group] for group in groups], list[Trial]()
    if frame.protocol == "corrected":
        blocks, extras = _extended(frame, main, groups, blocking, album)
    # Practice pictures are numbered from the end while others may still be added.
    extras = [replace(trial, panels=tuple(tuple(map(album.row, panel)) for panel in trial.panels)) for trial in extras]
    named = tuple(
        Block(f"{frame.kind}-{opaque(frame.seed, frame.name, frame.kind, 'block', n)[:8]}", tuple(ids))
        for n, ids in enumerate(blocks)
    )
    tightest = any(trial.condition == "tightest" for trial in main)
    return replace(
        frame, trials=(*main, *extras), blocks=named, pictures=album.pictures(),
        remarks=(STAND_IN,) if tightest else (), primary=primary_contrast(frame.kind, main),
        photos=tuple(photos.get(pair, -1) for pair in album.keys),
    )  # fmt: skip


def _trial(frame: Study, draft: Draft, album: Album, place: int) -> Trial:
    panels = tuple(tuple(album.number(picture) for picture in panel) for panel in draft.panels)
    name = opaque(frame.seed, frame.kind, "main", place)
    return Trial(name, frame.kind, draft.condition, draft.item, draft.form, panels, draft.sources, draft.answer)


def _groups(frame: Study, main: list[Trial], blocking: Blocking) -> list[list[int]]:
    size = blocking.size or len(main)
    if frame.protocol == "as_released":
        return [part.tolist() for part in np.array_split(np.arange(len(main)), ceil(len(main) / size))]
    size = min(size, len(main))
    strata = [trial.condition for trial in main]
    blocks = ceil(VIEWS * len(main) / size) if blocking.blocks is None else blocking.blocks
    return incomplete_blocks(strata, blocks, size, frame.seed)


def _extended(
    frame: Study, main: list[Trial], groups: list[list[int]], blocking: Blocking, album: Album
) -> tuple[list[list[str]], list[Trial]]:
    stream = generator(frame.seed, "extras")
    practice = [_practice(frame, main[0], album, number) for number in range(blocking.practice)]
    catch = [_easy(frame, main, album, n, stream) for n in range(blocking.catch)]
    blocks, again = list[list[str]](), dict[str, Trial]()
    for group in groups:
        early = group[: max(1, len(group) // 2)]
        picked = [main[early[n]] for n in range(min(blocking.repeats, len(early)))]
        repeats = [again.setdefault(trial.id, _repeat(frame, trial, stream)) for trial in picked]
        shown = with_extras([main[place] for place in group], practice, catch, repeats, stream)
        blocks.append([trial.id for trial in shown])
    return blocks, [*practice, *catch, *again.values()]


def _repeat(frame: Study, trial: Trial, stream: np.random.Generator) -> Trial:
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


def _practice(frame: Study, model: Trial, album: Album, number: int) -> Trial:
    """A lesson on drawn pictures, of the form of ``model``."""
    shown, side = len(model.panels), album.source.shape[2]
    place = balanced(shown, shown, generator(frame.seed, "easy", "practice"))[number % shown]
    taught = lesson(frame.kind, model.form, shown, number, place)
    panels = tuple(
        album.draw(drawn(thing, len(panel), side, frame.seed, number, at))
        for at, (thing, panel) in enumerate(zip(taught.things, model.panels, strict=True))
    )
    return replace(
        model, id=opaque(frame.seed, frame.kind, "practice", number), condition="practice",
        item=f"practice-{number}", form=taught.form, panels=panels, sources=("",) * shown,
        answer=taught.answer, role="practice",
    )  # fmt: skip


def _easy(frame: Study, main: list[Trial], album: Album, number: int, stream: np.random.Generator) -> Trial:
    """One that nobody can miss who looks: a panel many times over and a foreign one, or a form that says the answer."""
    model = main[int(stream.integers(len(main)))]
    easy = replace(
        model, id=opaque(frame.seed, frame.kind, "catch", number), role="catch", condition="catch",
        item=f"catch-{number}",
    )  # fmt: skip
    if model.form.choose:
        shown = len(easy.panels)
        colours = {panel: album.colour(panel) for trial in main for panel in trial.panels}
        same = easy.panels[int(stream.integers(shown))]
        odd = max(colours, key=lambda panel: float(np.abs(colours[panel] - colours[same]).sum()))
        place = (balanced(shown, shown, generator(frame.seed, "easy", "catch")) * (number + 1))[number]
        panels = tuple(odd if at == place else same for at in range(shown))
        return replace(easy, panels=panels, sources=("",) * shown, answer=place)
    options = model.form.options
    answer = number % max(1, len(options))
    # Where there is nothing to choose, analysis compares the text to the word.
    asked = f"choose “{options[answer]}”; in text fields, write anything" if options else f"write the word {WORD}"
    form = replace(model.form, question=f"{ATTENTION} Please {asked}.")
    return replace(easy, form=form, answer=answer)
