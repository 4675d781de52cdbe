"""From answers and the key to exclusions, accuracies, agreement, labels, times and a mixed model."""

from human_eval.analyse.accuracy import accuracy, clustered, response_times, wilson
from human_eval.analyse.agreement import fleiss_kappa, krippendorff_alpha
from human_eval.analyse.exclusion import exclusions
from human_eval.analyse.labels import label_agreement, normalised
from human_eval.analyse.mixed import mixed_model
from human_eval.analyse.page import write_report
from human_eval.analyse.report import SIMULATED, Tables, analyse
from human_eval.analyse.tidy import read_answers, tidy

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
    "wilson",
    "write_report",
]
