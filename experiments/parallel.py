"""The processes of one job: others compute stages of the same plan from its other end, into the same store.

A stage is computed by whoever finds it ready and free first, with the threads that it would have alone, so the number
of processes changes no result. A second process uses what reading, sorting and Python leave idle of the cores.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hydra import compose, initialize_config_dir

from experiments import CONF
from experiments.reporting import Status, complain, duration, say

if TYPE_CHECKING:
    from evoscope.store import Node
    from experiments.context import Context

ROOT = CONF.parent
LEAST = 120.0  # seconds of work below which another process does not pay, which takes about ten to start
# What the libraries beside torch read when they are loaded.
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
POLL = 0.5  # seconds between two looks whether a stage has become ready
LOG = "other_process.log"


def limit_threads(threads: int | None) -> None:
    """Let every library use so many threads that is not loaded yet; with none, its own choice.

    Idle threads of two processes on the same cores take them from those that work.
    """
    if threads is not None and "numba" not in sys.modules:  # which reads its number again, and refuses another
        os.environ.update(dict.fromkeys(POOLS, str(threads)))


class Crew:
    """The job's first process, and the others that it starts once there is enough to do.

    Parameters
    ----------
    wanted : how many processes work together, this one included.
    least : seconds of work below which the others are not started.
    overrides : the job's command line, which the others plan by.
    helping : whether this is one of the others, which takes stages from the end and draws nothing.
    """

    def __init__(
        self, wanted: int = 1, overrides: Sequence[str] = (), least: float = LEAST, helping: bool = False
    ) -> None:
        self.helping = helping
        self._least = least
        self._wanted = wanted
        self._overrides = list(overrides)
        self._others: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []

    @property
    def asks(self) -> bool:
        """Whether it must be known how long the missing stages take."""
        return self._wanted > 1 and self._least > 0

    @property
    def shares(self) -> bool:
        """Whether another process works on the same stages now."""
        return self.helping or any(each.poll() is None for each in self._others)

    def start(self, missing: Sequence["Node"], folder: Path) -> None:
        """Start the others if the missing stages take long enough; what they say goes to a file in ``folder``."""
        costs = [node.estimate.seconds for node in missing if node.estimate]
        if self.helping or self._others or self._wanted < 2 or not missing or sum(costs) < self._least:
            return
        folder.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        for _ in range(self._wanted - 1):
            self._logs.append((folder / LOG).open("ab"))
            command = [sys.executable, "-m", "experiments.parallel", *self._overrides]
            self._others.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=self._logs[-1],
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "PYTHONPATH": path},
                    start_new_session=True,  # Ctrl-C ends this process, and its end ends the others
                )
            )
        say(f"{self._wanted} processes compute side by side (processes=1: only this one)")

    def close(self) -> None:
        """End the others."""
        for each in self._others:
            assert each.stdin is not None
            each.stdin.close()
            try:
                each.wait(10)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()
        for log in self._logs:
            log.close()
        self._others, self._logs = [], []


def compute(context: "Context", targets: Sequence["Node"]) -> None:
    """Compute what is missing of ``targets`` and of what they rest on, together with the other processes if any."""
    missing = [row.node for row in context.store.plan(targets) if row.needed]
    context.crew.start(missing, context.folder)
    if context.crew.shares:
        _share(context, missing)
    for node in targets:
        context.get(node)


def _share(context: "Context", missing: Sequence["Node"]) -> None:
    """Compute stages that are ready and free until none is missing, or until this process is alone."""
    from evoscope.store.manifest import read_run

    store, pending = context.store, list(missing)
    while pending and context.crew.shares:
        for node in [node for node in pending if store.has(node)]:
            pending.remove(node)
            if node.label not in context.computed:
                context.computed.append(node.label)
                took = read_run(store.path(node)).get("seconds")
                said = duration(took) if isinstance(took, int | float) else "there"
                say(f"{node.label}: {said}, by another process")
        ready = [node for node in pending if all(map(store.has, node.inputs.values()))]
        free = next((node for node in (reversed(ready) if context.crew.helping else ready) if store.free(node)), None)
        if free is not None:
            context.get(free)
        elif pending:
            time.sleep(POLL)


def _end_with_the_first() -> None:
    """Leave as soon as the first process does; what was begun is cleared up, or gone on with, by the next call."""
    while os.read(0, 1):  # not by a stream, which is locked while the interpreter ends
        pass
    os._exit(1)


def main(overrides: Sequence[str]) -> int:
    """Help with the job of a command line: compute its stages from the end, until none is missing."""
    from experiments import composed, planner
    from experiments.context import Context, settle
    from experiments.own_networks import typed_config
    from experiments.runner import carry_out
    from experiments.schema import register, threads_of

    threading.Thread(target=_end_with_the_first, daemon=True).start()
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = typed_config(compose("config", overrides=[*overrides, "progress=false"]))
        context, status = Context(config, Crew(helping=True)), Status(config.task, list(overrides))
        settle(threads_of(config), context.device)
        if status.task in ("results", "paper"):
            composed.run_parts(context, status)
        else:
            carry_out(context, planner(str(status.task))(context).asked(config.only), status)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Exception as problem:  # the first process meets the same problem, and tells of it
        complain(f"{type(problem).__name__}: {problem}")
        sys.exit(1)
