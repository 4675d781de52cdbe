"""Design, render, collect, analyse and export human studies: ``python -m human_eval --help``."""

import argparse
import json
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from evoscope import artefacts
from evoscope.errors import EvoscopeError
from human_eval.answers import Answers, Dealing
from human_eval.design import (
    SETS,
    Alignability,
    Blocking,
    ConceptPool,
    Effect,
    NeuronPool,
    Options,
    Study,
    design,
    load_study,
    power_table,
    save_study,
    synthetic_concepts,
    synthetic_neurons,
)
from human_eval.design.build import NEURON_KINDS
from human_eval.design.trial import KINDS
from human_eval.export import ADVICE, PLATFORMS, Completion, export, frame_csv
from human_eval.preregistration import write_preregistration
from human_eval.render import render_study
from human_eval.simulate import OBSERVERS, Skilled, simulate
from human_eval.texts import EDITABLE, Texts, read_texts, write_texts

TOKEN = "HUMAN_EVAL_TOKEN"  # environment variable of the admin password
Command = Callable[[argparse.Namespace], str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; exit status 0: done, 1: a problem, told in one sentence, 2: wrong arguments."""
    options = parser().parse_args(arguments)
    command: Command = options.command
    try:
        text = command(options)
    except (EvoscopeError, OSError, UnicodeError) as error:
        end = "" if isinstance(error, EvoscopeError) else "."
        print(f"human_eval: {error}{end}", file=sys.stderr)  # noqa: T201
        return 1
    if text:
        print(text)  # noqa: T201
    return 0


def parser() -> argparse.ArgumentParser:
    """Parser of all commands; each has its arguments above the function that runs it."""
    top = argparse.ArgumentParser(prog="python -m human_eval", description="Human studies, from design to analysis.")
    under = top.add_subparsers(required=True, metavar="COMMAND")
    for add in (_design, _power, _render, _serve, _payments, _withdraw, _simulate, _analyse, _export):
        add(under)
    return top


def _command(under: Any, name: str, command: Command, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = under.add_parser(name, help=text, description=text)
    made.set_defaults(command=command)
    return made


def _design(under: Any) -> None:
    made = _command(under, "design", design_study, "make a study from a pool and a seed")
    made.add_argument("kind", choices=KINDS)
    made.add_argument("out", type=Path, help="new folder for study.json, key.json and the pictures")
    made.add_argument("--pool", default="drawn", help="folder of a saved NeuronPool or ConceptPool, or 'drawn'")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--protocol", choices=("as_released", "corrected"), default="corrected")
    made.add_argument("--name", default="", help="of the study; its kind unless given")
    made.add_argument("--count", type=int, default=25, help="neurons of each model, or pairs")
    made.add_argument("--pictures", type=int, default=9, help="in each set")
    made.add_argument("--participants", type=int, default=0, help="how many are planned, for the pre-registration")
    made.add_argument("--items", type=int, default=0, help="of each condition at least; fewer are refused")
    made.add_argument("--blocks", type=int, default=6)
    made.add_argument("--block-size", type=int, default=0, help="main trials in a block (default: all)")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


def design_study(options: argparse.Namespace) -> str:
    """Designs a study and saves it."""
    _new(options.out)
    sizes = Options(
        Alignability(
            sets=tuple((name, max(count, options.items)) for name, count in SETS.items()), patches=options.pictures
        ),
        max(options.count, options.items),
        options.pictures,
        items=options.items,
        blocking=Blocking(options.blocks, options.block_size),
    )
    pool = _pool(options.pool, options.kind, options.seed)
    study = design(options.kind, pool, options.seed, options.protocol, sizes, options.name)
    save_study(study, options.out)
    write_texts(options.out)
    write_preregistration(study, options.out, options.participants)
    counted = sum(trial.role == "main" for trial in study.trials)
    made = (
        f"{counted} trials in {len(study.blocks)} blocks; keep {options.out / 'key.json'} from participants, and edit "
        f"{options.out / 'consent.md'} before you serve it."
    )
    return "\n".join([made, *study.remarks])


def _new(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise EvoscopeError(f"'{folder}' is not empty", "give a new folder")


def _pool(name: str, kind: str, seed: int) -> NeuronPool | ConceptPool:
    if name == "drawn":
        return synthetic_neurons(seed) if kind in NEURON_KINDS else synthetic_concepts(seed)
    if kind in NEURON_KINDS:
        return artefacts.load(NeuronPool, Path(name))
    return artefacts.load(ConceptPool, Path(name))


def _power(under: Any) -> None:
    made = _command(under, "power", show_power, "how many participants and trials show an effect")
    made.add_argument("accuracy", type=float)
    made.add_argument("--chance", type=float, default=1 / 6)
    made.add_argument("--participants", type=_positive, nargs="+", default=[5, 10, 20, 40])
    made.add_argument("--trials", type=_positive, nargs="+", default=[10, 20, 40])
    made.add_argument("--participant-sd", type=float, default=0.5, help="of the log-odds")
    made.add_argument("--item-sd", type=float, default=0.5, help="of the log-odds")
    made.add_argument("--compared", action="store_true", help="with a second condition of the accuracy --chance")
    made.add_argument("--items", type=int, default=0, help="of a condition (default: as many as trials)")
    made.add_argument("--seed", type=int, default=0)


def show_power(options: argparse.Namespace) -> str:
    """Tabulates the power of every size."""
    effect = Effect(options.accuracy, options.chance, options.participant_sd, options.item_sd, options.compared)
    rows = power_table(effect, options.participants, options.trials, options.seed, items=options.items)
    form = "{participants:>12} {trials:>7} {power:>7.2f} {exact_power_of_one:>10.2f}"
    lines = [form.format(**row) for row in rows]
    return "\n".join([f"{'participants':>12} {'trials':>7} {'power':>7} {'one alone':>10}", *lines])


def _render(under: Any) -> None:
    made = _command(
        under, "render", render, "write a folder per block that opens from disk; answers are downloaded at its end"
    )
    made.add_argument("study", type=Path, help="folder that design wrote")
    made.add_argument("out", type=Path)
    _texts(made)


def _texts(made: argparse.ArgumentParser) -> None:
    """What participants read; files beside the study unless others are given."""
    made.add_argument("--title", default="")
    made.add_argument("--language", default="en", help="of the words of the page")
    for name in EDITABLE:
        made.add_argument(f"--{name}", type=Path, help="Markdown file")


def _texts_for(options: argparse.Namespace, study: Path) -> Texts:
    given = {name: getattr(options, name) for name in EDITABLE}
    return read_texts((study, study.parent), given, options.title, options.language)


def render(options: argparse.Namespace) -> str:
    """Renders the blocks of a study."""
    texts = _texts_for(options, options.study)
    folders = render_study(load_study(options.study), options.out, texts)
    gaps = [f"Before you use them, fill in {gap!r} in the texts." for gap in texts.unedited()[:1]]
    licence = "Check that the images' licence allows it before you host them in public (ImageNet's does not)."
    return "\n".join([f"{len(folders)} blocks below '{options.out}'. {licence}", *gaps])


def _serve(under: Any) -> None:
    made = _command(under, "serve", serve, "offer the studies of a folder and collect answers")
    made.add_argument("study", type=Path, help="folder of a study, or of a job with several")
    made.add_argument("--database", type=Path, default=Path("answers.sqlite"))
    made.add_argument("--host", default="127.0.0.1", help="leave it so behind a TLS proxy")
    made.add_argument("--port", type=int, default=8000)
    made.add_argument("--quota", type=int, default=0, help="participants a block; 0: no limit")
    made.add_argument(
        "--timeout", type=float, default=60, metavar="MINUTES",
        help="without an answer for so long, a participant's place is given to another",
    )  # fmt: skip
    made.add_argument(
        "--completion-url", help="where participants go at the end, with {code} for the code (default: Prolific)"
    )
    made.add_argument("--pilot", action="store_true", help="mark those who join, and leave them out of exports")
    made.add_argument("--simulated", action="store_true", help="mark those who join as no people")
    _texts(made)


def serve(options: argparse.Namespace) -> str:
    """Serves until interrupted."""
    try:
        import uvicorn

        from human_eval.collect import application, keys_of, read_offers, studies_in
    except ImportError as error:
        raise EvoscopeError("the server is not installed", "pip install -e '.[study]'") from error
    folders = studies_in(options.study)
    texts = {folder: _texts_for(options, folder) for folder in folders}
    offers = read_offers(folders, texts, options.completion_url, options.pilot)
    answers = Answers(options.database, keys_of(offers))
    dealing = Dealing(options.pilot, options.simulated, options.quota, 60 * options.timeout)
    app = application(offers, answers, token := os.environ.get(TOKEN) or secrets.token_urlsafe(16), dealing)
    where = f"http://{options.host}:{options.port}"
    at = " ".join(f"{where}/{offer.slug}" for offer in offers)
    print(f"Participants: {at}  Admin: {where}/admin, user admin, password {token}", flush=True)  # noqa: T201
    # No access log: it would hold addresses of participants.
    uvicorn.run(app, host=options.host, port=options.port, access_log=False, log_level="warning")
    answers.close()
    return ""


def _payments(under: Any) -> None:
    made = _command(under, "payments", payments, "write approve.csv and return.csv for the panel")
    made.add_argument("out", type=Path)
    made.add_argument("--database", type=Path, default=Path("answers.sqlite"))
    made.add_argument("--study", default="", help="its name; all unless given")


def payments(options: argparse.Namespace) -> str:
    """Writes whom to approve and whom to return, and all participants without the panel's ids."""
    answers = _database(options.database)
    tables = {**answers.payments(options.study), "participants": answers.people(options.study)}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        (options.out / f"{name}.csv").write_text(frame_csv(table), encoding="utf-8", newline="")
    counts = ", ".join(f"{len(table)} rows in {name}.csv" for name, table in tables.items())
    return f"{counts}. The first two hold the panel's ids: do not publish them."


def _withdraw(under: Any) -> None:
    made = _command(under, "withdraw", withdraw, "delete all there is of a participant")
    made.add_argument("participant")
    made.add_argument("--database", type=Path, default=Path("answers.sqlite"))


def withdraw(options: argparse.Namespace) -> str:
    """Deletes a participant."""
    count = _database(options.database).withdraw(options.participant)
    return f"{count} answers deleted."


def _database(path: Path) -> Answers:
    if not path.is_file():
        raise EvoscopeError(f"there is no database '{path}'", "give the file that `human_eval serve` writes")
    return Answers(path)


def _simulate(under: Any) -> None:
    made = _command(under, "simulate", simulate_answers, "answers of observers that are no people")
    made.add_argument("study", type=Path, help="folder that design wrote")
    made.add_argument("out", type=Path, help="parquet file for the answers")
    made.add_argument(
        "--observers", nargs="+", default=["skilled=20", "random=2"], metavar="NAME=COUNT",
        help=f"how many of which: {', '.join(OBSERVERS)}",
    )  # fmt: skip
    made.add_argument("--accuracy", type=float, default=0.8, help="of the skilled ones")
    made.add_argument("--participant-sd", type=float, default=0.5, help="of their log-odds")
    made.add_argument("--seed", type=int, default=0)


def simulate_answers(options: argparse.Namespace) -> str:
    """Answers a study by simulated participants."""
    study = load_study(options.study)
    if not 0 <= options.accuracy <= 1:
        raise EvoscopeError(f"{options.accuracy:g} is no accuracy", "give a number from 0 to 1")
    skilled = Skilled(otherwise=options.accuracy, participant_sd=options.participant_sd)
    answers = simulate(study, dict(map(_counted, options.observers)), options.seed, skilled)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    answers.to_parquet(options.out)
    people = answers["participant"].nunique()
    return f"{len(answers)} answers of {people} simulated participants (no people) in '{options.out}'."


def _counted(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    if not count.isdecimal():
        raise EvoscopeError(f"'{text}' is not NAME=COUNT", "write, for example, skilled=20")
    return name, int(count)


def _analyse(under: Any) -> None:
    made = _command(under, "analyse", analyse_study, "tables, plots and a page that shows them")
    made.add_argument("study", type=Path, help="folder that design wrote")
    made.add_argument(
        "answers", type=Path, help="database, parquet file, or file or folder of answers of the page or another tool"
    )
    made.add_argument("out", type=Path)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument(
        "--label-embedding", default="", metavar="characters|FILE",
        help="similarity of names too: by character n-grams, or by a text file of word vectors",
    )  # fmt: skip


def analyse_study(options: argparse.Namespace) -> str:
    """Writes all tables and shows the accuracies."""
    # Here, because a server has no use for what draws and fits.
    from human_eval.analyse.answers import read_answers
    from human_eval.analyse.report import SIMULATED, analyse, write_report

    study = load_study(options.study)
    if not options.answers.exists():
        raise EvoscopeError(f"'{options.answers}' is missing", "give answers as parquet, database or folder")
    stored = options.answers.suffix in (".sqlite", ".db")
    answers = _stored(options.answers, study) if stored else read_answers(options.answers, study)
    tables = analyse(study, answers, options.seed, options.label_embedding)
    write_report(tables, options.out)
    gone = int(tables["exclusions"]["excluded"].sum())
    shown = tables["accuracy"].to_string(index=False) if len(tables["accuracy"]) else "No answers that can be right."
    said = tables["contrasts"].loc[tables["contrasts"]["analysis"] == "primary", "conclusion"]
    shown = "\n".join([shown, *said])
    simulated = (tables["about"]["data"] == SIMULATED).all()
    sort = "simulated participants (no people)" if simulated else "participants"
    return f"{len(tables['exclusions'])} {sort}, {gone} excluded.\n{shown}\n{options.out / 'report.html'}"


def _stored(path: Path, study: Study) -> pd.DataFrame:
    """Answers in a database to this study alone, among those that one server collected."""
    blocks = {block.id for block in study.blocks}
    answers = _database(path).table()
    own = answers[answers["block"].isin(blocks)]
    if len(answers) and own.empty:
        raise EvoscopeError(
            f"'{path}' holds answers to other studies than '{study.name}' alone",
            "give the database that this study was served with",
        )
    return own


def _export(under: Any) -> None:
    made = _command(under, "export", export_study, "write a study for another platform")
    made.add_argument("platform", choices=sorted(PLATFORMS))
    made.add_argument("study", type=Path, help="folder that design wrote")
    made.add_argument("out", type=Path)
    made.add_argument("--host", default="", help="address of the server, or of the pictures")


def export_study(options: argparse.Namespace) -> str:
    """Exports a study to a platform."""
    _new(options.out)
    study, texts = load_study(options.study), read_texts((options.study, options.study.parent))
    written = export(options.platform, study, options.out, options.host, Completion.of(options.study), texts)
    print(ADVICE[options.platform], file=sys.stderr)  # noqa: T201
    return json.dumps([path.as_posix() for path in written])


if __name__ == "__main__":
    sys.exit(main())
