"""Every figure and table: a decorator registers it, `draw` writes it, and `Drawn` knows whether it is still up to date.

A subject module of this package holds the figures and tables of one subject. Its functions register themselves::

    @table("table_metrics", title="Alignment metrics", reads=("metrics",), paper="Evoscope", shows="alignment metrics")
    def metrics_table(exhibits, about): ...

A table may name a ``finding``: a function from the rows of its CSV to one sentence with numbers, which ends the job on
the console and stands first in the report.

A new result over exhibits that there are already is such a function, in a module of its own or of its subject, and its
id in the plan of an experiment. Subject modules are imported when the list of results is asked for, drawing libraries
when a result is drawn, so that importing this module is quick.

A result is decided by the content of its exhibits, by what captions say about the job, and by the code that draws it:
`page_style`, this module, its own module, the published numbers and `evoscope.viz`. `Drawn` keeps a digest of these for
every result, with checksums of its files, in ``drawn.json``; a result whose digest or file differs is drawn again. The
commit of the code is stamped into the files but is not part of the digest: it alone changes no picture.
"""

import hashlib
import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict, Unpack

import evoscope
from evoscope.errors import EvoscopeError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from evoscope.arrays import Bytes

HERE = Path(__file__).resolve().parent
# Modules of this package that hold no figure or table.
OTHERS = ("registry", "page_style", "report", "keep")
PICTURE = (".png", ".svg", ".pdf", ".md")
TABLE = (".csv", ".md")
FILM = (".webp",)
LAST = 10_000  # place of a result that names none


@dataclass(frozen=True)
class About:
    """Origin of all exhibits of a job.

    ``data``: name of the image set; ``scale``, ``protocol``: named options; ``seed``; ``classes``: number of classes;
    ``images``: images in the pool, or rows of a table (``unit``); ``recipes``: one line per run on how it was trained;
    ``commit``: of the code; ``key``: of the configuration; ``remarks``: sentences about the data, for instance on files
    that were left out, which end every caption.
    """

    data: str
    scale: str
    protocol: str
    seed: int
    classes: int
    images: int
    recipes: Mapping[str, str] = field(default_factory=dict)
    commit: str = "unknown"
    key: str = "unknown"
    unit: str = "images"
    remarks: tuple[str, ...] = ()

    def origin(self) -> dict[str, str]:
        """What is stamped into every file."""
        names = ("commit", "key", "scale", "data", "protocol", "seed")
        return {name.capitalize(): str(getattr(self, name)) for name in names}


