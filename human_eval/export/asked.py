"""What a platform is told of a trial: the public part, as plain text and picture addresses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from human_eval.design.positions import opaque
from human_eval.design.trial import Study, Trial
from human_eval.render.folder import Encoded


@dataclass(frozen=True)
class Asked:
    """One question as a platform shows it; ``panels``: addresses of the pictures of each panel."""

    trial: str
    question: str
    panels: tuple[tuple[str, ...], ...]
    choose: bool
    texts: tuple[str, ...]
    option_question: str
    options: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the panels, as they are chosen."""
        return tuple(f"Set {chr(ord('A') + place)}" for place in range(len(self.panels)))


def asked_of(study: Study, host: str) -> dict[str, list[Asked]]:
    """Every block's questions in order, with pictures below ``host``."""
    trials = study.by_id()
    return {block.id: [_asked(study, trials[name], host) for name in block.trials] for block in study.blocks}


def _asked(study: Study, trial: Trial, host: str) -> Asked:
    panels = tuple(
        tuple(f"{host}/pictures/{_name(study, trial, p, n)}.png" for n in range(len(rows)))
        for p, rows in enumerate(trial.panels)
    )
    form = trial.form
    return Asked(trial.id, form.question, panels, form.choose, form.texts, form.option_question, form.options)


def _name(study: Study, trial: Trial, panel: int, place: int) -> str:
    return opaque(study.seed, "picture", trial.id, panel, place)


def write_pictures(study: Study, folder: Path) -> Iterator[Path]:
    """Write all pictures below ``folder``, to be hosted; one path each."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    album = Encoded(study)
    for trial in study.trials:
        for panel, rows in enumerate(trial.panels):
            for place, row in enumerate(rows):
                path = folder / "pictures" / f"{_name(study, trial, panel, place)}.png"
                path.write_bytes(album.png(row))
                yield path
