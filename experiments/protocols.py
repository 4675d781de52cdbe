"""From the ``protocol`` group to the library's typed choices, which check themselves."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.errors import EvoscopeError
from evoscope.evolution.reversal import ReversalProtocol
from evoscope.space.protocol import SpaceProtocol
from experiments.schema import Config, ProtocolConfig


def space_protocol(config: ProtocolConfig) -> SpaceProtocol:
    """ConceptEvo's choices for the space."""
    made: SpaceProtocol = _made(config.space, f"protocol.space of {config.name}")
    return made


def discovery_protocol(config: ProtocolConfig) -> DiscoveryProtocol:
    """CDISCO's choices."""
    made: DiscoveryProtocol = _made(config.discovery, f"protocol.discovery of {config.name}")
    return made


def reversal_protocol(config: ProtocolConfig) -> ReversalProtocol:
    """ConceptEvo's choices for reverting evolutions."""
    made: ReversalProtocol = _made(config.reversal, f"protocol.reversal of {config.name}")
    return made


# A plan asks for the same protocol hundreds of times, and Hydra takes milliseconds to make it.
_MADE: dict[str, Any] = {}


def _made(values: dict[str, Any], where: str) -> Any:
    """The dataclass that ``_target_`` names; equal values give the same one.

    Raises
    ------
    EvoscopeError : a value has no meaning, or an argument is unknown.
    """
    key = repr(values)
    try:
        if key not in _MADE:
            _MADE[key] = instantiate(values)
        return _MADE[key]
    except InstantiationException as problem:
        cause = problem.__cause__
        if isinstance(cause, EvoscopeError):
            raise cause from None
        raise EvoscopeError(
            f"{where} cannot be read ({cause or problem})", "compare it with conf/protocol"
        ) from None


def protocol_names(config: Config) -> list[str]:
    """The job's own protocol first, then the others to compare with."""
    return list(dict.fromkeys([config.protocol.name, *config.protocols]))
