import pytest

from evoscope.data.loader import DECODED
from evoscope.evolution.pair import make_pair
from tests.evolution.small import SPECS, double_pair, toy


@pytest.fixture(autouse=True)
def forget():
    DECODED.clear()


# The released listing of VGG16 has all layers of the other.
@pytest.fixture(params=[name for name in SPECS if name != "vgg16"])
def pair(request):
    """Two states of one architecture after another."""
    return double_pair(request.param)


@pytest.fixture
def toys():
    return make_pair(toy(1), toy(2), ("epoch 1", "epoch 2"))
