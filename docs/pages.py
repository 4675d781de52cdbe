"""What the pages take from elsewhere: values of ``conf/`` and findings of ``results/paper``.

``python -m docs.pages`` writes what stands between ``<!-- written: ... -->`` and ``<!-- end -->`` anew in all pages. Of
a table of values the first two cells of a row, key and words, are the page's own: a key of ``conf/`` without words is
refused, and so are words about a key that there is not.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import pandas as pd
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, ListConfig, OmegaConf

from evoscope.errors import EvoscopeError
from experiments.schema import register
from results.ledger.claim import DASH
from results.page_style import markdown, with_interval
from results.registry import entries
from results.report import PICTURES

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
CONF = ROOT / "conf"
PAPER = ROOT / "results" / "paper"
BLOCK = re.compile(r"(<!-- written: (?P<what>.+?) -->\n)(?P<body>.*?)(<!-- end -->)", re.DOTALL)
ROW = re.compile(r"^\| `(?P<key>[^`]+)` \| (?P<words>.*?) \|", re.MULTILINE)
SCALES, PROTOCOLS = ("smoke", "laptop", "desk", "gpu", "imagenet"), ("as_released", "v1", "corrected")
# Keys that name a group or its class, and choose nothing.
NAMES = ("name", "defaults", "_target_")
OF_ANOTHER = re.compile(r"\$\{(?:oc\.env:\w+,)?(scale\.|protocol\.|\.)?([\w.]*)\}")
ESTIMATE = "`dry_run=true` estimates it for your machine, with disk and memory."
NOT_KEPT = "Not in `results/paper` yet."

Values = Mapping[str, Sequence[str]]


def written(text: str) -> str:
    """A page with its blocks written anew.

    Raises
    ------
    EvoscopeError : a block of an unknown kind, or keys and words that do not fit (`filled`).
    """

    def block(match: re.Match[str]) -> str:
        kind, *options = match["what"].split()
        if kind not in KINDS:
            raise EvoscopeError(f"{kind!r} is no kind of block", f"choose one of {', '.join(KINDS)}")
        return f"{match[1]}\n{KINDS[kind](match['body'], *options)}\n\n{match[4]}"

    return BLOCK.sub(block, text)


def filled(body: str, head: Sequence[str], values: Values) -> str:
    """The table of a block with the words that it has and the ``values`` of every key.

    Raises
    ------
    EvoscopeError : keys without words, or words about other keys.
    """
    words = {match["key"]: match["words"] for match in ROW.finditer(body)}
    if words.keys() != values.keys():
        without, unknown = values.keys() - words.keys(), words.keys() - values.keys()
        raise EvoscopeError(
            f"keys without words: {sorted(without)}; words about no key: {sorted(unknown)}",
            "give every key a row `| key | words |` in the page",
        )
    lines = [["key", "what it decides", *head], ["---"] * (2 + len(head))]
    lines += [[f"`{key}`", words[key], *values[key]] for key in words]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def scales(body: str) -> str:
    """Every number of every scale, a column each."""
    there = sorted(path.stem for path in (CONF / "scale").glob("*.yaml"))
    return side_by_side(body, "scale", sorted(there, key=(*SCALES, *there).index))


def protocols(body: str) -> str:
    """Every choice of every protocol, a column each."""
    return side_by_side(body, "protocol", PROTOCOLS)


def side_by_side(body: str, group: str, names: Sequence[str]) -> str:
    """Files of a group of ``conf/``, a column each."""
    columns = [dict(leaves(with_defaults(group, name))) for name in names]
    keys = dict.fromkeys(key for column in columns for key in column)
    return filled(body, names, {key: [column.get(key, DASH) for column in columns] for key in keys})


def with_defaults(group: str, name: str) -> dict[str, Any]:
    """A file of ``conf/``, laid over those that its defaults list names."""
    own = plain(OmegaConf.load(CONF / group / f"{name}.yaml"))
    below = [with_defaults(group, each) for each in own.get("defaults", []) if each != "_self_"]
    return plain(OmegaConf.merge(*below, own))


def plain(config: DictConfig | ListConfig) -> dict[str, Any]:
    """A mapping of the configuration with the references in it as they are written."""
    found = OmegaConf.to_container(config, resolve=False)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def arguments(body: str, experiment: str, *groups: str) -> str:
    """Defaults of groups of arguments in an experiment; ``.``: those that stand in no group."""
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=[f"experiment={experiment}"])
    whole = plain(config)
    values: dict[str, list[str]] = {}
    for group in groups:
        prefix = "" if group == "." else f"{group}."
        own = whole if group == "." else whole[group]
        for key, value in own.items():
            if group != "." or not (key == "task" or isinstance(value, dict)):
                values[f"{prefix}{key}"] = [shown(value)]
    return filled(body, ["default"], values)


def found(body: str, experiment: str, *data: str) -> str:
    """Claims that an experiment (``all``: any) decides, on some data or on all, with their verdicts and effects."""
    rows = pd.read_csv(PAPER / "claims.csv")
    decides = rows["command"].str.contains(rf"experiment={experiment}(?:\s|$)", regex=True)
    rows = rows[(decides | (experiment == "all")) & (rows["data"].isin(data) | (not data))]
    if rows.empty:
        return NOT_KEPT
    effects = rows[["effect", "low", "high"]].apply(pd.to_numeric, errors="coerce")
    numbers = [with_interval(*row) for row in effects.itertuples(index=False, name=None)]
    return markdown(
        pd.DataFrame(
            {
                "claim": ("**" + rows["claim"] + "** " + rows["text"]).mask(rows["claim"].duplicated(), ""),
                "data": rows["data"],
                "verdict": rows["verdict"],
                "effect [95 %]": [
                    number if number == DASH else f"{number} {unit}"
                    for number, unit in zip(numbers, rows["unit"], strict=True)
                ],
            }
        )
    )


def quoted(body: str, folder: str, table: str, chosen: str, *columns: str) -> str:
    """Rows of a kept table: ``chosen`` is ``column=value`` or ``all``; ``body`` counts for nothing."""
    path = PAPER / folder / "tables" / f"{table}.csv"
    if not path.is_file():
        return NOT_KEPT
    rows = pd.read_csv(path)
    column, _, value = chosen.partition("=")
    if value:
        rows = rows[rows[column].astype(str) == value]
    if {"value", "low", "high"} <= set(columns):
        cells = rows[["value", "low", "high"]].itertuples(index=False, name=None)
        rows = rows.assign(value=[with_interval(*each) for each in cells])
        columns = tuple(each for each in columns if each not in ("low", "high"))
    return markdown(rows[list(columns)].round(3))


def picture(body: str, folder: str, figure: str) -> str:
    """A kept figure with its caption, as a page in a folder of ``docs/`` sees it; ``body`` counts for nothing."""
    place = PAPER / folder / "figures"
    files = [path for path in sorted(place.glob(f"{figure}.*")) if path.suffix in PICTURES]
    if not files:
        return NOT_KEPT
    base = f"../../results/paper/{folder}/figures"
    return f"![{entries()[figure].title}]({base}/{files[0].name})\n\n[Its caption]({base}/{figure}.md)"


def time(body: str, result: str) -> str:
    """How long the experiment that draws ``result`` took, as ``docs/repro.md`` has it; ``body`` counts for nothing."""
    text = (DOCS / "repro.md").read_text(encoding="utf-8")
    row = re.search(rf"^\|[^|]*\| `{result}` \|.*\| (?P<time>[^|]+) \|$", text, re.MULTILINE)
    if row is None or row["time"] == DASH:
        return f"**Time.** {ESTIMATE} The kept results were not timed."
    return (
        f"**Time.** It took {row['time']} at laptop scale on drawn images, with two cores ([repro](../repro.md)). "
        f"{ESTIMATE}"
    )


KINDS: dict[str, Callable[..., str]] = {
    "scales": scales,
    "protocols": protocols,
    "arguments": arguments,
    "found": found,
    "quoted": quoted,
    "picture": picture,
    "time": time,
}


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and shown values, in the order of the file."""
    for key, value in values.items():
        if key in NAMES:
            continue
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", shown(value)


def shown(value: Any) -> str:
    """A value as it is typed on the command line; what another key decides is named."""
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    if isinstance(value, (list, dict)):
        return str(value).replace("'", "").replace("None", "null")
    if isinstance(value, str) and "${" in value:
        return OF_ANOTHER.sub(lambda match: f"`{(match[1] or '').removeprefix('.')}{match[2]}`", value)
    return str(value) or '""'


def main() -> int:
    """Write all pages anew; the names of those that changed."""
    for path in sorted(DOCS.rglob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = written(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
