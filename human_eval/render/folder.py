"""The folder a participant opens: nothing in it tells an answer."""

import html
import json
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image

from evoscope.errors import EvoscopeError
from human_eval.design.files import public, public_trial
from human_eval.design.positions import opaque
from human_eval.design.trial import Block, Study, Trial
from human_eval.render.markdown import to_html

HERE = Path(__file__).parent
TEXTS = HERE / "texts"


@dataclass(frozen=True)
class RenderOptions:
    """How pages look and where answers go.

    ``title``: of the page; ``consent``, ``instructions``: Markdown; ``post``: where each answer is sent ("": nowhere,
    the participant downloads them); ``completion``: code and address shown at the end ("": none); ``parameters``: of
    the address that are kept with the answers.
    """

    title: str = "Pictures and what they have in common"
    consent: str = field(default_factory=lambda: (TEXTS / "consent.md").read_text(encoding="utf-8"))
    instructions: str = field(default_factory=lambda: (TEXTS / "instructions.md").read_text(encoding="utf-8"))
    post: str = ""
    completion: tuple[str, str] = ("", "")
    parameters: tuple[str, ...] = ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")


def render_study(study: Study, folder: Path, options: RenderOptions | None = None) -> list[Path]:
    """Write a folder per block below ``folder``, each of which opens from disk or any web server."""
    return [render_block(study, block, folder / block.id, options) for block in study.blocks]


def render_block(study: Study, block: Block, folder: Path, options: RenderOptions | None = None) -> Path:
    """Write one block's page, pictures and ``study.json`` into ``folder``, which must be new or empty.

    Raises
    ------
    EvoscopeError : the folder holds something already, such as a page that participants use.
    """
    options = options or RenderOptions()
    if folder.exists() and any(folder.iterdir()):
        raise EvoscopeError(f"'{folder}' is not empty", "render into a new folder")
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    trials = [study.by_id()[name] for name in block.trials]
    shown = [_pictured(study, trial, folder) for trial in trials]
    document = described(study, block, shown, options)
    (folder / "study.json").write_text(
        json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    (folder / "index.html").write_text(page(document, options), encoding="utf-8")
    return folder


def described(
    study: Study, block: Block, trials: list[dict[str, Any]], options: RenderOptions
) -> dict[str, Any]:
    """What the page knows: the block's trials without answers, conditions or roles."""
    code, url = options.completion
    return {
        "format": 1,
        "study": study.name,
        "block": block.id,
        "key": public(study)["key_sha256"][:16],
        "exclusion": asdict(study.exclusion),
        "post": options.post,
        "completion": {"code": code, "url": url} if code else None,
        "parameters": list(options.parameters),
        "trials": trials,
    }


def _pictured(study: Study, trial: Trial, folder: Path) -> dict[str, Any]:
    """A public trial with its picture files, written; names depend on the place, so equal pictures do not tell."""
    panels = [
        [
            _written(study, row, opaque(study.seed, "picture", trial.id, p, n), folder)
            for n, row in enumerate(panel)
        ]
        for p, panel in enumerate(trial.panels)
    ]
    return {**public_trial(trial), "panels": panels}


def _written(study: Study, row: int, name: str, folder: Path) -> str:
    path = f"pictures/{name}.png"
    (folder / path).write_bytes(png(study, row))
    return path


def png(study: Study, row: int) -> bytes:
    """One picture of a study as a PNG file without metadata."""
    stream = BytesIO()
    Image.fromarray(study.pictures[row]).save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def page(document: dict[str, Any], options: RenderOptions) -> str:
    """The whole HTML page around a block's description."""
    # Inside a script element only "<" could end the data.
    data = json.dumps(document, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    return Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(options.title),
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        consent=to_html(options.consent),
        instructions=to_html(options.instructions),
        study=data,
        script=(HERE / "page.js").read_text(encoding="utf-8"),
    )
