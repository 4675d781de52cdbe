"""Choices that a dataclass lists with ``Literal``, and the sentence for one that it does not."""

import copy
from dataclasses import dataclass, replace
from typing import Literal

import pytest

from evoscope.discovery.protocol import DiscoveryProtocol, RefineRule
from evoscope.errors import EvoscopeError, check_choices
from evoscope.evolution.reversal import BinRule, ReversalProtocol
from evoscope.space.protocol import SpaceProtocol


@dataclass(frozen=True)
class Options:
    colour: Literal["red", "green"] = "red"
    level: Literal[1, 2] = 1
    name: str = "anything"
    size: int = 3


def test_listed_choices_pass_and_other_fields_are_free():
    check_choices(Options("green", 2, name="blue", size=-1), "the paint")


@pytest.mark.parametrize("value", ["blue", "Red", "", None])
def test_an_unlisted_choice_is_refused_by_field_place_and_choices(value):
    with pytest.raises(EvoscopeError) as refused:
        check_choices(Options(value), "the paint")
    assert refused.value.problem == f"colour in the paint cannot be {value!r}"
    assert refused.value.mend == "choose one of red, green"


def test_the_first_wrong_field_is_named_and_choices_that_are_numbers_are_listed():
    with pytest.raises(EvoscopeError, match="colour in the paint"):
        check_choices(Options("blue", 7), "the paint")
    with pytest.raises(EvoscopeError, match="level in the paint cannot be 7: choose one of 1, 2"):
        check_choices(Options(level=7), "the paint")


@pytest.mark.parametrize("options", [SpaceProtocol(), DiscoveryProtocol(), RefineRule(), BinRule(), ReversalProtocol()])
def test_every_choice_of_a_protocol_is_checked_when_it_is_made(options):
    literal = [name for name, value in vars(options).items() if isinstance(value, str)]
    assert literal
    for name in literal:
        with pytest.raises(EvoscopeError, match=f"{name} in .* cannot be 'else': choose one of"):
            replace(options, **{name: "else"})


def test_a_copy_of_the_error_says_the_same_as_between_processes():
    error = copy.copy(EvoscopeError("it is wrong.", "mend it."))
    assert (error.problem, error.mend, str(error)) == ("it is wrong", "mend it", "it is wrong: mend it.")
