"""What every experiment of a job shares: configuration, image sets, runs, store, folder, and where networks run."""

import copy
import ctypes
import dataclasses
import hashlib
import json
import os
import subprocess
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch

from evoscope.data.files import cores
from evoscope.data.loader import HALVED
from evoscope.errors import EvoscopeError
from evoscope.models.torchvision_models import weights_path
from evoscope.space.protocol import SpaceProtocol
from evoscope.store import Event, Machine, Node, Runtime, Store
from evoscope.store.upkeep import LISTINGS
from experiments.datasets import Data, open_data
from experiments.first_look import first_look, is_own
from experiments.own_networks import OWN
from experiments.parallel import Crew
from experiments.protocols import space_protocol
from experiments.reporting import complain, duration, progress, say
from experiments.runs import Run, selected_runs
from experiments.schema import PAPER, Config, threads_of

# Of mallopt, as malloc.h numbers them.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
MOST_PROCESSES = 4  # each needs memory of its own
MOST_HALVINGS = 10  # from the largest batch to a single image

# What may differ between two calls that produce the same results.
_NOT_CONTENT = {
    "store",
    "outputs",
    "dry_run",
    "progress",
    "threads",
    "workers",
    "processes",
    "memory_mb",
    "device",
    "stale",
    "action",
    "older_than_days",
}


