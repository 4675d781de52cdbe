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
from human_eval.design.files import key_digest, public_trial
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
    album = Encoded(study)
    return [render_block(study, block, folder / block.id, options, album) for block in study.blocks]


def is_rendered(study: Study, folder: Path, options: RenderOptions | None = None) -> bool:
    """Whether ``folder`` holds all blocks of the study with these very texts."""
    options = options or RenderOptions()
    pages = {
        folder / block.id / "index.html": page(described(study, block, options), options)
        for block in study.blocks
    }
    return all(path.is_file() and path.read_bytes() == text.encode() for path, text in pages.items())


class Encoded:
    """Pictures of a study as PNG files without metadata, each encoded once."""

    def __init__(self, study: Study) -> None:
        self.pictures = study.pictures
        self.files: dict[int, bytes] = {}

    def png(self, row: int) -> bytes:
        """File of one picture."""
        if row not in self.files:
            stream = BytesIO()
            Image.fromarray(self.pictures[row]).save(stream, "PNG", compress_level=1)
            self.files[row] = stream.getvalue()
        return self.files[row]


def render_block(
    study: Study,
    block: Block,
    folder: Path,
    options: RenderOptions | None = None,
    album: Encoded | None = None,
) -> Path:
    """Write one block's page, pictures and ``study.json`` into ``folder``, which must be new or empty.

    The page comes last, so that a folder with a page is whole.

    Raises
    ------
    EvoscopeError : the folder holds something already, such as a page that participants use.
    """
    options, album = options or RenderOptions(), album or Encoded(study)
    if folder.exists() and any(folder.iterdir()):
        raise EvoscopeError(f"'{folder}' is not empty", "render into a new folder")
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    trials = study.by_id()
    for name in block.trials:
        for files, rows in zip(_files(study, trials[name]), trials[name].panels, strict=True):
            for file, row in zip(files, rows, strict=True):
                (folder / file).write_bytes(album.png(row))
    document = described(study, block, options)
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    (folder / "study.json").write_text(text, encoding="utf-8")
    (folder / "index.html").write_text(page(document, options), encoding="utf-8", newline="")
    return folder


def described(study: Study, block: Block, options: RenderOptions) -> dict[str, Any]:
    """What the page knows: the block's trials without answers, conditions or roles."""
    code, url = options.completion
    trials = study.by_id()
    return {
        "format": 1,
        "study": study.name,
        "block": block.id,
        "key": key_digest(study)[:16],
        "exclusion": asdict(study.exclusion),
        "post": options.post,
        "completion": {"code": code, "url": url} if code else None,
        "parameters": list(options.parameters),
        "trials": [
            {**public_trial(trials[name]), "panels": _files(study, trials[name])} for name in block.trials
        ],
    }


def _files(study: Study, trial: Trial) -> list[list[str]]:
    """Picture files of each panel; names depend on the place, so equal pictures do not tell."""
    return [
        [f"pictures/{opaque(study.seed, 'picture', trial.id, place, n)}.png" for n in range(len(rows))]
        for place, rows in enumerate(trial.panels)
    ]


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
