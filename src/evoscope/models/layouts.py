"""Where the channels, rows and columns are in what a layer returns, found by touching the image at a few places.

A layer may return maps with channels first or last, or tokens, among them some that stand for no patch of the
image (class, register, distillation tokens). Sizes do not tell: a map may be as high as it has channels, and tokens
may be in any order. So an image of noise is changed in one small spot at a time, and every reading of the axes
that the sizes allow is held against the place that answers most. What fits none has no known places.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from evoscope.models.network import hooked

NOTE = "_evoscope_layout"
"""Attribute of a layer that holds the sizes of its output and its layout: copies of the module have it too."""
SPOTS = 10
SPOT = 16  # spots have a side of one part in 16 of the image
LEADING, TRAILING = 16, 2  # tokens that may stand before and after those of the patches
SLENDER = 4  # a grid of patches is at most this many times as long as wide
# How much farther from the spot than its own cell's centre the answer may lie: shares of a cell; at least and at most
# shares of the image. Padding shifts maps of convolutions; grids of oblong cells are rare, so they must fit exactly.
MAP_DRIFT, TOKEN_DRIFT, OBLONG_DRIFT = (1.0, 0.02, 0.2), (0.7, 0.02, 0.06), (0.2, 0.0, 0.02)
SHARPNESS = 8
RIVAL = 0.8  # the best reading's distance as a share of the second best one's, at most
# Places answer to some spots only where they exceed their usual answer by more than these shares of it.
LOCAL, VERY_LOCAL = 0.3, 1.0
# A very local map that answers farther from the spots than this share of the image shows no places.
ELSEWHERE = 0.25
CHANNELS_FIRST = (
    *(nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.InstanceNorm2d, nn.Dropout2d),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.PixelShuffle, nn.Upsample),
)


@dataclass(frozen=True)
class Layout:
    """How to read an output [images, ...].

    ``axes``: of the channels; of channels and tokens; or of channels, rows and columns;
    ``first``, ``grid``: of tokens, the number before the first patch's, and the rows and columns of patches.
    """

    axes: tuple[int, ...]
    first: int = 0
    grid: tuple[int, int] | None = None

    def everywhere(self, output: Tensor) -> Tensor:
        """View as [images, channels, height, width]; tokens, also those of no patch, as one column."""
        if self.axes == (1, 2, 3):
            return output  # the very tensor, so that gradients reach it
        turned = output.permute(0, *self.axes)
        return turned[(..., *[None] * (4 - output.ndim))]

    def placed(self, output: Tensor) -> Tensor:
        """View as [images, channels, height, width], where every cell is a place of the image."""
        turned = self.everywhere(output)
        if self.grid is None:
            return turned
        height, width = self.grid
        patches = turned[:, :, self.first : self.first + height * width]
        return patches.reshape(*patches.shape[:2], height, width)


def layout_of(layer: nn.Module, output: Tensor) -> Layout:
    """Give the layout noted on a layer, or what its output's sizes suggest (tokens: a column, no places known)."""
    sizes = tuple(output.shape[1:])
    return noted(layer, sizes) or obvious(layer, sizes) or suggested(sizes)


def note(layer: nn.Module, sizes: tuple[int, ...], layout: Layout) -> None:
    """Keep on a layer the layout of its outputs [images, *sizes]."""
    layer.__dict__[NOTE] = (sizes, layout)


def noted(layer: nn.Module, sizes: tuple[int, ...]) -> Layout | None:
    """Give the layout noted on a layer; tokens must be as many as they were then, maps may have another size."""
    known: tuple[tuple[int, ...], Layout] | None = layer.__dict__.get(NOTE)
    if known is None or len(known[0]) != len(sizes) or (len(sizes) == 2 and known[0] != sizes):
        return None
    return known[1]


def taken_notes(module: nn.Module) -> dict[str, Any]:
    """Give the notes on a module's layers, by name, for another module of the same architecture."""
    parts = module.named_modules()
    return {name: part.__dict__[NOTE] for name, part in parts if NOTE in part.__dict__}


def put_notes(notes: Mapping[str, Any], module: nn.Module) -> None:
    """Put the notes of another module of the same architecture on a module's layers."""
    for name, each in notes.items():
        module.get_submodule(name).__dict__[NOTE] = each


