"""From the ``protocol`` group to CDISCO's choices."""

from typing import cast

from evoscope.discovery.protocol import (
    Candidates,
    DiscoveryProtocol,
    Evidence,
    RefineRule,
    Scale,
    Side,
    Signs,
)
from experiments.checks import literals
from experiments.chosen import protocol_names
from experiments.context import Context
from experiments.schema import ProtocolConfig


def discovery_protocol(config: ProtocolConfig) -> DiscoveryProtocol:
    """The library's protocol with the values of the ``protocol`` group."""
    return DiscoveryProtocol(
        centred=config.centred,
        signs=cast(Signs, config.signs),
        side=cast(Side, config.side),
        evidence=cast(Evidence, config.evidence),
        candidates=cast(Candidates, config.candidates),
        empty_is_one=config.empty_is_one,
        refine=RefineRule(
            scale=cast(Scale, config.refine_scale), ward=config.refine_ward, prune=config.refine_prune
        ),
    )


def compared_protocols(context: Context) -> dict[str, DiscoveryProtocol]:
    """The job's own protocol first, then the others to compare with, by name.

    Raises
    ------
    EvoscopeError : a value that a step does not have.
    """
    config = context.config
    found = {}
    for name in protocol_names(context):
        own = name == config.protocol.name
        found[name] = discovery_protocol(config.protocol if own else config.protocols[name])
        literals(found[name], f"protocol {name}")
        literals(found[name].refine, f"the refinement of protocol {name}")
    return found
