"""The closest names to one that does not exist, for error messages."""

import difflib
from collections.abc import Iterable


def closest(name: str, known: Iterable[str], n: int = 4) -> str:
    """List the ``n`` known names most like ``name``, as text: ``'vgg16', 'vgg16_bn'``."""
    choices = list(known)
    alike = difflib.get_close_matches(name, choices, n=n, cutoff=0.4) or choices[:n]
    return ", ".join(repr(choice) for choice in alike)
