"""Files as they are after an accident: bytes cut, turned and overwritten, documents and tables with entries changed."""

import copy
import csv
import io
import random
from collections.abc import Callable
from typing import Any

Bytes = Callable[[bytes, random.Random], bytes]

BYTES: dict[str, Bytes] = {
    "empty": lambda content, draw: b"",
    "truncated": lambda content, draw: content[: draw.randrange(len(content))],
    "cut near its end": lambda content, draw: content[: -draw.randrange(1, 40)],
    "without its head": lambda content, draw: content[draw.randrange(1, 20) :],
    "a text": lambda content, draw: b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "a page": lambda content, draw: b"<!DOCTYPE html><html><title>404 Not Found</title></html>",
    "zeros": lambda content, draw: bytes(len(content)),
    "noise": lambda content, draw: draw.randbytes(len(content)),
    "turned bytes": lambda content, draw: _turned(content, draw),
    "a hole": lambda content, draw: _hole(content, draw),
    "another encoding": lambda content, draw: b"\xff\xfe" + content[: 2 * (len(content) // 2)],
}
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 99, 1.5, 10**30, float("nan"), float("inf"), "", "x", "99", "é\u0000", "1e400"),
    *([], {}, [1], [None], {"a": 1}, [[1]], [["x"]]),
)


def _turned(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 3, 30])):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _hole(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content))
    length = min(draw.randrange(1, 200), len(content) - start)
    return content[:start] + bytes(length) + content[start + length :]


def spoilt(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    """What was done to a file, and what it holds then."""
    kind = draw.choice(sorted(BYTES))
    return kind, BYTES[kind](content, draw)


def changed(document: Any, draw: random.Random) -> tuple[str, Any]:
    """A document of lists and mappings with an entry removed, renamed, doubled, or of another value."""
    whole = copy.deepcopy(document)
    places = list(_places(whole, ()))
    if not places or draw.random() < 0.03:
        value = draw.choice(ODD)
        return f"all is {value!r}", value
    path, holder, key = draw.choice(places)
    kind = draw.choice(["removed", "renamed", "doubled", "odd", "odd", "odd"])
    if kind == "removed":
        del holder[key]
    elif kind == "renamed" and isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    elif kind == "doubled" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    else:
        holder[key] = draw.choice(ODD)
        kind = f"{holder[key]!r}"
    return f"{'.'.join(map(str, path))} {kind}", whole


def _places(node: Any, path: tuple[Any, ...]) -> Any:
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield (*path, key), node, key
        yield from _places(node[key], (*path, key))


def changed_table(text: str, draw: random.Random) -> tuple[str, str]:
    """A table of comma-separated values with rows and columns doubled, left out, reordered, or an odd cell."""
    rows = list(csv.reader(io.StringIO(text)))
    row, column = draw.randrange(len(rows)), draw.randrange(len(rows[0]))
    kind = draw.choice(["less", "twice", "short", "cell", "cell", "column", "head", "extra", "order", "semicolon"])
    if kind == "less":
        del rows[row]
    elif kind == "twice":
        rows.append(list(rows[row]))
    elif kind == "short":
        rows[row].pop()
    elif kind == "cell":
        rows[row][column] = draw.choice(["", "2", "-1", "nan", "yes", "0.5", "é", '"', "a,b", " ", "0" * 10_000])
    elif kind == "column":
        rows = [[cell for place, cell in enumerate(each) if place != column] for each in rows]
    elif kind == "head":
        rows[0] = list(rows[row])
    elif kind == "extra":
        rows.append(["nowhere.png", *rows[-1][1:]])
    elif kind == "order":
        rows[1:] = draw.sample(rows[1:], len(rows) - 1)
    out = io.StringIO()
    csv.writer(out, delimiter=";" if kind == "semicolon" else ",").writerows(rows)
    return f"{kind} at {row}, {column}", out.getvalue()
