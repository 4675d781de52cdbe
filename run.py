"""Run an experiment: ``python run.py experiment=unified_space``; ``--help`` is the list of experiments."""

import os
import re
import sys

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from evoscope.errors import EvoscopeError
from experiments import jobs
from experiments.command import (
    CORRECTED,
    HELP,
    Command,
    check_overrides,
    for_hydra,
    help_page,
    one_sentence,
    sweep_folder,
    taken_apart,
)
from experiments.reporting import complain, say
from experiments.schema import register

# Keys of a protocol that had another name before they were grouped.
RENAMED = {
    "bin_ties": "reversal.bins.ties",
    "bin_cut": "reversal.bins.cut",
    "random_sets": "reversal.random",
    "refine_scale": "discovery.refine.scale",
    "refine_ward": "discovery.refine.ward",
    "refine_prune": "discovery.refine.prune",
}
CANNOT_RUN = 2
# Turns of the loop in which a thread of torch waits for the others before it gives up its core. With libgomp's own
# number, a hundred times as large, two jobs on one machine run at a quarter of their speed; alone, this costs nothing.
SPIN = ("GOMP_SPINCOUNT", "3000")
# Hydra then raises its errors, instead of printing them over several lines and leaving.
RAISE = "HYDRA_FULL_ERROR"


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def job(config: DictConfig) -> None:
    """One job of a sweep, or the only one."""
    jobs.run(config)


def main() -> int:
    """Exit status of the command: 0 all done, 1 something failed, 2 a command that cannot be run."""
    if set(HELP) & set(sys.argv[1:]):
        say(help_page())
        return 0
    os.environ.setdefault(*SPIN)  # read when torch is loaded
    register()
    if os.environ.get(RAISE) == "1":
        sys.argv[1:] = prepared(sys.argv[1:])
        job()
        return jobs.exit_status()
    os.environ[RAISE] = "1"
    try:
        sys.argv[1:] = prepared(sys.argv[1:])
        job()
    except EvoscopeError as problem:
        complain(f"evoscope: {problem}")
        return CANNOT_RUN
    except (HydraException, OmegaConfBaseException, ValueError, OSError) as problem:
        complain(f"evoscope: {one_sentence(problem)}")
        return CANNOT_RUN
    except KeyboardInterrupt as end:
        return jobs.interrupted(end)
    finally:
        del os.environ[RAISE]
    return jobs.exit_status()


def prepared(arguments: list[str]) -> list[str]:
    """Arguments as Hydra wants them.

    Texts are quoted where Hydra would read them as its grammar; ``+experiment=`` loses its plus; keys of a protocol get
    the group that they moved to; ``runs=FILE.yaml`` is a file of own networks, not one of our tables; a sweep gets a
    folder with a short name.

    Raises
    ------
    EvoscopeError : an unknown flag, key or option of a group, or a value that cannot be read.
    """
    typed = taken_apart(arguments)
    overrides = [for_hydra(_opened(_grouped(_without_plus(each))), typed.sweep) for each in typed.overrides]
    check_overrides(overrides, typed.sweep)
    command = Command(typed.flags, overrides, typed.sweep)
    return [*command.arguments, *sweep_folder(command)]


def _opened(argument: str) -> str:
    """A file of networks by its key."""
    key, _, value = argument.partition("=")
    file = key == "runs" and value.strip("'\"").endswith((".yaml", ".yml"))
    return f"networks={value}" if file else argument


def _without_plus(argument: str) -> str:
    return argument.removeprefix("+") if argument.startswith("+experiment=") else argument


def _grouped(argument: str) -> str:
    """``protocol.image_ridge=0`` as ``protocol.space.image_ridge=0``, and says so."""
    key, equals, value = argument.partition("=")
    head, _, name = key.rpartition(".")
    if not equals or not re.fullmatch(r"protocol|protocols\.\w+", head):
        return argument
    corrected = OmegaConf.load(CORRECTED)
    assert isinstance(corrected, DictConfig)
    groups = [f"{group}.{name}" for group in ("space", "discovery") if name in corrected[group]]
    moved = RENAMED.get(name) or next(iter(groups), None)
    if moved is None:
        return argument
    complain(f"evoscope: {key} is now {head}.{moved}")
    return f"{head}.{moved}={value}"


if __name__ == "__main__":
    sys.exit(main())
