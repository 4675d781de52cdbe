"""What the tests of several figures and tables share: drawing one, reading what is written, names that are too long."""

from matplotlib.text import Text

from evoscope.viz import use_style
from results.registry import entry

LONG_RUN = "a_rather_long_name_of_my_own_network_run_7"
LONG_LAYER = "backbone.encoder.stage4.blocks.11.attention.projection.conv"
LONG_CONCEPT = "American Staffordshire terrier or a breed that costs $5 or $6"
LONG_CLASSES = ("American Staffordshire terrier, Staffordshire terrier that costs $5 or $6", "x")


def figure_of(name, exhibits, about):
    """The figure ``name``, not yet on disk."""
    with use_style():
        return entry(name).made(exhibits, about)[0]


def written(figure):
    """Every text of a figure."""
    return [text.get_text().replace("\u00a0", " ") for text in figure.findobj(Text) if text.get_text()]


def page_of(name, exhibits, about, folder):
    """The Markdown of the table ``name``."""
    return entry(name).draw(exhibits, about, folder)[1].read_text()


def cells_of(page):
    """Cells of every line of the tables on a page."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
