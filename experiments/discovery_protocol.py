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
