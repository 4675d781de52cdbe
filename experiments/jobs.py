"""One job: check the configuration, plan, compute, draw, and leave a status whatever happens."""

import time
import traceback
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from evoscope.errors import EvoscopeError
from experiments import experiment_names, planner
from experiments.reporting import Status, complain, duration, failed_jobs, forget_failed_jobs, say

# What experiment=init writes, into the folder that it is called in.
TEMPLATE = "runs.yaml"
_FAILED: list[str] = []


def run(config: DictConfig) -> None:
    """Run the job of ``config``; problems the user can mend end in one sentence and a failed status."""
    status = Status(OmegaConf.select(config, "task"), list(HydraConfig.get().overrides.task))
    folders = _sweep_folder()
    started = time.perf_counter()
    try:
        _run(config, status, folders)
        status.state = "done"
    except EvoscopeError as problem:
        _fail(status, str(problem))
    except OmegaConfBaseException as problem:
        _fail(status, _one_sentence(problem))
    except KeyboardInterrupt:
        _fail(status, "interrupted: run the same command again to go on")
        raise
    except Exception as problem:
        _fail(status, _unexpected(problem, folders or [Path(config.outputs)]))
    finally:
        status.seconds = round(time.perf_counter() - started, 2)
        status.write(folders)
    if status.state == "done":
        say(f"{status.task}: done in {duration(status.seconds)}, {status.computed} stages computed")


def _run(config: DictConfig, status: Status, folders: list[Path]) -> None:
    if status.task is None:
        raise EvoscopeError(
            "no experiment was named", f"add experiment=NAME, one of {', '.join(experiment_names())}"
        )
    # The libraries behind an experiment take seconds to import, which ``--help`` should not.
    import torch

    from experiments import store
    from experiments.checks import check, check_files
    from experiments.context import Context
    from experiments.own_networks import typed_config, write_template
    from experiments.runner import carry_out

    if status.task == "init":
        write_template(Path(TEMPLATE))
        say(f"{TEMPLATE}: fill in your networks, then give it to any experiment as runs={TEMPLATE}")
        return
    typed = typed_config(config)
    check(typed)
    if typed.threads:
        torch.set_num_threads(typed.threads)
    context = Context(typed)
    folders.append(context.folder)
    if status.task == "store":
        store.run(context)
        return
    check_files(context)
    if status.task in ("results", "paper"):
        from experiments import composed

        composed.run_parts(context, status)
    else:
        carry_out(context, planner(status.task)(context), status)


def _unexpected(problem: Exception, folders: list[Path]) -> str:
    """One sentence about an error that nobody foresaw; its traceback goes to a file."""
    path = folders[-1] / "traceback.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(traceback.format_exception(problem)))
    return f"unexpected {type(problem).__name__} ({problem}): this is a bug of ours, please report it with {path}."


def _one_sentence(problem: OmegaConfBaseException) -> str:
    key = getattr(problem, "full_key", None)
    what = " ".join(str(getattr(problem, "msg", None) or problem).splitlines()[0].split())
    return f"{key}: {what}" if key and key not in what else what


def _fail(status: Status, sentence: str) -> None:
    status.state, status.error = "failed", sentence
    _FAILED.append(sentence)
    complain(f"evoscope: {sentence}")


def _sweep_folder() -> list[Path]:
    """The sweep's own folder of this job (a single job has only the content-named one, added later)."""
    hydra = HydraConfig.get()
    multirun = hydra.mode is not None and hydra.mode.name == "MULTIRUN"
    return [Path(hydra.runtime.output_dir)] if multirun else []


def forget_failures() -> None:
    """Begin anew (several commands in one process: notebooks, tests)."""
    _FAILED.clear()
    forget_failed_jobs()


def exit_status() -> int:
    """1 when a job of this process, or of the sweep it led, failed."""
    return 1 if _FAILED or failed_jobs() else 0
