"""The look of every figure."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib import style

STYLE = Path(__file__).with_name("evoscope.mplstyle")

# The greys of everything that is not a model.
INK = "#222222"
QUIET = "#707070"
FAINT = "#b5b5b5"
BACKDROP = "#d9d9d9"
# Sizes in points: headings, text, and the smallest text there is.
LARGE, NORMAL, SMALL = 8.5, 7.0, 6.2


@contextmanager
def use_style() -> Iterator[None]:
    """Draw and save with the packaged style; matplotlib's settings are as before afterwards.

    The reader's own ``matplotlibrc`` has no say inside, so that figures have the same bytes for everyone.
    """
    with style.context(str(STYLE), after_reset=True):
        yield
