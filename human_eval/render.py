"""What a participant opens, a folder per block in which nothing tells an answer, and the researcher's notes on it."""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

from markdown_it import MarkdownIt
from PIL import Image

from evoscope.errors import EvoscopeError
from human_eval.design.files import key_digest, public_trial
from human_eval.design.trial import Block, Study, Trial, opaque

PAGE = Path(__file__).with_name("page")  # its template, style, script and texts


@dataclass(frozen=True)
class RenderOptions:
    """How pages look and where answers go.

    ``title``: of the page; ``consent``, ``instructions``: Markdown; ``post``: where each answer is sent ("": nowhere,
    the participant downloads them); ``completion``: code and address shown at the end ("": none); ``parameters``: of
    the address that are kept with the answers.
    """

    title: str = "Pictures and what they have in common"
    consent: str = field(default_factory=lambda: (PAGE / "consent.md").read_text(encoding="utf-8"))
    instructions: str = field(default_factory=lambda: (PAGE / "instructions.md").read_text(encoding="utf-8"))
    post: str = ""
    completion: tuple[str, str] = ("", "")
    parameters: tuple[str, ...] = ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")


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


def render_study(study: Study, folder: Path, options: RenderOptions | None = None) -> list[Path]:
    """Write a folder per block below ``folder``, each of which opens from disk or any web server."""
    album = Encoded(study)
    return [render_block(study, block, folder / block.id, options, album) for block in study.blocks]


def is_rendered(study: Study, folder: Path, options: RenderOptions | None = None) -> bool:
    """Whether ``folder`` holds all blocks of the study, rendered with these options."""
    options = options or RenderOptions()
    pages = {
        folder / block.id / "index.html": page(described(study, block, options), options)
        for block in study.blocks
    }
    return all(path.is_file() and path.read_bytes() == text.encode() for path, text in pages.items())


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
    options = options or RenderOptions()
    if folder.exists() and any(folder.iterdir()):
        raise EvoscopeError(f"'{folder}' is not empty", "render into a new folder")
    trials = study.by_id()
    write_pictures(study, [trials[name] for name in block.trials], folder, album)
    document = described(study, block, options)
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    (folder / "study.json").write_text(text, encoding="utf-8")
    (folder / "index.html").write_text(page(document, options), encoding="utf-8", newline="")
    return folder


def described(study: Study, block: Block, options: RenderOptions) -> dict[str, Any]:
    """Description of a block for its page: the trials without answers, conditions or roles."""
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
            {**public_trial(trials[name]), "panels": picture_files(study, trials[name])}
            for name in block.trials
        ],
    }


