"""Run an experiment: ``python run.py experiment=unified_space``; without one, the list of experiments."""

import re
import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from evoscope.errors import EvoscopeError
from experiments import jobs
from experiments.reporting import complain
from experiments.schema import register

CORRECTED = Path(__file__).parent / "conf" / "protocol" / "corrected.yaml"
# Keys of a protocol that had another name before they were grouped.
RENAMED = {
    "bin_ties": "reversal.bins.ties",
    "bin_cut": "reversal.bins.cut",
    "random_sets": "reversal.random",
    "refine_scale": "discovery.refine.scale",
    "refine_ward": "discovery.refine.ward",
    "refine_prune": "discovery.refine.prune",
}


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def job(config: DictConfig) -> None:
    """One job of a sweep, or the only one."""
    jobs.run(config)


def main() -> int:
    """Exit status of the command: 0 all done, 1 something failed, 2 a command that cannot be run."""
    register()
    sys.argv[1:] = prepared(sys.argv[1:])
    job()
    return jobs.exit_status()


def prepared(arguments: list[str]) -> list[str]:
    """Arguments as Hydra wants them.

    Checkpoint patterns are quoted, because ``{`` would begin a dictionary; ``+experiment=`` loses its plus; keys of a
    protocol get the group that they moved to; ``model.kwargs`` may hold any names; ``runs=FILE.yaml`` is a file of own
    networks, not one of our tables.
    """
    return [_quoted(_opened(_grouped(_without_plus(argument)))) for argument in arguments]


def _opened(argument: str) -> str:
    """Arguments of a constructor with the pluses that Hydra wants of new keys; a file of networks by its key."""
    key, equals, value = argument.partition("=")
    if equals and re.fullmatch(r"\+*model\.kwargs(\..+)?", key):
        return f"++{key.lstrip('+')}={value}"
    if equals and key == "runs" and value.strip("'\"").endswith((".yaml", ".yml")):
        return f"networks={value}"
    return argument


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


def _quoted(argument: str) -> str:
    key, equals, value = argument.partition("=")
    if not equals or "{epoch" not in value or value[:1] in "'\"":
        return argument
    if "'" in value:
        raise EvoscopeError(f"{key} has a quote in its path ({value})", "use a path without quotes")
    return f"{key}='{value}'"


if __name__ == "__main__":
    sys.exit(main())