class Context:
    """Lazily opened surroundings of one job.

    ``guesses``: runs that a plan, of a dry run, would treat otherwise after their training or download.
    """

    def __init__(self, config: Config, crew: Crew | None = None) -> None:
        self.config = config
        self.crew = crew or Crew()
        self.progress = progress(config.progress)
        self.computed: list[str] = []
        self.outdated: dict[str, str] = {}
        self.told: set[str] = set()
        self.guesses: list[str] = []
        self._opened: dict[str, Data] = {}
        self.store = Store(Path(config.store), progress=self.progress, on_event=self._note, stale=config.stale.value)
        self.folder = Path(config.outputs) / str(config.task) / content_key(config)

    @property
    def data(self) -> Data:
        """The image sets; what was left out or replaced in them is printed when they are opened."""
        key = repr((self.config.data, self.config.seed))
        if key not in self._opened:
            self._opened[key] = open_data(
                self.config.data, self.config.seed, self.progress, Path(self.config.store) / LISTINGS
            )
            for remark in self._opened[key].remarks:
                complain(f"evoscope: {remark}")
        return self._opened[key]

    @cached_property
    def runs(self) -> dict[str, Run]:
        """The training runs compared, the base first; own networks give the logits of the classes alone."""
        return {name: self.seen(run) for name, run in selected_runs(self.config).items()}

    def seen(self, run: Run) -> Run:
        """A run whose outputs are those of the classes, in their order; where that is unknown, it says so."""
        if not is_own(run):
            return run
        if self.awaits(run):
            self.guesses.append(run.name)
            return run
        look = first_look(run, self.data.test, self.config.seed)
        return replace(look.run, problem=look.outputs.problem)

    def awaits(self, run: Run) -> bool:
        """Whether published weights are still to be fetched, of a run that is only planned."""
        weights = run.spec.weights
        named = weights is not None and run.spec.factory is None and not Path(weights).is_file()
        return self.config.dry_run and named and not weights_path(run.spec).is_file()

    @cached_property
    def device(self) -> str:
        """Where networks run."""
        if self.config.device != "auto":
            return self.config.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    @property
    def machine(self) -> Machine:
        """What decides the bits of a network's results: the device and, on a CPU, the number of threads."""
        kind = self.device.partition(":")[0]
        return Machine(self.device if kind == "cpu" else kind, torch.get_num_threads() if kind == "cpu" else 0)

    @property
    def runtime(self) -> Runtime:
        """How stages are computed, without any influence on what."""
        return Runtime(self.config.memory_mb, self.workers, self.progress)

    @property
    def workers(self) -> int:
        """Processes that read images: as many as the cores, unless told; drawn scenes need none."""
        if self.config.workers is not None:
            return self.config.workers
        return 0 if self.config.data.name == "concept_scenes" else cores()

    @property
    def processes(self) -> int:
        """Processes that share the job: as many as leave each the threads that it is limited to, unless told."""
        threads = threads_of(self.config)
        if self.config.processes is not None:
            return self.config.processes
        return min(MOST_PROCESSES, max(1, cores() // threads)) if threads and self.device == "cpu" else 1

    @property
    def estimates(self) -> bool:
        """Whether plans say how long stages take: to be shown, or to tell whether other processes pay."""
        return self.config.dry_run or self.crew.asks

    @property
    def map_method(self) -> Literal["umap", "pca"]:
        """How the two-dimensional map is made."""
        return "umap" if self.config.scale.map == "umap" else "pca"

    @property
    def space_protocol(self) -> SpaceProtocol:
        """ConceptEvo's choices under the job's protocol."""
        return space_protocol(self.config.protocol)

    def varied(self, config: Config) -> "Context":
        """The same surroundings, store and opened data sets included, under another configuration."""
        other = copy.copy(self)
        for name in ("runs", "device"):
            other.__dict__.pop(name, None)
        other.config = config
        return other

    def get(self, node: Node) -> Path:
        """Folder of the artefact, computed if it is missing; in smaller batches where the device's memory is full.

        Raises
        ------
        EvoscopeError : a single image is too much for the device.
        """
        while True:
            try:
                return self.store.get(node)
            except torch.OutOfMemoryError as error:
                if HALVED.times >= MOST_HALVINGS:
                    raise EvoscopeError(
                        f"the memory of {self.device} is too small for {node.label}",
                        "choose another device, smaller images or a smaller network",
                    ) from error
            HALVED.times += 1
            torch.cuda.empty_cache()
            complain(f"evoscope: the memory of {self.device} is full: batches are halved and {node.label} goes on")

    def _note(self, event: Event) -> None:
        if event.kind == "finished":
            self.computed.append(event.node.label)
            say(f"{event.node.label}: {duration(event.seconds)}")
        elif event.kind == "outdated":
            self.outdated[event.node.key] = event.node.label
            complain(f"evoscope: {event.node.label}: {event.detail}")
        elif event.kind in ("damaged", "waiting"):
            complain(f"evoscope: {event.node.label}: {event.detail}")


def settle(threads: int | None, device: str) -> None:
    """Let torch give the same bits at every run: so many threads (None: its choice), and fixed kernels on a GPU.

    Convolutions on a GPU are in float32 and not in TF32, which keeps ten bits; trainings use bfloat16 where it serves.
    Operators without a fixed kernel warn.
    """
    _keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    if device.partition(":")[0] == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        torch.use_deterministic_algorithms(True, warn_only=True)
        if ":" in device:  # networks run on the current one, because keys do not name it
            torch.cuda.set_device(device)


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed for the next layer: given back, the system would clear it anew at every batch.

    On images of 224 pixels that costs more time than computing. Other C libraries are left as they are.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def content_key(config: Config) -> str:
    """Readable name of a configuration: data, scale, protocol and a hash of everything that decides results."""
    told = dataclasses.asdict(config)
    plain = json.loads(json.dumps(told, default=lambda value: value.name if isinstance(value, Enum) else str(value)))
    values = {key: value for key, value in plain.items() if key not in _NOT_CONTENT}
    text = json.dumps(values, sort_keys=True)
    name = config.model.name if config.model.name != PAPER else OWN if config.model.factory else ""
    model = f"-{name}" if name else ""
    stem = f"{config.data.name}-{config.scale.name}-{config.protocol.name}{model}"
    return f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def commit() -> str:
    """Abbreviated git commit of the code, with ``+`` when it has local changes, or ``unknown``."""
    root = Path(__file__).resolve().parent.parent
    try:
        head = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], cwd=root, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip()
