"""Samples that do not show what their class shows, found by concepts and by what is used without them."""

from evoscope.discovery.outliers.baselines import knn_distance, mahalanobis, uncertainty
from evoscope.discovery.outliers.concepts import concept_absence, concept_deviation
from evoscope.discovery.outliers.detection import Detection, detection, difference, precision_at
from evoscope.discovery.outliers.judging import compared_scores, judged_scores, over_seeds
from evoscope.discovery.outliers.scores import CONCEPT_SCORES, RIVALS, SCORES, ScoreOptions, outlier_scores

__all__ = [
    "CONCEPT_SCORES",
    "RIVALS",
    "SCORES",
    "Detection",
    "ScoreOptions",
    "compared_scores",
    "concept_absence",
    "concept_deviation",
    "detection",
    "difference",
    "judged_scores",
    "knn_distance",
    "mahalanobis",
    "outlier_scores",
    "over_seeds",
    "precision_at",
    "uncertainty",
]
