"""How far classes can be told apart without seeing concepts: linear baselines on pixels and on colours."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evoscope.arrays import Array, Bytes, Floats
from evoscope.data.images import ImageSet

HISTOGRAM_BINS = 8
_ITERATIONS = 300
_TOLERANCE = 1e-3
_STRENGTHS = (1e-3, 1e-2, 1e-1)


def pixel_baseline(train: ImageSet, test: ImageSet, pixels: int, seed: int) -> float:
    """Test accuracy of logistic regression on raw pixels.

    Parameters
    ----------
    train, test : images with the same classes.
    pixels : side at which the images are drawn.
    seed : of the solver.

    Returns
    -------
    Share of the test images classified correctly, 0 to 1.
    """
    features = [_stack(images, pixels).reshape(len(images), -1) / np.float32(255) for images in (train, test)]
    return _accuracy(features, train, test, seed)


def histogram_baseline(train: ImageSet, test: ImageSet, pixels: int, seed: int) -> float:
    """Test accuracy of logistic regression on joint colour histograms (8 x 8 x 8 bins of RGB).

    Parameters and result are those of `pixel_baseline`.
    """
    features = [np.stack([colour_histogram(image) for image in _stack(x, pixels)]) for x in (train, test)]
    return _accuracy(features, train, test, seed)


def colour_histogram(image: Bytes) -> Floats:
    """Share of the pixels of ``image`` [height, width, 3] in each RGB cell, float32 [512], square-rooted.

    The root evens out the weights of large and small areas (Hellinger kernel).
    """
    cells = (image.astype(np.int64) * HISTOGRAM_BINS) // 256
    flat = (cells @ np.array([HISTOGRAM_BINS**2, HISTOGRAM_BINS, 1])).ravel()
    counts = np.bincount(flat, minlength=HISTOGRAM_BINS**3)
    return np.asarray(np.sqrt(counts / flat.size), np.float32)


def _stack(images: ImageSet, pixels: int) -> Bytes:
    return np.stack([images.read(index, pixels) for index in range(len(images))])


def _accuracy(features: list[Array], train: ImageSet, test: ImageSet, seed: int) -> float:
    """Best over a few strengths of regularisation, so that the baseline is not weak by neglect."""
    scores = []
    for strength in _STRENGTHS:
        solver = LogisticRegression(C=strength, max_iter=_ITERATIONS, tol=_TOLERANCE, random_state=seed)
        model = make_pipeline(StandardScaler(), solver).fit(features[0], train.labels)
        scores.append(float(model.score(features[1], test.labels)))
    return max(scores)
