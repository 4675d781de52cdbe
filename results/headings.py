"""Headings that several figures share."""

from evoscope.viz import Sheet
from evoscope.viz.style import LARGE, QUIET, SMALL, Look, look_of, width_of
from results.about import About

WIDEST = 3.0  # inches for a run's name


def run_heading(sheet: Sheet, left: float, top: float, run: str, about: About) -> None:
    """Write a run's name behind a dot of its colour, then its recipe in grey."""
    name = full_name(look_of(run), run)
    sheet.swatch(left, top, look_of(run).colour, marker="o")
    sheet.text(left + 0.12, top, name, room=WIDEST, size=LARGE, bold=True)
    left += 0.12 + min(width_of(name, LARGE, bold=True), WIDEST) + 0.12
    room = max(sheet.width - left - 0.07, 0.1)
    sheet.text(left, top + 0.025, about.recipes.get(run, ""), room=room, size=SMALL, color=QUIET)


def full_name(look: Look, run: str) -> str:
    """Return the family and what sets the run apart in it; an unknown run's own name."""
    return run if look.label == run else f"{look.family}, {look.variant}"
