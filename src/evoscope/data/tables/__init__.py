"""Tables of numbers with a class per row: COMPAS, a user's CSV, or a small one that scikit-learn brings along."""

from evoscope.data.tables.opening import open_table
from evoscope.data.tables.table import Part, Table

__all__ = ["Part", "Table", "open_table"]
