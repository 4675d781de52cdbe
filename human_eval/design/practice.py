"""Drawn stripes and dots, by which participants practise: what is right is known, and no material is used up."""

from dataclasses import dataclass

import numpy as np

from evoscope.arrays import Bytes
from evoscope.seeds import generator
from human_eval.design.trial import Form, Kind, label_form

STRIPES, DOTS = "stripes", "dots"
BEND = 0.35  # by how much of their distance the dots of a lattice are moved, at most


@dataclass(frozen=True)
class Lesson:
    """A question whose answer is known: its ``form``, the thing that each panel shows, and the right ``answer``."""

    form: Form
    things: tuple[str, ...]
    answer: int | None


def lesson(kind: Kind, form: Form, panels: int, number: int, place: int) -> Lesson:
    """Lesson ``number`` of a kind.

    Parameters
    ----------
    form, panels : of the kind's trials, whose wording and number of panels it has.
    place : of the panel that does not belong, where one is chosen.
    """
    first = number % 2 == 0
    if form.choose:
        things = [STRIPES] * panels
        things[place] = DOTS
        return Lesson(form, tuple(things), place)
    if kind == "label_agreement":
        things = [STRIPES if first else DOTS] * panels
        return Lesson(label_form(STRIPES), tuple(things), 0 if first else 1)
    if kind == "pairwise_coherence":
        return Lesson(form, (STRIPES, STRIPES if first else DOTS), len(form.options) - 1 if first else 0)
    if kind == "evolution_label":
        return Lesson(form, (*[STRIPES] * (panels - 1), DOTS if first else STRIPES), 0 if first else 1)
    return Lesson(form, (STRIPES if first else DOTS,) * panels, None)


def drawn(thing: str, count: int, side: int, seed: int, *names: str | int) -> Bytes:
    """Pictures of stripes or of dots, each in other colours, sizes and places: uint8 [count, side, side, 3]."""
    stream = generator(seed, "drawn", thing, *names)
    return np.stack([_picture(thing, side, stream) for _ in range(count)])


def _picture(thing: str, side: int, stream: np.random.Generator) -> Bytes:
    rows, columns = np.mgrid[0:side, 0:side] / side
    angle, period = stream.uniform(0, np.pi), stream.uniform(0.2, 0.34)
    along = columns * np.cos(angle) + rows * np.sin(angle) + stream.uniform()
    across = rows * np.cos(angle) - columns * np.sin(angle) + stream.uniform()
    if thing == STRIPES:
        marked = along / period % 1 < 0.5
    else:
        cells = np.floor(along / period) * 7 + np.floor(across / period) * 13
        bent = BEND * (np.modf(np.sin(cells) * 97)[0])
        distance = np.hypot(along / period % 1 - 0.5 + bent / 4, across / period % 1 - 0.5 - bent / 4)
        marked = distance < 0.3
    ink, paper = stream.integers(20, 130, 3), stream.integers(170, 250, 3)
    return np.where(marked[..., None], ink, paper).astype(np.uint8)
