"""Samples that do not show what their class shows, found by concepts and by what is used without them."""

from evoscope.discovery.outliers.baselines import knn_distance, mahalanobis, uncertainty
from evoscope.discovery.outliers.concepts import concept_absence, concept_deviation
from evoscope.discovery.outliers.detection import Detection, detection, difference, precision_at

__all__ = [
    "Detection",
    "concept_absence",
    "concept_deviation",
    "detection",
    "difference",
    "knn_distance",
    "mahalanobis",
    "precision_at",
    "uncertainty",
]
