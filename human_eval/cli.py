"""The command line: one sentence on bad input, never a traceback."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evoscope.errors import EvoscopeError
from human_eval import commands
from human_eval.design.trial import KINDS
from human_eval.export import PLATFORMS
from human_eval.simulate import OBSERVERS

Command = Callable[[argparse.Namespace], str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 a problem the user can mend, 2 wrong arguments."""
    options = parser().parse_args(arguments)
    command: Command = options.command
    try:
        text = command(options)
    except EvoscopeError as error:
        print(f"human_eval: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except (OSError, UnicodeError) as error:
        print(f"human_eval: {error}.", file=sys.stderr)  # noqa: T201
        return 1
    if text:
        print(text)  # noqa: T201
    return 0


def parser() -> argparse.ArgumentParser:
    """Arguments of all commands."""
    top = argparse.ArgumentParser(
        prog="python -m human_eval", description="Human studies, from design to analysis."
    )
    under = top.add_subparsers(required=True, metavar="COMMAND")
    for add in (_design, _power, _render, _serve, _withdraw, _simulate, _analyse, _export):
        add(under)
    return top


def _command(under: Any, name: str, command: Command, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = under.add_parser(name, help=text, description=text)
    made.set_defaults(command=command)
    return made


def _design(under: Any) -> None:
    made = _command(under, "design", commands.design_study, "make a study from a pool and a seed")
    made.add_argument("kind", choices=KINDS)
    made.add_argument("out", type=Path, help="new folder for study.json, key.json and the pictures")
    made.add_argument(
        "--pool", default="drawn", help="folder of a saved NeuronPool or ConceptPool, or 'drawn'"
    )
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--protocol", choices=("as_released", "corrected"), default="corrected")
    made.add_argument("--name", default="", help="of the study; its kind unless given")
    made.add_argument("--count", type=int, default=25, help="neurons of each model, or pairs")
    made.add_argument("--pictures", type=int, default=9, help="in each set")
    made.add_argument("--blocks", type=int, default=6)
    made.add_argument("--block-size", type=int, default=0, help="main trials in a block (default: all)")


def _power(under: Any) -> None:
    made = _command(under, "power", commands.show_power, "how many participants and trials show an effect")
    made.add_argument("accuracy", type=float)
    made.add_argument("--chance", type=float, default=1 / 6)
    made.add_argument("--participants", type=_positive, nargs="+", default=[5, 10, 20, 40])
    made.add_argument("--trials", type=_positive, nargs="+", default=[10, 20, 40])
    made.add_argument("--participant-sd", type=float, default=0.5, help="of the log-odds")
    made.add_argument("--item-sd", type=float, default=0.5, help="of the log-odds")
    made.add_argument("--seed", type=int, default=0)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


def _render(under: Any) -> None:
    made = _command(under, "render", commands.render, "write a folder per block that opens in any browser")
    made.add_argument("study", type=Path, help="folder that design wrote")
    made.add_argument("out", type=Path)
    made.add_argument("--title", default="")
    made.add_argument("--consent", type=Path, help="Markdown file")
    made.add_argument("--instructions", type=Path, help="Markdown file")
    made.add_argument("--post", default="", help="address for the answers; /answers for `serve`")
    made.add_argument("--completion-code", default="")
    made.add_argument("--completion-url", default="")


def _serve(under: Any) -> None:
    made = _command(under, "serve", commands.serve, "offer rendered blocks and collect answers")
    made.add_argument("pages", type=Path, help="folder that render wrote")
    made.add_argument("--database", type=Path, default=Path("answers.sqlite"))
    made.add_argument("--host", default="127.0.0.1", help="leave it so behind a TLS proxy")
    made.add_argument("--port", type=int, default=8000)
    made.add_argument(
        "--pilot", action="store_true", help="mark those who join, and leave them out of exports"
    )
    made.add_argument("--simulated", action="store_true", help="mark those who join as no people")


def _withdraw(under: Any) -> None:
    made = _command(under, "withdraw", commands.withdraw, "delete all there is of a participant")
    made.add_argument("participant")
    made.add_argument("--database", type=Path, default=Path("answers.sqlite"))


def _simulate(under: Any) -> None:
    made = _command(under, "simulate", commands.simulate_answers, "answers of observers that are no people")
    made.add_argument("study", type=Path, help="folder that design wrote")
    made.add_argument("out", type=Path, help="parquet file for the answers")
    made.add_argument(
        "--observers", nargs="+", default=["skilled=20", "random=2"], metavar="NAME=COUNT",
        help=f"how many of which: {', '.join(OBSERVERS)}",
    )  # fmt: skip
    made.add_argument("--accuracy", type=float, default=0.8, help="of the skilled ones")
    made.add_argument("--participant-sd", type=float, default=0.5, help="of their log-odds")
    made.add_argument("--seed", type=int, default=0)


def _analyse(under: Any) -> None:
    made = _command(under, "analyse", commands.analyse_study, "tables, plots and a page that shows them")
    made.add_argument("study", type=Path, help="folder that design wrote")
    made.add_argument("answers", type=Path, help="parquet file, database, or folder of downloaded answers")
    made.add_argument("out", type=Path)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument(
        "--label-embedding", default="", metavar="characters|FILE",
        help="similarity of names too: by character n-grams, or by a text file of word vectors",
    )  # fmt: skip


def _export(under: Any) -> None:
    made = _command(under, "export", commands.export_study, "write a study for another platform")
    made.add_argument("platform", choices=sorted(PLATFORMS))
    made.add_argument("study", type=Path, help="folder that design wrote")
    made.add_argument("out", type=Path)
    made.add_argument(
        "--host", default="https://example.org/study", help="where pictures or pages are hosted"
    )
    made.add_argument("--completion-code", default="")
