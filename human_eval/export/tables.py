"""Comma- and tab-separated text that spreadsheets do not take for formulas, and back."""

import csv
from io import StringIO

GUARD = "'"
RISKY = tuple("=+-@\t\r")


def guarded(text: str) -> str:
    """``text`` with an apostrophe before what a spreadsheet would take for a formula (or for such an apostrophe)."""
    return GUARD + text if text.startswith((*RISKY, GUARD)) else text


def unguarded(text: str) -> str:
    """What `guarded` was given."""
    return text[1:] if text.startswith(GUARD) else text


def to_table(columns: list[str], rows: list[dict[str, str]], delimiter: str = ",") -> str:
    """Rows as text, guarded and quoted where needed."""
    stream = StringIO()
    writer = csv.DictWriter(stream, columns, delimiter=delimiter, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows({name: guarded(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def from_table(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    """What `to_table` was given."""
    rows = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    return [{name: unguarded(value) for name, value in row.items()} for row in rows]
