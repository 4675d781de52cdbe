"""From designed studies to folders that can be handed out: pages, keys, exports, texts to edit, and notes."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from evoscope.store import Node
from experiments.context import Context
from experiments.reporting import complain, say
from human_eval.design import Study, load_study
from human_eval.design.files import KEY, PICTURES, PUBLIC
from human_eval.design.trial import opaque
from human_eval.export import PLATFORMS, PROLIFIC_RETURN
from human_eval.render import PAGE, RenderOptions, is_rendered, licence_warning, render_study, study_notes

EDITABLE = ("consent", "instructions")


def hand_out(context: Context, studies: Mapping[str, Node]) -> list[Path]:
    """Write what participants and researchers need below the job's folder; its paths.

    Texts that are there already stay, because the user may have edited them, and pages that have them too.
    """
    context.folder.mkdir(parents=True, exist_ok=True)
    warning = licence_warning(context.config.data.name)
    if warning:
        complain(f"evoscope: {warning}")
    texts = {name: _text(context.folder, name) for name in EDITABLE}
    designed = [_one(context, context.get(node), texts) for node in studies.values()]
    platforms = dict.fromkeys(studies, context.config.study.export)
    notes = context.folder / "notes.md"
    notes.write_text(study_notes(designed, warning, platforms), encoding="utf-8", newline="")
    folders = [context.folder / kind for kind in studies]
    say("\n".join(["studies:", *(f"  {path}" for path in [notes, *folders])]))
    return [notes, *folders]


def _text(folder: Path, name: str) -> str:
    path = folder / f"{name}.md"
    if not path.exists():
        path.write_bytes((PAGE / path.name).read_bytes())
    return path.read_text(encoding="utf-8")


def _one(context: Context, designed: Path, texts: Mapping[str, str]) -> Study:
    """Copy one study's files, render its blocks, and export it."""
    study = load_study(designed)
    folder = context.folder / study.kind
    folder.mkdir(parents=True, exist_ok=True)
    for name in (PUBLIC, KEY, PICTURES):
        shutil.copyfile(designed / name, folder / name)
    code = opaque(study.seed, "completion", study.kind).upper()
    wanted = context.config.study.export
    completion = (code, PROLIFIC_RETURN + code) if "prolific" in wanted else ("", "")
    options = RenderOptions(
        consent=texts["consent"], instructions=texts["instructions"], completion=completion
    )
    _render(study, folder / "pages", options)
    for platform in wanted:
        _export(study, platform, folder / "exports" / platform, context.config.study.host, code)
    return study


def _render(study: Study, folder: Path, options: RenderOptions) -> None:
    if is_rendered(study, folder, options):
        return
    for block in study.blocks:
        shutil.rmtree(folder / block.id, ignore_errors=True)
    render_study(study, folder, options)


def _export(study: Study, platform: str, folder: Path, host: str, code: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    PLATFORMS[platform](study, folder, host.rstrip("/"), code)
