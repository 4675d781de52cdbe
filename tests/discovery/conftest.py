import numpy as np
import pytest

from evoscope.data.loader import clear_cache


@pytest.fixture(autouse=True)
def forget():
    clear_cache()


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)
