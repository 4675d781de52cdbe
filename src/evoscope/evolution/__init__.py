"""Evolutions that matter for a class: importance, reversal, and how both compare with the truth."""

from evoscope.evolution.reversal import BinRule, ReversalProtocol

__all__ = ["BinRule", "ReversalProtocol"]
