"""From the ``protocol`` group to the library's typed choices."""

from dataclasses import fields
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
from evoscope.evolution.reversal import BinRule, Cut, Draws, ReversalProtocol, Ties
from evoscope.space.protocol import SpaceProtocol
from experiments.schema import Config, ProtocolConfig


def space_protocol(config: ProtocolConfig) -> SpaceProtocol:
    """ConceptEvo's choices."""
    return SpaceProtocol(**{field.name: getattr(config, field.name) for field in fields(SpaceProtocol)})


def discovery_protocol(config: ProtocolConfig) -> DiscoveryProtocol:
    """CDISCO's choices."""
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


def reversal_protocol(config: ProtocolConfig) -> ReversalProtocol:
    """ConceptEvo's choices of the reversal experiment."""
    rule = BinRule(cast(Ties, config.bin_ties), cast(Cut, config.bin_cut))
    return ReversalProtocol(rule, cast(Draws, config.random_sets))


def protocol_names(config: Config) -> list[str]:
    """The job's own protocol first, then the others to compare with."""
    return list(dict.fromkeys([config.protocol.name, *config.protocols]))
