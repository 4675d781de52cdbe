"""From answers and the key to exclusions, accuracies, agreement, labels, times, contrasts and their conclusion."""

from human_eval.analyse.accuracy import (
    accuracy,
    fleiss_kappa,
    krippendorff_alpha,
    response_times,
    retest,
)
from human_eval.analyse.answers import checked, exclusions, read_answers, tidy
from human_eval.analyse.contrasts import contrasts, estimate
from human_eval.analyse.intervals import Estimate, difference, share
from human_eval.analyse.labels import label_agreement, normalised
from human_eval.analyse.report import SIMULATED, Tables, analyse, write_report

__all__ = [
    "SIMULATED",
    "Estimate",
    "Tables",
    "accuracy",
    "analyse",
    "checked",
    "contrasts",
    "difference",
    "estimate",
    "exclusions",
    "fleiss_kappa",
    "krippendorff_alpha",
    "label_agreement",
    "normalised",
    "read_answers",
    "response_times",
    "retest",
    "share",
    "tidy",
    "write_report",
]