Exhibits = Mapping[str, object]
Words = Callable[[Exhibits, About], str]
Picture = Callable[[Exhibits, About], "Figure"]
# Frames, uint8 [height, width, 3], each with the milliseconds that it is shown.
Film = Callable[[Exhibits, About], Iterable[tuple["Bytes", int]]]
# Rows for the CSV, every digit; then the paragraphs of the Markdown file, the caption first.
Written = tuple["pd.DataFrame", Sequence[str]]
Rows = Callable[[Exhibits, About], Written]
# What rows of a CSV say, in one sentence with numbers; empty where they say nothing.
Finding = Callable[["pd.DataFrame"], str]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One figure or table.

    ``id``: its name and the stem of its files; ``title``: of its caption; ``reads``: names of the exhibits it needs;
    ``paper``: that it reproduces (or ``Evoscope``); ``shows``: what, in a few words; ``place``: in the report, small
    numbers first; ``module``: dotted name of its subject module; ``endings``: of its files.
    """

    id: str
    title: str
    reads: tuple[str, ...]
    paper: str
    shows: str
    place: int = LAST
    module: str
    endings: tuple[str, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of its files."""
        return tuple(self.id + ending for ending in self.endings)

    def titled(self, words: str) -> str:
        """A caption under the title, which ends in one mark."""
        return f"**{self.title}{'' if self.title.endswith('?') else '.'}** {words}"

    def draw(self, exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
        """Write the result into ``folder``, made if missing, and return its files."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class FigureEntry(Entry):
    """A figure.

    ``sketch`` makes it; ``says`` tells in one sentence what it shows, from its own numbers ("": nothing to say);
    ``words`` makes its caption, without title and sentence.
    """

    sketch: Picture
    says: Words
    words: Words

    def made(self, exhibits: Exhibits, about: About) -> tuple["Figure", str]:
        """The figure under its sentence, and its caption: title, sentence and words."""
        from evoscope.viz import headed

        sentence = self.says(exhibits, about)
        words = (f"{sentence}. " if sentence else "") + self.words(exhibits, about)
        return headed(self.sketch(exhibits, about), sentence), self.titled(words)

    def draw(self, exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
        """Write PNG, SVG, PDF and the caption as Markdown."""
        from evoscope.viz import save_figure, use_style

        with use_style():
            picture, caption = self.made(exhibits, about)
            return save_figure(picture, folder, self.id, caption, about.origin())


@dataclass(frozen=True, kw_only=True)
class FilmEntry(Entry):
    """A moving picture: ``film`` makes its frames."""

    film: Film

    def draw(self, exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
        """Write an animated WebP."""
        from evoscope.viz import use_style
        from evoscope.viz.sheet import save_film

        with use_style():
            return [save_film(self.film(exhibits, about), folder, self.id, about.origin())]


@dataclass(frozen=True, kw_only=True)
class TableEntry(Entry):
    """A table: ``rows`` makes its rows and its text, ``finding`` the sentence that they come to, if it has one."""

    rows: Rows
    finding: Finding | None = None

    def found(self, folder: Path) -> str:
        """The sentence of the table drawn into ``folder``; empty without one."""
        import pandas as pd

        path = folder / self.outputs[0]
        if self.finding is None or not path.is_file():
            return ""
        try:
            return self.finding(pd.read_csv(path)) if path.stat().st_size > 1 else ""
        except KeyError:  # a kept table of an earlier version lacks the column
            return ""

    def draw(self, exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
        """Write CSV and Markdown.

        The origin is a comment at the end of the Markdown; a CSV has no place for it that every reader would skip.
        """
        from evoscope.viz.sheet import origin_line

        full, paragraphs = self.rows(exhibits, about)
        folder.mkdir(parents=True, exist_ok=True)
        csv, page = (folder / name for name in self.outputs)
        text = "\n\n".join([*(part.strip() for part in paragraphs), f"<!-- {origin_line(about.origin())} -->"])
        full.to_csv(csv, index=False, lineterminator="\n")
        page.write_text(self.titled(text) + "\n", encoding="utf-8")
        return [csv, page]


_ENTRIES: dict[str, Entry] = {}


class Facts(TypedDict):
    """What is said of every result where it is registered, see `Entry`."""

    title: str
    reads: tuple[str, ...]
    paper: str
    shows: str
    place: NotRequired[int]


def figure(id: str, *, says: Words, words: Words, **facts: Unpack[Facts]) -> Callable[[Picture], Picture]:
    """Register the decorated function as the figure ``id``; for the arguments see `Entry` and `FigureEntry`."""

    def register(picture: Picture) -> Picture:
        where = picture.__module__
        _ENTRIES[id] = FigureEntry(
            id=id, module=where, endings=PICTURE, sketch=picture, says=says, words=words, **facts
        )
        return picture

    return register


def film(id: str, **facts: Unpack[Facts]) -> Callable[[Film], Film]:
    """Register the decorated function as the moving picture ``id``; for the arguments see `Entry`."""

    def register(made: Film) -> Film:
        _ENTRIES[id] = FilmEntry(id=id, module=made.__module__, endings=FILM, film=made, **facts)
        return made

    return register


def table(id: str, *, finding: Finding | None = None, **facts: Unpack[Facts]) -> Callable[[Rows], Rows]:
    """Register the decorated function as the table ``id``; for the arguments see `Entry` and `TableEntry`."""

    def register(rows: Rows) -> Rows:
        where = rows.__module__
        _ENTRIES[id] = TableEntry(id=id, module=where, endings=TABLE, rows=rows, finding=finding, **facts)
        return rows

    return register


@cache
def entries() -> Mapping[str, Entry]:
    """Every result by its id, ordered by place and then by id; imports all subject modules."""
    for found in pkgutil.iter_modules([str(HERE)]):
        if not found.ispkg and found.name not in OTHERS:
            importlib.import_module(f"{__package__}.{found.name}")
    return dict(sorted(_ENTRIES.items(), key=lambda item: (item[1].place, item[0])))


def entry(name: str) -> Entry:
    """Return the result called ``name``.

    Raises
    ------
    EvoscopeError : there is none.
    """
    known = entries()
    if name not in known:
        close = get_close_matches(name, known, n=3, cutoff=0.4) or sorted(known)
        raise EvoscopeError(f"there is no figure or table '{name}'", f"choose one of {', '.join(close)}")
    return known[name]


def findings(ids: Sequence[str], folder: Path) -> list[str]:
    """What the tables among the results ``ids``, drawn into ``folder``, say: a sentence each, in their order."""
    tables = [found for name in ids if isinstance(found := entry(name), TableEntry)]
    return [sentence for each in tables if (sentence := each.found(folder))]


def draw(
    ids: Sequence[str],
    exhibits: Exhibits,
    about: About,
    folder: Path,
    other_code: Mapping[str, Sequence[str]] | None = None,
) -> list[Path]:
    """Draw the results ``ids`` into ``folder`` and return their files.

    ``other_code``: for the id of a result, the stages whose artefacts were made by other code than the present; its
    caption says so.

    Raises
    ------
    EvoscopeError : an unknown result, or exhibits that are missing; before anything is drawn.
    """
    wanted = [entry(name) for name in ids]
    missing = {name: result.id for result in wanted for name in result.reads if name not in exhibits}
    if missing:
        listed = ", ".join(f"'{name}' (for {result})" for name, result in missing.items())
        raise EvoscopeError(f"exhibits are missing: {listed}", "run the experiment that makes them before drawing")
    from evoscope.viz.style import shown_together

    paths: list[Path] = []
    with shown_together(about.recipes):
        for result in wanted:
            told, stages = about, (other_code or {}).get(result.id, ())
            if stages:
                remark = f"Artefacts made by other code than the present: {', '.join(stages)}."
                told = replace(about, remarks=(*about.remarks, remark))
            paths += result.draw(exhibits, told, folder)
    return paths


# --- freshness -------------------------------------------------------------------------------------------------------

RECORD = "drawn.json"
LIBRARIES = ("matplotlib", "pandas", "pillow")


@cache
def sources(module: str) -> str:
    """Digest of the code that draws the results of ``module``, and of the versions of the libraries it draws with."""
    own = HERE / f"{module.rpartition('.')[2]}.py"
    shared = [*(HERE / "reference").glob("*"), *(Path(evoscope.__file__).parent / "viz").glob("*")]
    digest = hashlib.sha256(",".join(metadata.version(name) for name in LIBRARIES).encode())
    for path in (HERE / "registry.py", HERE / "page_style.py", own, *sorted(filter(Path.is_file, shared))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def stamp(entry: Entry, contents: Mapping[str, str], about: About, other_code: Sequence[str] = ()) -> str:
    """Digest of all that decides a result.

    Parameters
    ----------
    entry : the result.
    contents : digest of the content of every exhibit that it reads, by the exhibit's name.
    about : what its caption says of the job.
    other_code : stages whose artefacts were made by other code than the present.
    """
    facts = {name: value for name, value in asdict(about).items() if name != "commit"}
    exhibits = {name: contents[name] for name in entry.reads}
    text = json.dumps([entry.id, exhibits, facts, list(other_code), sources(entry.module)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Drawn:
    """What is known about the results in ``folder``; an unreadable record counts as none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = _record(folder / RECORD)

    def fresh(self, entry: Entry, stamp: str) -> bool:
        """Whether all files of the result are there, unchanged, and were drawn under ``stamp``."""
        known = self._known.get(entry.id)
        if not isinstance(known, dict) or known.get("stamp") != stamp:
            return False
        return known.get("files") == {name: _digest(self._folder / name) for name in entry.outputs}

    def note(self, entry: Entry, stamp: str, paths: Sequence[Path], other_code: Sequence[str] = ()) -> None:
        """Remember that the result was drawn just now, and which of its artefacts were made by other code."""
        files = {path.name: _digest(path) for path in paths}
        self._known[entry.id] = {"stamp": stamp, "files": files, "other_code": list(other_code)}
        text = json.dumps(self._known, indent=1, sort_keys=True)
        (self._folder / RECORD).write_text(text + "\n", encoding="utf-8")

    def other_code(self, name: str) -> tuple[str, ...]:
        """Stages behind the result ``name`` that were made by other code; none where that is not recorded."""
        known = self._known.get(name)
        stages = known.get("other_code") if isinstance(known, dict) else None
        return tuple(map(str, stages)) if isinstance(stages, list) else ()


def _record(path: Path) -> dict[str, object]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
