"""Published numbers, as far as they are known, to lay beside measured ones."""

from pathlib import Path

import pandas as pd

REVERSAL = Path(__file__).with_name("conceptevo_reversal.csv")
PAIRS = ("early to middle", "middle to late")  # the published pairs of epochs, in the order of training
BINS = ("bin1", "bin2", "bin3", "bin4")  # most important first
_NAMES = {
    "model": "run", "accuracy_to": "accuracy", "bin_0_25": "bin1", "bin_25_50": "bin2", "bin_50_75": "bin3",
    "bin_75_100": "bin4",
}  # fmt: skip


def published_reversal() -> pd.DataFrame:
    """ConceptEvo's reversal experiment, one row per run, pair of epochs, split and metric.

    Columns: ``run``, ``pair`` (of `PAIRS`), ``from_epoch``, ``to_epoch`` (theirs), ``split``, ``metric``, ``accuracy``
    (untouched, of the later network), ``bin1`` to ``bin4`` and ``random`` (changes of accuracy, fractions),
    ``note`` (what is doubtful about the row, or ""), ``suspect`` (bool: its bins are those of another row),
    ``source``.
    """
    rows = pd.read_csv(REVERSAL, keep_default_na=False).rename(columns=_NAMES)
    later = rows["from_epoch"] > rows.groupby("run")["from_epoch"].transform("min")
    rows["pair"] = [PAIRS[int(second)] for second in later]
    rows["suspect"] = rows["note"].str.startswith("suspect")
    return rows
