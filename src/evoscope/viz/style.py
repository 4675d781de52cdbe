"""The look of every figure."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from matplotlib import style
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

STYLE = Path(__file__).with_name("evoscope.mplstyle")

# The greys of everything that is not a model.
INK = "#222222"
QUIET = "#707070"
FAINT = "#b5b5b5"
BACKDROP = "#d9d9d9"
WRONG = "#c00000"  # numbers that are the message
# Sizes in points: names of regions, headings, text, and the smallest text there is.
HUGE, LARGE, NORMAL, SMALL = 11.0, 8.5, 7.0, 6.2


@contextmanager
def use_style() -> Iterator[None]:
    """Draw and save with the packaged style; matplotlib's settings are as before afterwards.

    The reader's own ``matplotlibrc`` has no say inside, so that figures have the same bytes for everyone.
    """
    with style.context(str(STYLE), after_reset=True):
        yield


@dataclass(frozen=True)
class Look:
    """How a run appears: its colour and label, its family of networks, and what sets it apart there ("": nothing)."""

    colour: str
    label: str
    family: str
    variant: str


LOOKS = {
    "vgg19": Look("#d95f02", "VGG19", "VGG19", ""),
    "vgg16": Look("#7570b3", "VGG16", "VGG16", ""),
    "vgg16_large_lr": Look("#e6ab02", "VGG16, large lr", "VGG16", "learning rate too large"),
    "vgg16_no_dropout": Look("#666666", "VGG16, no dropout", "VGG16", "no dropout"),
    "inception_v3": Look("#1b9e77", "InceptionV3", "InceptionV3", ""),
    "inception_v3_large_lr": Look("#a6761d", "InceptionV3, large lr", "InceptionV3", "learning rate too large"),
    "convnext": Look("#e7298a", "ConvNeXt", "ConvNeXt", ""),
    # Not a run: what is measured over all models together.
    "all": Look(INK, "all models", "all models", ""),
}
# Blue and green tones that none of the known runs has.
SPARE = ("#0072b2", "#66a61e", "#56b4e9", "#332288", "#117733", "#0b5c6b", "#8aa6d8", "#44aa99", "#1f3fd1", "#9bbf3b")
_TOGETHER: ContextVar[tuple[str, ...]] = ContextVar("runs that are shown together", default=())


@contextmanager
def shown_together(runs: Iterable[str]) -> Iterator[None]:
    """Give runs of one job different colours, as far as there are spare ones."""
    token = _TOGETHER.set(tuple(sorted(runs)))
    try:
        yield
    finally:
        _TOGETHER.reset(token)


def look_of(run: str) -> Look:
    """Look of any run; an unknown one is called by its own name and keeps its colour through the figures of a job."""
    if run in LOOKS:
        return LOOKS[run]
    given: dict[str, str] = {}
    for each in dict.fromkeys([*_TOGETHER.get(), run]):
        if each not in LOOKS:
            first = int.from_bytes(sha256(each.encode()).digest()[:4], "big") % len(SPARE)
            wanted = [*SPARE[first:], *SPARE[:first]]
            given[each] = next((colour for colour in wanted if colour not in given.values()), wanted[0])
    return Look(given[run], run, run, "")


def colour_of(run: str) -> str:
    """Colour of a run, ``#rrggbb``."""
    return look_of(run).colour


def label_of(run: str) -> str:
    """Readable name of a run."""
    return look_of(run).label


def family_of(run: str) -> str:
    """Architecture that a run shares with its variants."""
    return look_of(run).family


DOTS = "…"
_RULER = TextToPath()


@lru_cache(maxsize=8192)
def width_of(text: str, size: float, bold: bool = False) -> float:
    """Width in inches of one line of ``text`` set in ``size`` points."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    width, _, _ = _RULER.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def plain(text: str) -> str:
    """``text`` with nothing that matplotlib would read as mathematics."""
    return text.replace("$", r"\$")


def elide(text: str, room: float, size: float, bold: bool = False, where: str = "end") -> str:
    """Cut ``text`` to ``room`` inches at its ``end``, or in its ``middle`` where both ends tell more (layers)."""
    if width_of(text, size, bold) <= room:
        return text
    cuts = (_cut(text, kept, where) for kept in range(len(text) - 1, 0, -1))
    return next((short for short in cuts if width_of(short, size, bold) <= room), DOTS)


def _cut(text: str, kept: int, where: str) -> str:
    if where == "end":
        return text[:kept].rstrip() + DOTS
    tail = (2 * kept + 2) // 3
    return text[: kept - tail] + DOTS + text[len(text) - tail :]


def wrap(text: str, room: float, size: float, lines: int, bold: bool = False) -> str:
    """Break ``text`` at spaces, not before ``%``, into at most ``lines`` lines of ``room`` inches; the rest is cut."""
    rows: list[str] = []
    words = re.split(" (?!%)", text)
    while words and len(rows) < lines - 1:
        taken = _fitting(words, room, size, bold)
        rows.append(elide(" ".join(words[:taken]), room, size, bold))
        words = words[taken:]
    if words:
        rows.append(elide(" ".join(words), room, size, bold))
    return "\n".join(rows)


def _fitting(words: list[str], room: float, size: float, bold: bool) -> int:
    """How many of the first words fit on one line (at least one)."""
    fits = (n for n in range(len(words), 1, -1) if width_of(" ".join(words[:n]), size, bold) <= room)
    return next(fits, 1)
