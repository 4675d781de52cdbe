import numpy as np
import pytest

from evoscope.data.loader import DECODED


@pytest.fixture(autouse=True)
def forget():
    DECODED.clear()


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)
