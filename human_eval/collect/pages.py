"""The rendered blocks that a server offers, and what an answer to one of them may be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evoscope.errors import EvoscopeError
from human_eval.design.files import read_json

TEXT_LIMIT = 200
DAY_MS = 86_400_000
FIELDS = {"participant", "block", "trial", "place", "choice", "texts", "option", "ms", "resumed"}


@dataclass(frozen=True)
class Pages:
    """Rendered blocks by id: their ``folders`` and public ``trials`` by id; ``key``: of the study."""

    folders: dict[str, Path]
    key: str
    trials: dict[str, dict[str, dict[str, Any]]]

    @classmethod
    def read(cls, folder: Path) -> "Pages":
        """Read the blocks that `render` wrote below ``folder``.

        Raises
        ------
        EvoscopeError : there are none, or they are of different studies.
        """
        paths = sorted(folder.glob("*/study.json"))
        found = [read_json(path) for path in paths]
        try:
            keys = {document["key"] for document in found}
            trials = {d["block"]: {trial["id"]: trial for trial in d["trials"]} for d in found}
        except (KeyError, TypeError) as error:
            raise EvoscopeError(
                f"'{folder}' holds a block that cannot be read", "render the study again"
            ) from error
        if len(keys) != 1:
            raise EvoscopeError(
                f"'{folder}' holds blocks of {len(keys)} studies",
                "give the folder that `human_eval render` wrote",
            )
        folders = {document["block"]: path.parent for document, path in zip(found, paths, strict=True)}
        return cls(folders, keys.pop(), trials)


def fault(pages: Pages, answer: Any) -> str:
    """What is wrong with an answer as it was posted; "" if nothing is."""
    if not isinstance(answer, dict) or set(answer) != FIELDS:
        return "an answer has the fields " + ", ".join(sorted(FIELDS))
    for name in ("participant", "block", "trial"):
        if not _is_text(answer[name]):
            return f"{name} is not a short text"
    trial = pages.trials.get(answer["block"], {}).get(answer["trial"])
    if trial is None:
        return "there is no such trial in this block"
    if not (_is_count(answer["ms"], DAY_MS) and _is_count(answer["place"], 10_000)):
        return "ms and place are not whole numbers of a likely size"
    if type(answer["resumed"]) is not bool:
        return "resumed is neither true nor false"
    return _unfit(trial, answer)


def _unfit(trial: dict[str, Any], answer: dict[str, Any]) -> str:
    form = trial["form"]
    if not _fits(answer["choice"], len(trial["panels"]) if form["choose"] else 0):
        return "choice is not one of the panels"
    if not _fits(answer["option"], len(form["options"])):
        return "option is not one of the options"
    texts = answer["texts"]
    if not isinstance(texts, list) or len(texts) != len(form["texts"]) or not all(map(_is_text, texts)):
        return "texts are not one short text per field"
    return ""


def _fits(value: Any, alternatives: int) -> bool:
    return _is_count(value, alternatives - 1) if alternatives else value is None


def _is_count(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_text(value: Any) -> bool:
    """Whether it is a text of a permitted length that can be encoded (a lone surrogate cannot)."""
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)