def suggested(sizes: Sequence[int], *, square: bool = False) -> Layout:
    """Guess from sizes alone: channels last in tokens, and in maps of ``square`` images that are square only so."""
    if len(sizes) == 3:
        last = square and sizes[0] == sizes[1] != sizes[2]
        return Layout((3, 1, 2) if last else (1, 2, 3))
    return Layout((1,)) if len(sizes) == 1 else Layout((2, 1), 0, (sizes[0], 1))


def obvious(layer: nn.Module, sizes: Sequence[int]) -> Layout | None:
    """Give the layout where the kind of layer or the sizes leave no choice: no place but the whole image, say."""
    wide = [axis for axis, size in enumerate(sizes, 1) if size > 1]
    if len(sizes) == 1:
        return Layout((1,))
    if len(sizes) == 3 and isinstance(layer, CHANNELS_FIRST):
        return Layout((1, 2, 3))
    if len(wide) > 1:
        return None
    channels = wide[0] if wide else 1 if len(sizes) == 3 else 2
    others = tuple(axis for axis in range(1, len(sizes) + 1) if axis != channels)
    return Layout((channels, *others), 0, (1, 1) if len(sizes) == 2 else None)


def make_probe(shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Draw noise that is touched, of ``shape`` [3, height, width]; always the same.

    Returns images [1 + spots, *shape], noise and the same noise with a spot each; and the centres of the spots, rows
    and columns as shares of the image, [spots, 2].
    """
    draw = torch.Generator().manual_seed(0)
    images = torch.randn(1, *shape, generator=draw).repeat(SPOTS + 1, 1, 1, 1)
    sizes = torch.tensor(shape[1:])
    sides = (sizes // SPOT).clamp(min=1)
    # An additive sequence (of the plastic number) spreads few points evenly, and no two share a row or column.
    plastic = 1.32471795724474602596
    steps = torch.arange(1, SPOTS + 1)[:, None] / torch.tensor([plastic, plastic**2])
    corners = (((0.5 + steps) % 1) * (sizes - sides)).round().long()
    for image, (top, left) in zip(images[1:], corners.tolist(), strict=True):
        height, width = sides.tolist()
        spot = 3 * (1 + torch.randn(shape[0], height, width, generator=draw))
        image[:, top : top + height, left : left + width] += spot
    return images, (corners + sides / 2) / sizes


def probed(
    module: nn.Module, layers: Sequence[str], shape: Sequence[int], run: Callable[[Tensor], Any]
) -> dict[str, Layout]:
    """Find the layouts of layers by touching the image; those whose places stay unknown are left out.

    Parameters
    ----------
    module : in which the layers are, by dotted name; each runs once and returns tensors [images, ...].
    shape : of one image, [3, height, width].
    run : makes a forward pass of images.
    """
    images, centres = make_probe(shape)
    wanted = dict.fromkeys(outer for name in layers for outer in _around(name))
    answers: dict[str, Tensor] = {}

    def watch(name: str, part: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim in (3, 4) and len(output) == SPOTS + 1:
            answers[name] = (output[1:] - output[:1]).double().abs().cpu()

    with hooked((module.get_submodule(name), partial(watch, name)) for name in wanted):
        run(images)
    square = shape[1] == shape[2]
    read = {name: _read(answer, centres, square) for name, answer in answers.items()}
    return {name: layout for name in layers if (layout := _or_as_around(name, read, answers)) is not None}


def _around(name: str) -> list[str]:
    """A layer and the modules that it lies in, innermost first: ``a.b``, ``a``."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _or_as_around(name: str, read: Mapping[str, Layout | None], answers: Mapping[str, Tensor]) -> Layout | None:
    """A layer's own reading, or, where all its tokens answer to everything, that of a block it lies in."""
    own = read.get(name)
    if own is not None or name not in answers or answers[name].ndim != 3 or _local(answers[name]):
        return own
    alike = (each for each in _around(name)[1:] if each in answers and answers[each].shape == answers[name].shape)
    return next((layout for each in alike if (layout := read[each]) is not None), None)


def _read(answer: Tensor, centres: Tensor, square: bool) -> Layout | None:
    """The reading of the axes that fits the answers [spots, ...], if one alone does.

    The cells of a ``square`` image are square wherever the sizes allow.
    """
    if not bool(torch.isfinite(answer).all()) or not bool(answer.any()):
        return suggested(answer.shape[1:], square=square) if answer.ndim == 4 else None
    readings = list(_readings(answer))
    even = [each for each in readings if each[1].shape[1] == each[1].shape[2]] if square else []
    even = even or (readings if answer.ndim == 4 else [])
    found = _fitting(even, centres, MAP_DRIFT if answer.ndim == 4 else TOKEN_DRIFT)
    if found is not None:
        return found
    if answer.ndim == 4 and len({layout.axes[0] for layout, _ in even}) == 1:
        # Deep maps answer to the whole image: their sizes tell, unless they answer at other places.
        layout, map_ = even[0]
        local = float(_specific(map_).amax(1).mean()) > VERY_LOCAL
        elsewhere = local and _distance(map_, centres)[0] > ELSEWHERE
        return None if elsewhere else layout
    return None if answer.ndim == 4 else _fitting(readings, centres, OBLONG_DRIFT)


def _fitting(
    readings: Sequence[tuple[Layout, Tensor]], centres: Tensor, drift: tuple[float, float, float]
) -> Layout | None:
    """The one reading whose answers lie where the spots are."""
    share, least, most = drift
    fits = []
    for layout, map_ in readings:
        distance, best = _distance(map_, centres)
        if distance <= best + min(max(share / max(map_.shape[1:]), least), most):
            fits.append((distance, layout))
    fits.sort(key=lambda fit: fit[0])
    alone = len(fits) == 1 or (len(fits) > 1 and fits[0][0] <= RIVAL * fits[1][0])
    return fits[0][1] if alone else None


def _distance(map_: Tensor, centres: Tensor) -> tuple[float, float]:
    """How far the answers of a map [spots, rows, columns] lie from the spots, and how far they would at best."""
    cells = torch.tensor(map_.shape[1:])
    specific = _specific(map_).clamp(min=0)
    # The centre of the highest places: a convolution answers alike all around the spot.
    weights = (specific / specific.amax(1, keepdim=True).clamp(min=1e-30)) ** SHARPNESS
    places = torch.cartesian_prod(*(torch.arange(int(side)).double() for side in cells)).reshape(-1, 2)
    peaks = weights @ places / weights.sum(1, keepdim=True).clamp(min=1e-30)
    best = (centres * cells).floor()
    return _apart(peaks, cells, centres), _apart(best, cells, centres)


def _apart(places: Tensor, cells: Tensor, centres: Tensor) -> float:
    return float(torch.linalg.vector_norm((places + 0.5) / cells - centres, dim=1).mean())


def _readings(answer: Tensor) -> Iterator[tuple[Layout, Tensor]]:
    """Every reading that the sizes allow, with the answers laid out by it: [spots, rows, columns]."""
    if answer.ndim == 4:
        for order in ((1, 2, 3), (3, 1, 2)):
            yield Layout(order), answer.permute(0, *order).mean(1)
        return
    for channels in (2, 1):
        axes, tokens = (channels, 3 - channels), answer.mean(channels)
        for first, patches in _runs(tokens.shape[1]):
            for height in (side for side in range(1, patches + 1) if patches % side == 0):
                width = patches // height
                short, long = sorted((height, width))
                if (short == long or 1 < short <= long <= SLENDER * short) and tokens.shape[1] <= 2 * patches:
                    grid = tokens[:, first : first + patches].reshape(-1, height, width)
                    yield Layout(axes, first, (height, width)), grid


def _runs(tokens: int) -> Iterator[tuple[int, int]]:
    """First token and number of those that may be patches."""
    yield from ((first, tokens - first) for first in range(min(tokens, LEADING + 1)))
    yield from ((0, tokens - last) for last in range(1, min(tokens, TRAILING + 1)))


def _specific(map_: Tensor) -> Tensor:
    """How much more than usual each place answers to each spot, [spots, places]: artefact tokens always answer."""
    places = map_.flatten(1)
    usual = places.mean(0)
    floor = usual[usual > 0].median() if bool(usual.any()) else torch.ones(())
    return (places - usual) / (usual + floor)


def _local(tokens: Tensor) -> bool:
    """Whether the tokens of [spots, tokens, channels], or channels first, answer to some spots only."""
    exceeding = (_specific(tokens.mean(axis)).amax(1).mean() for axis in (1, 2))
    return min(map(float, exceeding)) > LOCAL
