"""The drawn results below some folders, by the job that they come from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from results.ledger.claim import DRAWN, ROOTED
from results.ledger.evidence import ORIGIN, origin_of
from results.registry import entries

STAMPS = ("Data", "Scale", "Protocol")
Place = tuple[str, str, str]


@dataclass(frozen=True)
class Item:
    """A drawn figure or table: its ``id``, its Markdown, and its picture if it has one."""

    id: str
    words: Path
    picture: Path | None
    origin: Mapping[str, str]

    @property
    def place(self) -> Place:
        """Data set, scale and protocol of its job."""
        data, scale, protocol = (self.origin.get(name, "unknown") for name in STAMPS)
        return data, scale, protocol

    @property
    def title(self) -> str:
        """What the manifest calls it."""
        return entries()[self.id].title

    @property
    def command(self) -> str:
        """The command that draws it again."""
        data, scale, protocol = self.place
        options = [] if data == DRAWN else [f"data={data}", ROOTED]
        options += [f"scale={scale}"] if scale != "laptop" else []
        options += [f"protocol={protocol}"] if protocol != "corrected" else []
        return " ".join(["python run.py experiment=results", f"only=[{self.id}]", *options])

    def text(self) -> str:
        """Caption, and the table if it is one, in Markdown without the stamp."""
        return ORIGIN.sub("", self.words.read_text(encoding="utf-8")).strip()


def galleries(folders: Iterable[Path]) -> dict[Place, list[Item]]:
    """Figures and tables of the manifest below ``folders``, in its order, by job; of two alike the later."""
    found: dict[tuple[Place, str], Item] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.md")):
            item = _item(path) if path.stem in entries() else None
            if item is not None:
                found[item.place, item.id] = item
    ranks = {name: place for place, name in enumerate(entries())}
    jobs: dict[Place, list[Item]] = {}
    for place, name in sorted(found, key=lambda key: (key[0][0] != DRAWN, key[0], ranks[key[1]])):
        jobs.setdefault(place, []).append(found[place, name])
    return jobs


def _item(path: Path) -> Item | None:
    """The result whose Markdown file this is; none where its picture is missing."""
    if not path.stem.startswith("fig_"):
        return Item(path.stem, path, None, origin_of(path))
    picture = path.with_suffix(".png")
    if not picture.is_file():
        return None
    with Image.open(picture) as image:
        origin = {name: str(value) for name, value in image.info.items() if name in STAMPS}
    return Item(path.stem, path, picture, origin)
