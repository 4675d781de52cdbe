"""Where things stand: positions used equally often, and opaque names."""

import numpy as np

from evoscope.seeds import derive


def balanced(count: int, positions: int, stream: np.random.Generator) -> list[int]:
    """``count`` positions, each used equally often up to one, in random order within every round."""
    rounds = [stream.permutation(positions) for _ in range(-(-count // positions))]
    return [int(place) for place in np.concatenate([*rounds, np.empty(0, int)])[:count]]


def inserted(members: list[int], odd: int, place: int) -> list[int]:
    """``members`` with ``odd`` put at ``place``."""
    return [*members[:place], odd, *members[place:]]


def opaque(seed: int, *names: str | int) -> str:
    """Name of 12 characters that tells nothing without the seed."""
    return f"{derive(seed, 'opaque', *names):016x}"[-12:]
