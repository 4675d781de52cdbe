"""ConceptEvo's published accuracies, as far as they are known (Park et al., CIKM 2023, figure of discoveries)."""

from pathlib import Path

import pandas as pd

ACCURACY = Path(__file__).with_name("conceptevo_discovery_accuracy.csv")


def published_accuracy() -> pd.DataFrame:
    """Accuracies under the maps of the figure.

    Columns: ``model`` (the authors' nickname), ``epoch``, ``train_accuracy``, ``test_accuracy`` (NaN: not shown),
    ``source``, ``caveat``.
    """
    return pd.read_csv(ACCURACY)


def accuracy_words(model: str, split: str = "train") -> str:
    """``train accuracy 0.06, 0.61 at epochs 0, 5`` of a model."""
    own = published_accuracy().query("model == @model").dropna(subset=[f"{split}_accuracy"])
    values = ", ".join(f"{value:.2f}" for value in own[f"{split}_accuracy"])
    return f"{split} accuracy {values} at epochs {', '.join(map(str, own['epoch']))}"