def write_pictures(study: Study, trials: Iterable[Trial], folder: Path, album: Encoded | None = None) -> None:
    """Write the pictures of ``trials`` below ``folder``, under their names in `picture_files`."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    album = album or Encoded(study)
    for trial in trials:
        for files, rows in zip(picture_files(study, trial), trial.panels, strict=True):
            for file, row in zip(files, rows, strict=True):
                (folder / file).write_bytes(album.png(row))


def picture_files(study: Study, trial: Trial) -> list[list[str]]:
    """Picture files of each panel; names depend on the place, so that equal pictures do not tell."""
    return [
        [f"pictures/{opaque(study.seed, 'picture', trial.id, place, n)}.png" for n in range(len(rows))]
        for place, rows in enumerate(trial.panels)
    ]


def page(document: dict[str, Any], options: RenderOptions) -> str:
    """HTML page around the description of a block."""
    # Inside a script element only "<" could end the data.
    data = json.dumps(document, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    return Template((PAGE / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(options.title),
        style=(PAGE / "page.css").read_text(encoding="utf-8"),
        consent=to_html(options.consent),
        instructions=to_html(options.instructions),
        study=data,
        script=(PAGE / "page.js").read_text(encoding="utf-8"),
    )


def _markdown() -> MarkdownIt:
    """Markdown in which nothing that a user writes is markup: no HTML, no pictures, links to the web and mail only."""
    parser = MarkdownIt("commonmark", {"html": False}).disable("image")
    parser.validateLink = lambda url: url.startswith(("http://", "https://", "mailto:"))  # type: ignore[method-assign]
    parser.add_render_rule("text", lambda _, tokens, place, *rest: html.escape(tokens[place].content))
    parser.add_render_rule("softbreak", lambda *_: " ")
    return parser


def to_html(text: str) -> str:
    """HTML of the Markdown ``text``, a block per line."""
    parser = _markdown()
    tokens = parser.parse(text)
    for token in tokens:
        # Only the end of an outermost block ends a line.
        token.block = token.level == 0 and token.nesting <= 0
        if token.type.startswith("heading"):
            # The page has its own first heading, so a Markdown # is a second one.
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        for part in token.children or []:
            if part.type == "link_open":
                part.attrSet("rel", "noreferrer")
    return str(parser.renderer.render(tokens, parser.options, {})).rstrip("\n")


TERMS = (
    "The images of {name} are ImageNet's, whose terms allow research and teaching only, and no public hosting"
)
UNKNOWN = "Nothing is known here about the licence of the images of {name}"
IMAGENET = ("imagenet", "imagenette", "imagewoof")
SYNTHETIC = ("concept_scenes",)
INTRODUCTION = (
    "Before you begin: edit `consent.md` and `instructions.md`, have the consent approved by your ethics board, and",
    "run the same command again; the pages then have your texts. Change nothing else once there are answers.",
    "",
    "* `pages/BLOCK/index.html` is what one participant sees. It opens from disk or from any web server.",
    "* `key.json` holds the answers: keep it from participants. `study.json` holds its checksum, and who is excluded.",
    "* Answers come back as a file that each participant downloads at the end. To collect them on a server instead:",
    "  `python -m human_eval render KIND pages --post /answers`, then `python -m human_eval serve pages`.",
    "* `python -m human_eval analyse KIND ANSWERS report` makes the tables.",
    "",
)


def licence_warning(data: str) -> str:
    """Sentence on where pages with images of the data set ``data`` may be hosted; "" if anywhere."""
    name = data.lower()
    if name in SYNTHETIC:
        return ""
    if name.startswith(IMAGENET):
        terms = TERMS.format(name=data)
        return f"{terms}: show these pages on your own machines or behind a password, and never on a public host."
    return f"{UNKNOWN.format(name=data)}: make sure that it allows it before you host these pages in public."


def study_notes(studies: Sequence[Study], warning: str, exports: Mapping[str, Sequence[str]]) -> str:
    """Markdown notes on the studies of a folder, the warning first; ``exports``: platforms by kind."""
    head = ["# Human studies", ""]
    head += [f"> **Warning.** {warning}", ""] if warning else []
    return "\n".join(
        [*head, *INTRODUCTION, *(line for study in studies for line in _study_notes(study, exports))]
    )


def _study_notes(study: Study, exports: Mapping[str, Sequence[str]]) -> list[str]:
    main = sum(trial.role == "main" for trial in study.trials)
    longest = max(len(block.trials) for block in study.blocks)
    rules = study.exclusion
    lines = [
        f"## {study.kind}",
        "",
        f"* {main} trials ({study.protocol.replace('_', ' ')} sampling, seed {study.seed}) in {len(study.blocks)} "
        f"blocks of at most {longest} questions.",
    ]
    if study.protocol == "corrected":
        lines.append(
            f"* Excluded, as fixed now: who answers fewer than {rules.min_catch:.0%} of the attention checks rightly, "
            f"whose median answer takes less than {rules.min_median_ms} ms, who takes one position in more than "
            f"{rules.max_same_position:.0%} of choices, or who answers less than {rules.min_complete:.0%} of the block."
        )
    lines += [f"* {remark}" for remark in study.remarks]
    if exports.get(study.kind):
        lines.append(f"* Exported to {', '.join(exports[study.kind])} below `{study.kind}/exports`.")
    return [*lines, ""]
