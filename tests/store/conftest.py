"""A small pipeline whose builds count how often they run."""

from collections import Counter
from pathlib import Path

import pytest

from evoscope.store import Event, Node, Stage, Store


class Toy:
    """A store in a fresh folder, its events, and nodes that write their configuration and what they read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.built = Counter()
        self.events: list[Event] = []
        self.store = self.reopened()

    def reopened(self) -> Store:
        """Another store object on the same folder, as another run of the same command would make."""
        return Store(self.root, on_event=self.events.append)

    def node(self, name, inputs=None, *, version=1, seed=0, build=None, **more) -> Node:
        def write(folder, inputs, progress):
            self.built[name] += 1
            read = b"".join((inputs[role] / "out.bin").read_bytes() for role in sorted(inputs))
            (folder / "out.bin").write_bytes(f"{name} {seed} ".encode() * 50 + read)
            (folder / "deep").mkdir()
            (folder / "deep" / "notes.txt").write_text(str(more.get("config")))

        config = more.pop("config", {"width": 8})
        return Node(Stage(name, version), config, inputs or {}, build or write, seed, label=f"toy {name}", **more)

    def chain(self, **more) -> tuple[Node, Node, Node]:
        """Three nodes: first -> second -> third, which reads both others."""
        first = self.node("first", **more)
        second = self.node("second", {"a": first})
        return first, second, self.node("third", {"a": first, "b": second})

    def kinds(self) -> list[tuple[str, str]]:
        return [(event.kind, event.node.stage.name) for event in self.events]


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "store")
