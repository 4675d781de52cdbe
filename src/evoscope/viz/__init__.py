"""Pictures: functions that take axes and return axes, one style, one palette, one way of saving."""

from evoscope.viz.bars import interval_bars, interval_curve, interval_rows, level_band, reference_marks
from evoscope.viz.curves import accuracy_curves, level_line, mark_points
from evoscope.viz.heat import heat_over
from evoscope.viz.layout import Sheet
from evoscope.viz.palette import base_colour, colour_of, family_of, label_of
from evoscope.viz.patches import message, patch_grid, remark
from evoscope.viz.saving import save_figure
from evoscope.viz.scatter import Limits, background, circles, map_frame, map_limits, move, path, points
from evoscope.viz.style import use_style

__all__ = [
    "Limits",
    "Sheet",
    "accuracy_curves",
    "background",
    "base_colour",
    "circles",
    "colour_of",
    "family_of",
    "heat_over",
    "interval_bars",
    "interval_curve",
    "interval_rows",
    "label_of",
    "level_band",
    "level_line",
    "map_frame",
    "map_limits",
    "mark_points",
    "message",
    "move",
    "patch_grid",
    "path",
    "points",
    "reference_marks",
    "remark",
    "save_figure",
    "use_style",
]
