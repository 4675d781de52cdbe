"""From answers and the key to exclusions, accuracies, agreement, labels, times and a mixed model."""

from human_eval.analyse.accuracy import (
    accuracy,
    clustered,
    fleiss_kappa,
    krippendorff_alpha,
    mixed_model,
    response_times,
)
from human_eval.analyse.answers import exclusions, read_answers, tidy
from human_eval.analyse.labels import label_agreement, normalised
from human_eval.analyse.report import SIMULATED, Tables, analyse, write_report

__all__ = [
    "SIMULATED",
    "Tables",
    "accuracy",
    "analyse",
    "clustered",
    "exclusions",
    "fleiss_kappa",
    "krippendorff_alpha",
    "label_agreement",
    "mixed_model",
    "normalised",
    "read_answers",
    "response_times",
    "tidy",
    "write_report",
]
