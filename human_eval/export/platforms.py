"""Exporters by the name of their platform; each writes files into a folder and returns their paths."""

import secrets
from collections.abc import Callable
from pathlib import Path

from human_eval.design.trial import Study
from human_eval.export import jspsych, labelstudio, limesurvey, mturk, prolific, qualtrics
from human_eval.export.asked import Asked, asked_of, write_pictures

Exporter = Callable[[Study, Path, str, str], list[Path]]


def _write(folder: Path, files: dict[str, str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return [folder / name for name in files]


def _with_pictures(make: Callable[[Study, dict[str, list[Asked]]], dict[str, str]]) -> Exporter:
    def export(study: Study, folder: Path, host: str, code: str) -> list[Path]:
        list(write_pictures(study, folder))
        return _write(folder, make(study, asked_of(study, host)))

    return export


def _prolific(study: Study, folder: Path, host: str, code: str) -> list[Path]:
    blocks = [block.id for block in study.blocks]
    return _write(
        folder, {"prolific.csv": prolific.to_csv(blocks, host, code or secrets.token_hex(4).upper())}
    )


def _qualtrics(study: Study, blocks: dict[str, list[Asked]]) -> dict[str, str]:
    return {"qualtrics.txt": qualtrics.to_txt(blocks)}


def _limesurvey(study: Study, blocks: dict[str, list[Asked]]) -> dict[str, str]:
    return {f"{name}.tsv": limesurvey.to_tsv(study.name, questions) for name, questions in blocks.items()}


def _jspsych(study: Study, blocks: dict[str, list[Asked]]) -> dict[str, str]:
    return {f"{name}.json": jspsych.to_timeline(questions) for name, questions in blocks.items()}


def _labelstudio(study: Study, blocks: dict[str, list[Asked]]) -> dict[str, str]:
    tasks = {f"{name}.json": labelstudio.to_tasks(questions) for name, questions in blocks.items()}
    return {"config.xml": labelstudio.to_config(next(iter(blocks.values()))[0]), **tasks}


def _mturk(study: Study, blocks: dict[str, list[Asked]]) -> dict[str, str]:
    rows = {f"{name}.csv": mturk.to_csv(questions) for name, questions in blocks.items()}
    return {"question.xml": mturk.to_question(), **rows}


PLATFORMS: dict[str, Exporter] = {
    "prolific": _prolific,
    "qualtrics": _with_pictures(_qualtrics),
    "limesurvey": _with_pictures(_limesurvey),
    "jspsych": _with_pictures(_jspsych),
    "labelstudio": _with_pictures(_labelstudio),
    "mturk": _with_pictures(_mturk),
}
