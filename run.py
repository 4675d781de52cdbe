"""Run an experiment: ``python run.py experiment=unified_space``; without one, the list of experiments."""

import sys

import hydra
from omegaconf import DictConfig

from experiments import command_line, jobs
from experiments.schema import register


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def job(config: DictConfig) -> None:
    """One job of a sweep, or the only one."""
    jobs.run(config)


def main() -> int:
    """Exit status of the command: 0 all done, 1 something failed, 2 a command that cannot be run."""
    register()
    sys.argv[1:] = command_line.prepared(sys.argv[1:])
    job()
    return jobs.exit_status()


if __name__ == "__main__":
    sys.exit(main())
