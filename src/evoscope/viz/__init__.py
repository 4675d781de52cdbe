"""Pictures: functions that take axes and return axes, one style, one palette, one way of saving."""

from evoscope.viz.charts import accuracy_curves, interval_curve, interval_rows, level_line, mark_points
from evoscope.viz.maps import Limits, background, circles, map_frame, map_limits, path, points
from evoscope.viz.pictures import heat_over, message, patch_grid, remark
from evoscope.viz.sheet import Sheet, headed, save_figure
from evoscope.viz.style import colour_of, family_of, label_of, use_style

__all__ = [
    "Limits",
    "Sheet",
    "accuracy_curves",
    "background",
    "circles",
    "colour_of",
    "family_of",
    "headed",
    "heat_over",
    "interval_curve",
    "interval_rows",
    "label_of",
    "level_line",
    "map_frame",
    "map_limits",
    "mark_points",
    "message",
    "patch_grid",
    "path",
    "points",
    "remark",
    "save_figure",
    "use_style",
]
