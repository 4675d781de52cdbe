"""One job: check the configuration, plan, compute, draw, and leave a status whatever happens."""

import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import FrameType, ModuleType
from typing import cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from evoscope.errors import EvoscopeError, users_line
from experiments import experiment_names, planner
from experiments.command import one_sentence
from experiments.parallel import LEAST, Crew, limit_threads
from experiments.reporting import FAILED, Status, complain, duration, ending, point_latest, say, to_open
from experiments.schema import Config, Stale, threads_of

# What experiment=init writes, into the folder that it is called in.
TEMPLATE = "runs.yaml"
# Launchers that give a job the machine, or cores of its own.
ONE_BY_ONE = ("BasicLauncher", "SlurmLauncher")


class Ended(KeyboardInterrupt):
    """A signal asks the process to end: as a key would, so that everything is left in order."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def run(config: DictConfig) -> None:
    """Run the job of ``config``; problems the user can mend end in one sentence and a failed status."""
    found = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    status = Status(None, [str(each) for each in found] if isinstance(found, list) else [])
    hydra = HydraConfig.get()
    multirun = hydra.mode is not None and hydra.mode.name == "MULTIRUN"
    folders = [Path(hydra.runtime.output_dir)] if multirun else []
    started = time.perf_counter()
    try:
        status.task = OmegaConf.select(config, "task")
        with _signals():
            _run(config, status, folders)
        status.opens = to_open(status.outputs)
        status.state = "done"
    except EvoscopeError as problem:
        _fail(status, str(problem))
    except OmegaConfBaseException as problem:
        _fail(status, one_sentence(problem))
    except KeyboardInterrupt as end:
        _fail(status, f"{_ended_by(end)}: run the same command again to go on.")
        raise
    except Exception as problem:
        _fail(status, _unexpected(problem, folders))
    finally:
        status.seconds = round(time.perf_counter() - started, 2)
        _leave(status, folders)
    if status.state == "done":
        say(f"{status.task}: done in {duration(status.seconds)}, {status.computed} stages computed")
    if status.opens is not None:
        say(ending(status, point_latest(Path(config.outputs), folders[-1])))


@contextmanager
def _signals() -> Iterator[None]:
    """Let what a cluster sends before it ends a job end it in order, unless somebody else listens already."""
    names = [name for name in ("SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    free = threading.current_thread() is threading.main_thread()
    ours = [each for each in numbers if free and signal.getsignal(each) is signal.SIG_DFL]
    process = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != process:  # a worker, which must not clean up what belongs to its parent
            os.kill(os.getpid(), number)
        raise Ended(number)

    for each in ours:
        signal.signal(each, end)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)


def _ended_by(end: KeyboardInterrupt) -> str:
    return f"ended by {end}" if isinstance(end, Ended) else "interrupted"


def interrupted(end: KeyboardInterrupt) -> int:
    """Exit status of a command that was interrupted; says so where no job has."""
    if not FAILED:
        complain(f"evoscope: {_ended_by(end)}: run the same command again.")
    return 128 + (end.number if isinstance(end, Ended) else signal.SIGINT)


def _leave(status: Status, folders: list[Path]) -> None:
    try:
        status.write(folders)
    except OSError as problem:
        status.state = "failed"
        _fail(status, _disk_problem(problem))


def _run(config: DictConfig, status: Status, folders: list[Path]) -> None:
    if status.task is None:
        raise EvoscopeError(
            "no experiment was named",
            f"add experiment=NAME, one of {', '.join(experiment_names())}; --help says what each is about",
        )
    limit_threads(threads_of(cast(Config, config)))  # it has the same fields
    # The libraries behind an experiment take seconds to import, which ``--help`` should not.
    _import_torchvision()
    from experiments import store
    from experiments.checks import check, check_files, tell_unread
    from experiments.context import Context, settle
    from experiments.own_networks import typed_config, write_template
    from experiments.runner import carry_out

    if status.task == "init":
        write_template(Path(TEMPLATE))
        say(f"{TEMPLATE}: fill in your networks, then give it to any experiment as runs={TEMPLATE}")
        return
    typed = typed_config(config)
    check(typed)
    tell_unread(status.task, status.overrides)
    context = Context(typed)
    _check_writable("outputs", context.folder)
    settle(threads_of(typed), context.device)
    folders.append(context.folder)
    if not typed.dry_run:
        _check_writable("store", Path(typed.store))
    if status.task == "store":
        store.run(context)
        return
    check_files(context)
    # Other launchers run jobs of this machine side by side; what is computed again belongs to one process.
    launcher = str(HydraConfig.get().launcher.get("_target_", ""))
    alone = not any(each in launcher for each in ONE_BY_ONE) or typed.stale is Stale.recompute
    least = LEAST if typed.processes is None else 0.0
    with closing(Crew(1 if alone else context.processes, status.overrides, least)) as context.crew:
        if status.task in ("results", "paper"):
            from experiments import composed

            composed.run_parts(context, status)
        else:
            carry_out(context, planner(status.task)(context).asked(typed.only), status)


COMPILER, QUESTION = "torch._dynamo", "is_compile_supported"


def _import_torchvision() -> None:
    """Import torchvision without torch's compiler, which takes a second and of which it wants one function."""
    if COMPILER in sys.modules:
        return
    package, utils = ModuleType(COMPILER), ModuleType(f"{COMPILER}.utils")
    utils.__dict__[QUESTION] = lambda *asked: getattr(import_module(utils.__name__), QUESTION)(*asked)
    sys.modules |= {each.__name__: each for each in (package, utils)}
    try:
        with suppress(ImportError):  # a torchvision that imports more of it
            import_module("evoscope.torchvision_compat")
    finally:
        for each in (package, utils):
            del sys.modules[each.__name__]


def _check_writable(key: str, folder: Path) -> None:
    """Refuse a folder where nothing can be written, before any work; a refusal for other reasons leaves none behind."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not there.is_dir():
        raise EvoscopeError(f"{there} is not a folder", f"give another {key}=...")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as problem:
        raise EvoscopeError(
            f"{folder} cannot be written ({problem.strerror or problem})",
            f"give {key}=... a folder that you may write to",
        ) from problem


def _unexpected(problem: Exception, folders: list[Path]) -> str:
    """One sentence about an error that nobody foresaw; its traceback goes to a file."""
    path = (folders[-1] if folders else Path(tempfile.gettempdir())) / "traceback.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(problem)))
    except OSError as full:
        return _disk_problem(full)
    what = f"{type(problem).__name__} ({problem})"
    theirs = users_line(problem)
    if theirs is not None:
        return f"your code raised {what}: mend {theirs}; the way there is in {path}."
    if isinstance(problem, OSError):
        return f"{_disk_problem(problem)[:-1]}; the way there is in {path}."
    return f"unexpected {what}: this is a bug of ours, please report it with {path}."


def _disk_problem(problem: OSError) -> str:
    where = f" at {problem.filename}" if problem.filename else ""
    reason = problem.strerror or str(problem)
    return f"a file could not be read or written{where} ({reason}): free space, or mend its rights or path."


def _fail(status: Status, sentence: str) -> None:
    status.state, status.error = "failed", sentence
    FAILED.append(sentence)
    complain(f"evoscope: {sentence}")


def exit_status() -> int:
    """1 when a job of this process, or of the sweep it led, failed."""
    return 1 if FAILED else 0
