"""The named protocols of conf/protocol, with the two numbers that a scale decides given in full."""

from dataclasses import replace
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import OmegaConf

FOLDER = Path(__file__).resolve().parents[1] / "conf" / "protocol"
SCALE = {
    "corrected": {"skipgram_epochs": 1000, "image_sweeps": 10_000},
    "as_released": {"image_sweeps": 10_000},
    "v1": {"skipgram_epochs": 10_000, "image_sweeps": 10_000},
}


def space(name, **changes):
    """Return the ``SpaceProtocol`` of a file, with some values replaced."""
    return replace(_made(name, "space"), **changes)


def discovery(name):
    """Return the ``DiscoveryProtocol`` of a file."""
    return _made(name, "discovery")


def reversal(name):
    """Return the ``ReversalProtocol`` of a file."""
    return _made(name, "reversal")


def _made(name, group):
    return instantiate(OmegaConf.merge(_composed(name), {"scale": SCALE[name]})[group])


def _composed(name):
    """Return a file on top of those that its defaults list names."""
    given = OmegaConf.load(FOLDER / f"{name}.yaml")
    below = [each for each in given.pop("defaults", []) if each != "_self_"]
    return OmegaConf.merge(*map(_composed, below), given)
