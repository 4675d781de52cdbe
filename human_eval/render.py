"""What a participant opens: a page in which nothing tells an answer, its pictures, and the researcher's notes on it."""

import base64
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from math import ceil, sqrt
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from evoscope.arrays import Bytes
from evoscope.errors import EvoscopeError
from human_eval.design import Plan, personal_plan
from human_eval.design.files import key_digest, public_trial
from human_eval.design.practice import DOTS, STRIPES, drawn, lesson
from human_eval.design.trial import Block, Study, Trial, opaque
from human_eval.texts import EDITABLE, PAGE, Texts, filled, read_texts, to_html, words

FORMAT = 2
GAP = 4  # white pixels between the pictures of a panel
QUALITIES = (90, 80, 70, 60, 50, 40, 30, 20)
BLOCK_BYTES = 2_000_000  # of all pictures of a block
PLANS = 12  # orders that a page without a server chooses from
EXAMPLE_SIDE = 48


class Album:
    """Panels of a study as WebP files without metadata, each encoded once: every panel is one picture.

    All have the highest quality at which the pictures of the heaviest block are at most ``BLOCK_BYTES``.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.trials = study.by_id()
        self.files: dict[tuple[int, tuple[int, ...]], bytes] = {}
        self.quality = next((each for each in QUALITIES if self._weight(each) <= BLOCK_BYTES), QUALITIES[-1])

    def _weight(self, quality: int) -> int:
        def size(name: str) -> int:
            return sum(len(self._encoded(panel, quality)) for panel in self.trials[name].panels)

        return max(sum(map(size, block.trials)) for block in self.study.blocks)

    def _encoded(self, rows: tuple[int, ...], quality: int) -> bytes:
        if (quality, rows) not in self.files:
            stream = BytesIO()
            montage = montage_of(self.study.pictures[list(rows)])
            Image.fromarray(montage).save(stream, "WEBP", quality=quality, method=2)
            self.files[quality, rows] = stream.getvalue()
        return self.files[quality, rows]

    def pictures(self, trials: Iterable[Trial]) -> dict[str, bytes]:
        """Files of the panels of ``trials``, by their names in `panel_files`."""
        return {
            file: self._encoded(panel, self.quality)
            for trial in trials
            for file, panel in zip(panel_files(self.study, trial), trial.panels, strict=True)
        }

    def shown(self) -> dict[str, bytes]:
        """Files of all trials that are in a block."""
        names = dict.fromkeys(name for block in self.study.blocks for name in block.trials)
        return self.pictures(self.trials[name] for name in names)


def montage_of(pictures: Bytes) -> Bytes:
    """Pictures [k, side, side, 3] as one, row by row in the squarest grid: uint8 [height, width, 3]."""
    count, side = pictures.shape[:2]
    columns = ceil(sqrt(count))
    rows = ceil(count / columns)
    step = side + GAP
    sheet = np.full((rows * step - GAP, columns * step - GAP, 3), 255, dtype=np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // columns * step, place % columns * step
        sheet[top : top + side, left : left + side] = picture
    return sheet


def panel_files(study: Study, trial: Trial) -> list[str]:
    """Picture file of each panel; names depend on the place, so that equal panels do not tell."""
    return [f"pictures/{opaque(study.seed, 'picture', trial.id, place)}.webp" for place in range(len(trial.panels))]


def render_study(study: Study, folder: Path, texts: Texts | None = None) -> list[Path]:
    """Write a folder per block below ``folder``, each of which opens from disk; answers are downloaded at the end.

    The page comes last, so that a folder with a page is whole.

    Raises
    ------
    EvoscopeError : a block's folder holds something already, such as a page that participants use.
    """
    album, trials, folders = Album(study), study.by_id(), [folder / block.id for block in study.blocks]
    for block, own in zip(study.blocks, folders, strict=True):
        if own.exists() and any(own.iterdir()):
            raise EvoscopeError(f"'{own}' is not empty", "render into a new folder")
        write_pictures(album.pictures(trials[name] for name in block.trials), own)
        document = described(study, block)
        text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        (own / "study.json").write_text(text, encoding="utf-8")
        (own / "index.html").write_text(page(study, document, texts or read_texts()), encoding="utf-8", newline="")
    return folders


def is_rendered(study: Study, folder: Path, texts: Texts | None = None) -> bool:
    """Whether ``folder`` holds all blocks of the study, rendered with these texts."""
    pages = {
        folder / block.id / "index.html": page(study, described(study, block), texts or read_texts())
        for block in study.blocks
    }
    return all(path.is_file() and path.read_bytes() == text.encode() for path, text in pages.items())


def write_pictures(files: Mapping[str, bytes], folder: Path) -> None:
    """Write picture files below ``folder``."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def described(study: Study, block: Block | None) -> dict[str, Any]:
    """Description of a block for its page, without answers, conditions or roles; of no block if a server deals them."""
    shared: dict[str, Any] = {
        "format": FORMAT,
        "study": study.name,
        "key": key_digest(study)[:16],
        "post": block is None,
        "block": block.id if block else None,
    }
    if block is None:
        return shared
    plans: list[Plan] = [personal_plan(study, block, f"page {number}") for number in range(PLANS)]
    return {**shared, "trials": block_trials(study, block), "plans": plans}


