"""Published numbers, as far as they are known, to lay beside measured ones."""

from pathlib import Path

import pandas as pd

REVERSAL = Path(__file__).with_name("conceptevo_reversal.csv")
STAMPS = Path(__file__).with_name("cdisco_stamp_accuracy.csv")
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


def published_stamps() -> pd.DataFrame:
    """CDISCO's accuracies of a ResNet-50 on stamped images: ``p``, ``stamped``, ``plain`` (shares of test images)."""
    rows = pd.read_csv(STAMPS)
    percent = rows[["resnet50_stamped_test_percent", "resnet50_no_stamp_test_percent"]].to_numpy(dtype=float)
    return pd.DataFrame(
        {"p": rows["noise_p"].astype(float), "stamped": percent[:, 0] / 100, "plain": percent[:, 1] / 100}
    )
