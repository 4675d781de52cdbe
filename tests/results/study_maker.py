"""Made-up exhibits of human studies; nothing here is a measurement."""

from math import nan

import numpy as np
import pandas as pd

from evoscope.figure_data import StudySheet

SCALE = "1 - nothing in common\n2\n3\n4\n5 - the same thing"
YES = "Yes\nNo\nI cannot tell"
TRIALS = [
    ("alignability", "base_model", "Five of these sets show the same. Which set does not belong?", True, "", "", "",
     2, 6, 9),
    ("evolution_label", "vgg16", "Name what the pictures have in common.", False,
     "Set A shows\nSet B shows\nSet C shows", "Did it change between the sets?", YES, -1, 3, 9),
    ("image_intruder", "svd", "4 of these pictures have something in common. Which does not belong?", True,
     "", "", "", 4, 5, 1),
    ("label_agreement", "own", "Do these pictures have this in common: “$5 <b>”?", False, "",
     "Does the label fit?", YES, 0, 1, 9),
    ("pairwise_coherence", "near", "How much have they in common?", False, "", "In common", SCALE, -1, 2, 4),
]  # fmt: skip
COLUMNS = (
    "kind", "condition", "question", "choose", "texts", "option_question", "options", "answer", "panels", "pictures",
)  # fmt: skip


def study_exhibits(rng):
    """The sheet and the table."""
    trials = pd.DataFrame(TRIALS, columns=COLUMNS)
    counts = (trials["panels"] * trials["pictures"]).to_numpy()
    trials["first"] = np.cumsum([0, *counts])[:-1]
    pictures = rng.integers(0, 256, (int(counts.sum()), 16, 16, 3)).astype(np.uint8)
    rows = [
        {"kind": kind, "condition": condition, "trials": 15, "blocks": 7, "answered": 4.3, "chance": chance,
         "primary": condition == "svd", "against": against, "photos_alone": chance, "colours_alone": nan,
         "accuracy": chance + 0.15, "needed": needed, "participants": 40, "power": power, "wanted": 0.8}
        for kind, condition, chance, needed, power, against in (
            ("alignability", "base_model", 1 / 6, 21.0, 0.91, "chance"),
            ("alignability", "random", nan, nan, nan, ""),
            ("image_intruder", "svd", 0.2, nan, 0.2, "neuron"),
        )
    ]  # fmt: skip
    return {"study_sheet": StudySheet(trials, pictures), "studies": pd.DataFrame(rows)}