def block_trials(study: Study, block: Block) -> list[dict[str, Any]]:
    """What a page may know of the trials of a block, in an order that tells nothing."""
    trials = study.by_id()
    return [_shown(study, trials[name]) for name in sorted(block.trials)]


def _shown(study: Study, trial: Trial) -> dict[str, Any]:
    known = public_trial(trial)
    if trial.role == "practice":
        known["example"] = DOTS if trial.item.endswith("1") else STRIPES
    return {**known, "panels": panel_files(study, trial), "pictures": len(trial.panels[0])}


def page(
    study: Study, document: Mapping[str, Any], texts: Texts, minutes: float | None = None, pilot: bool = False
) -> str:
    """HTML page around a description.

    Parameters
    ----------
    document : what `described` made.
    minutes : that a pilot took; None: an estimate.
    pilot : whether a banner says that this is a trial run.
    """
    said = words(texts.language)
    told = {**document, "consent": texts.version, "words": said["script"]}
    # Inside a script element only "<" could end the data.
    data = json.dumps(told, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    plain = {name: html.escape(text) for name, text in said.items() if isinstance(text, str)}
    choices = "".join(
        f'<label><input type="radio" name="colours" value="{place}"> {html.escape(text)}</label>'
        for place, text in enumerate(said["colour_answers"])
    )
    return Template((PAGE / "page.html").read_text(encoding="utf-8")).substitute(
        plain,
        title=html.escape(texts.title),
        banner=f'<p class="banner">{plain["pilot"]}</p>' if pilot else "",
        style=(PAGE / "page.css").read_text(encoding="utf-8"),
        **{name: to_html(filled(getattr(texts, name), study, minutes, texts.language)) for name in EDITABLE},
        illustration=_illustration(study, said),
        colour_choices=choices,
        study=data,
        script=(PAGE / "page.js").read_text(encoding="utf-8"),
    )


def _illustration(study: Study, said: Mapping[str, Any]) -> str:
    """A question of the study's kind about drawn pictures, with its answer."""
    model = study.trials[0]
    panels, odd = len(model.panels), len(model.panels) // 2
    number = 1 if study.kind == "pairwise_coherence" else 0
    taught = lesson(study.kind, model.form, panels, number, odd)
    single = all(len(panel) == 1 for panel in model.panels)
    letters = [chr(ord("A") + place) for place in range(panels)]
    boxes = []
    for place, (thing, panel) in enumerate(zip(taught.things, model.panels, strict=True)):
        pictures = drawn(thing, len(panel), EXAMPLE_SIDE, study.seed, "example", place)
        stream = BytesIO()
        Image.fromarray(montage_of(pictures)).save(stream, "WEBP", quality=60)
        data = base64.b64encode(stream.getvalue()).decode()
        form = said["script"]["picture" if single else "set"] if panels > 1 else said["script"]["pictures"]
        name = html.escape(form.format(letter=letters[place]))
        chosen = " odd" if model.form.choose and place == odd else ""
        boxes.append(
            f'<div class="panel"><div class="box{chosen}"><span>{name}</span>'
            f'<img src="data:image/webp;base64,{data}" alt="{name}"></div></div>'
        )
    told = html.escape(said["explain"][study.kind].format(odd=letters[odd]))
    return f'<p>{html.escape(taught.form.question)}</p><div class="illustration">{"".join(boxes)}</div><p>{told}</p>'


TERMS = "The images of {name} are ImageNet's, whose terms allow research and teaching only, and no public hosting"
UNKNOWN = "Nothing is known here about the licence of the images of {name}"
IMAGENET = ("imagenet", "imagenette", "imagewoof")
SYNTHETIC = ("concept_scenes",)
INTRODUCTION = """\
Before you begin: edit `consent.md`, `instructions.md` and `debrief.md`, and have the consent approved by your ethics
board. Change nothing else once there are answers.

* `python -m human_eval serve THIS_FOLDER` offers all studies of this folder, each at `/KIND`, with these texts, and
  collects the answers. With `--pilot` it starts before the texts are finished, and learns how long the study takes.
* `python -m human_eval export prolific KIND OUT --host https://...` writes the link and the completion code.
* `pages/BLOCK/index.html` is the same page for a computer of your own: it opens from disk, and each participant
  downloads a file of answers at the end. Run the job again to give these pages your texts.
* `key.json` and `completion.json` are secret: keep them from participants. `study.json` holds the checksum of the
  key, and who is excluded.
* `python -m human_eval analyse KIND ANSWERS report` makes the tables, from the database or the downloaded files.
"""


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
    return "\n".join([*head, INTRODUCTION, *(line for study in studies for line in _study_notes(study, exports))])


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
            f"* Excluded, as fixed now: who fails {rules.catch_failures} attention checks or more, "
            f"whose median answer takes less than {rules.min_median_ms} ms, who takes one position in more than "
            f"{rules.max_same_position:.0%} of choices, or who answers less than {rules.min_complete:.0%} of the block."
        )
    lines += [f"* {remark}" for remark in study.remarks]
    if exports.get(study.kind):
        lines.append(f"* Exported to {', '.join(exports[study.kind])} below `{study.kind}/exports`.")
    return [*lines, ""]
