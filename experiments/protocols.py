"""From the ``protocol`` group to the library's typed choices, which check themselves."""

import math
import typing
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate

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
    """The dataclass that ``_target_`` names; equal values give the same one; what has no meaning is refused."""
    key = repr(values)
    try:
        if key not in _MADE:
            _check_types(values, where.partition(" of ")[0])
            _MADE[key] = instantiate(values)
        return _MADE[key]
    except InstantiationException as problem:
        cause = problem.__cause__
        if isinstance(cause, EvoscopeError):
            raise cause from None
        raise EvoscopeError(f"{where} cannot be read ({cause or problem})", "compare it with conf/protocol") from None


def _check_types(values: dict[str, Any], stem: str) -> None:
    """Refuse a value of another type than the dataclass's own, which would be compared with numbers or looped over."""
    hints = typing.get_type_hints(get_class(values["_target_"])) if "_target_" in values else {}
    for name, value in values.items():
        hint, key = hints.get(name), f"{stem}.{name}"
        if isinstance(value, dict):
            if "_target_" not in value:
                raise EvoscopeError(f"{key} cannot be {value}", "compare it with conf/protocol")
            _check_types(value, key)
        elif hint is bool and not isinstance(value, bool):
            raise EvoscopeError(f"{key} cannot be {value!r}", "give true or false")
        elif hint in (int, float) and not _is_number(value, whole=hint is int):
            raise EvoscopeError(
                f"{key} cannot be {value!r}", f"give a {'whole ' if hint is int else ''}number, and no infinite one"
            )
        elif typing.get_origin(hint) is typing.Literal and value not in typing.get_args(hint):
            raise EvoscopeError(
                f"{key} cannot be {value!r}", f"choose one of {', '.join(map(str, typing.get_args(hint)))}"
            )


def _is_number(value: object, *, whole: bool) -> bool:
    kinds = int if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def protocol_names(config: Config) -> list[str]:
    """The job's own protocol first, then the others to compare with."""
    return list(dict.fromkeys([config.protocol.name, *config.protocols]))
