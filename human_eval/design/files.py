"""A study on disk: what may be known (``study.json``), the key to it (``key.json``), and the pictures.

The two are written before there are any data; ``study.json`` holds the checksum of the key and the exclusion rules,
so that it can be shown later that neither was changed.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from evoscope.errors import EvoscopeError
from human_eval.design.trial import Block, Contrast, Exclusion, Form, Study, Trial

PUBLIC, KEY, PICTURES = "study.json", "key.json", "pictures.safetensors"
FORMAT = 2


def public(study: Study) -> dict[str, Any]:
    """Everything about a study that tells no answer: no conditions, roles, sources or seed."""
    return {
        "format": FORMAT,
        "name": study.name,
        "kind": study.kind,
        "protocol": study.protocol,
        "exclusion": asdict(study.exclusion),
        "key_sha256": key_digest(study),
        "blocks": [{"id": block.id, "trials": list(block.trials)} for block in study.blocks],
        "trials": sorted((public_trial(trial) for trial in study.trials), key=lambda trial: str(trial["id"])),
    }


def key_digest(study: Study) -> str:
    """Checksum of the study's key, by which its public parts are known to belong to it."""
    return hashlib.sha256(_text(key(study)).encode()).hexdigest()


def public_trial(trial: Trial) -> dict[str, Any]:
    """What a participant's page may know of a trial; of one for practice also what is right."""
    practice = trial.role == "practice"
    return {
        "id": trial.id,
        "practice": practice,
        "right": trial.answer if practice else None,
        "form": asdict(trial.form),
        "panels": [len(panel) for panel in trial.panels],
    }


def key(study: Study) -> dict[str, Any]:
    """Answers, conditions, roles, sources, the primary contrast and remarks: for the researcher only."""
    keyed = [{**asdict(trial), "alternatives": trial.alternatives} for trial in study.trials]
    return {
        "format": FORMAT,
        "seed": study.seed,
        "primary": asdict(study.primary),
        "remarks": list(study.remarks),
        "photos": list(study.photos),
        "trials": [{name: value for name, value in each.items() if name != "form"} for each in keyed],
    }


def save_study(study: Study, folder: Path) -> None:
    """Write a study's three files into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"pictures": study.pictures}, folder / PICTURES)
    (folder / KEY).write_text(_text(key(study)), encoding="utf-8")
    (folder / PUBLIC).write_text(_text(public(study)), encoding="utf-8")


def _text(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n"


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises
    ------
    EvoscopeError : it is missing or damaged; names it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EvoscopeError(f"'{path}' is missing", "give the folder that `human_eval design` wrote") from error
    except (OSError, ValueError, RecursionError) as error:
        raise EvoscopeError(f"'{path}' is damaged ({type(error).__name__})", "write it again") from error


def load_study(folder: Path) -> Study:
    """Read a study back.

    Raises
    ------
    EvoscopeError : a file is missing or damaged, or the key is not the one the study was published with.
    """
    known, hidden = read_json(folder / PUBLIC), read_json(folder / KEY)
    digest = hashlib.sha256(_text(hidden).encode()).hexdigest()
    try:
        pictures = load_file(folder / PICTURES)["pictures"]
        if known["key_sha256"] != digest:
            raise EvoscopeError(f"'{folder / KEY}' is not the key of '{folder / PUBLIC}'", "restore the original key")
        forms = {trial["id"]: _form(trial["form"]) for trial in known["trials"]}
        return Study(
            known["name"],
            known["kind"],
            known["protocol"],
            hidden["seed"],
            tuple(_trial(trial, forms[trial["id"]]) for trial in hidden["trials"]),
            tuple(Block(block["id"], tuple(block["trials"])) for block in known["blocks"]),
            pictures,
            Exclusion(**known["exclusion"]),
            tuple(hidden["remarks"]),
            Contrast(**hidden["primary"]),
            tuple(hidden["photos"]),
        )
    except (KeyError, TypeError, AttributeError, OSError, SafetensorError) as error:
        raise EvoscopeError(f"'{folder}' does not hold a study ({error})", "design it again") from error


def _form(form: dict[str, Any]) -> Form:
    return Form(**{**form, "texts": tuple(form["texts"]), "options": tuple(form["options"])})


def _trial(keyed: dict[str, Any], form: Form) -> Trial:
    panels = tuple(tuple(panel) for panel in keyed["panels"])
    sources = tuple(keyed["sources"])
    fields = {name: keyed[name] for name in ("id", "kind", "condition", "item", "answer", "role")}
    return Trial(form=form, panels=panels, sources=sources, **fields)
