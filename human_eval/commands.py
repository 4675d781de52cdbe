"""What the commands do; each returns what is printed."""

import argparse
import json
import os
import secrets
from dataclasses import replace
from pathlib import Path

from evoscope import artefacts
from evoscope.errors import EvoscopeError
from human_eval.collect import Answers, Pages
from human_eval.design import (
    Alignability,
    Blocking,
    ConceptPool,
    Effect,
    NeuronPool,
    Options,
    design,
    drawn_concepts,
    drawn_neurons,
    load_study,
    power_table,
    save_study,
)
from human_eval.design.build import NEURON_KINDS
from human_eval.export import PLATFORMS
from human_eval.render import RenderOptions, render_study
from human_eval.simulate import Skilled, simulate

TOKEN = "HUMAN_EVAL_TOKEN"


def design_study(options: argparse.Namespace) -> str:
    """Design a study and save it."""
    _new(options.out)
    sizes = Options(
        Alignability(patches=options.pictures),
        options.count,
        options.pictures,
        blocking=Blocking(options.blocks, options.block_size),
    )
    pool = _pool(options.pool, options.kind, options.seed)
    study = design(options.kind, pool, options.seed, options.protocol, sizes, options.name)
    save_study(study, options.out)
    counted = sum(trial.role == "main" for trial in study.trials)
    made = (
        f"{counted} trials in {len(study.blocks)} blocks; keep {options.out / 'key.json'} from participants."
    )
    return "\n".join([made, *study.remarks])


def _new(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise EvoscopeError(f"'{folder}' is not empty", "give a new folder")


def _pool(name: str, kind: str, seed: int) -> NeuronPool | ConceptPool:
    if name == "drawn":
        return drawn_neurons(seed) if kind in NEURON_KINDS else drawn_concepts(seed)
    if kind in NEURON_KINDS:
        return artefacts.load(NeuronPool, Path(name))
    return artefacts.load(ConceptPool, Path(name))


def show_power(options: argparse.Namespace) -> str:
    """Table of the power of every size."""
    effect = Effect(options.accuracy, options.chance, options.participant_sd, options.item_sd)
    rows = power_table(effect, options.participants, options.trials, options.seed)
    form = "{participants:>12} {trials:>7} {power:>7.2f} {exact_power_of_one:>10.2f}"
    lines = [form.format(**row) for row in rows]
    return "\n".join([f"{'participants':>12} {'trials':>7} {'power':>7} {'one alone':>10}", *lines])


def render(options: argparse.Namespace) -> str:
    """Render a study's blocks."""
    study = load_study(options.study)
    base = RenderOptions(post=options.post, completion=(options.completion_code, options.completion_url))
    given = {"consent": options.consent, "instructions": options.instructions}
    texts = {name: path.read_text(encoding="utf-8") for name, path in given.items() if path}
    texts |= {"title": options.title} if options.title else {}
    folders = render_study(study, options.out, replace(base, **texts))
    licence = "Check that the images' licence allows it before you host them in public (ImageNet's does not)."
    return f"{len(folders)} blocks below '{options.out}'. {licence}"


def serve(options: argparse.Namespace) -> str:
    """Serve until interrupted."""
    try:
        import uvicorn

        from human_eval.collect.server import application
    except ImportError as error:
        raise EvoscopeError("the server is not installed", "pip install -e '.[study]'") from error
    pages = Pages.read(options.pages)
    if options.pages.resolve() in options.database.resolve().parents:
        raise EvoscopeError(
            f"'{options.database}' lies below the pages, which everybody can read",
            "keep the answers in another folder",
        )
    answers = Answers(options.database, pages.key)
    token = os.environ.get(TOKEN) or secrets.token_urlsafe(16)
    where = f"http://{options.host}:{options.port}"
    print(f"Participants: {where}/  Admin: {where}/admin, user admin, password {token}", flush=True)  # noqa: T201
    app = application(pages, answers, token, pilot=options.pilot, simulated=options.simulated)
    # No access log: it would hold addresses of participants.
    uvicorn.run(app, host=options.host, port=options.port, access_log=False, log_level="warning")
    answers.close()
    return ""


def withdraw(options: argparse.Namespace) -> str:
    """Delete a participant."""
    count = _database(options.database).withdraw(options.participant)
    return f"{count} answers deleted."


def _database(path: Path) -> Answers:
    if not path.is_file():
        raise EvoscopeError(f"there is no database '{path}'", "give the file that `human_eval serve` writes")
    return Answers(path)


def analyse_study(options: argparse.Namespace) -> str:
    """Write all tables and show the accuracies."""
    # Here, because a server has no use for what draws and fits.
    from human_eval.analyse import SIMULATED, analyse, read_answers, write_report

    study = load_study(options.study)
    if not options.answers.exists():
        raise EvoscopeError(f"'{options.answers}' is missing", "give answers as parquet, database or folder")
    stored = options.answers.suffix in (".sqlite", ".db")
    answers = _database(options.answers).table() if stored else read_answers(options.answers)
    tables = analyse(study, answers, options.seed, options.label_embedding)
    write_report(tables, options.out)
    gone = int(tables["exclusions"]["excluded"].sum())
    shown = (
        tables["accuracy"].to_string(index=False)
        if len(tables["accuracy"])
        else "No answers that can be right."
    )
    simulated = (tables["about"]["data"] == SIMULATED).all()
    sort = "simulated participants (no people)" if simulated else "participants"
    return f"{len(tables['exclusions'])} {sort}, {gone} excluded.\n{shown}\n{options.out / 'report.html'}"


def simulate_answers(options: argparse.Namespace) -> str:
    """Answer a study by simulated participants."""
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


def export_study(options: argparse.Namespace) -> str:
    """Export a study to a platform."""
    _new(options.out)
    study = load_study(options.study)
    written = PLATFORMS[options.platform](
        study, options.out, options.host.rstrip("/"), options.completion_code
    )
    return json.dumps([path.as_posix() for path in written])
