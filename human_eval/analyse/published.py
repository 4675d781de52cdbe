"""Measured accuracies and what was published, side by side."""

import pandas as pd

from results.reference import published_study

COLUMNS = [
    *("condition", "items", "participants", "chance", "accuracy", "source"),
    *("ours", "ours_low", "ours_high", "our_participants"),
]
MEASURED = {
    "by_participant": "ours", "clustered_low": "ours_low", "clustered_high": "ours_high",
    "participants": "our_participants",
}  # fmt: skip
# What stands in for hand-picked sets where nobody has picked any.
INSTEAD = {"hand_picked": "tightest"}


def beside(kind: str, measured: pd.DataFrame) -> pd.DataFrame:
    """Published rows of a ``kind`` of study with our accuracy (mean of participants) in the same condition.

    NaN where nothing was published or measured. A row of the study as a whole (``condition`` "") has none of ours:
    which of our conditions it equals is for the reader to say.
    """
    published = published_study(kind)
    ours = measured.set_index("condition")[list(MEASURED)].rename(columns=MEASURED)
    known = [name if name in ours.index else INSTEAD.get(str(name), name) for name in published["condition"]]
    return pd.concat([published, ours.reindex(known).reset_index(drop=True)], axis=1)[COLUMNS]
