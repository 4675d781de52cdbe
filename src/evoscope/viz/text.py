"""Text that fits: names are cut to the room there is, measured with the font itself."""

from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

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
    for kept in range(len(text) - 1, 0, -1):
        short = _cut(text, kept, where)
        if width_of(short, size, bold) <= room:
            return short
    return DOTS


def _cut(text: str, kept: int, where: str) -> str:
    if where == "end":
        return text[:kept].rstrip() + DOTS
    tail = (2 * kept + 2) // 3
    return text[: kept - tail] + DOTS + text[len(text) - tail :]


def wrap(text: str, room: float, size: float, lines: int) -> str:
    """Break ``text`` at spaces into at most ``lines`` lines of ``room`` inches, cutting what does not fit."""
    rows: list[str] = []
    words = text.split(" ")
    while words and len(rows) < lines - 1:
        taken = _fitting(words, room, size)
        rows.append(elide(" ".join(words[:taken]), room, size))
        words = words[taken:]
    if words:
        rows.append(elide(" ".join(words), room, size))
    return "\n".join(rows)


def _fitting(words: list[str], room: float, size: float) -> int:
    """How many of the first words fit on one line (at least one)."""
    for taken in range(len(words), 1, -1):
        if width_of(" ".join(words[:taken]), size) <= room:
            return taken
    return 1
