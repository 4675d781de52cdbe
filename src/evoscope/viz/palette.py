"""One colour and one readable name per run, the same in every figure.

The models' colours are those of the authors' plots, from ColorBrewer's Dark2, which colour-blind readers tell
apart.
"""

from dataclasses import dataclass
from hashlib import sha256

from evoscope.viz.style import FAINT, INK


@dataclass(frozen=True)
class Look:
    """How a run appears: its colour and label, the family of networks it belongs to, what sets it apart there."""

    colour: str
    label: str
    family: str
    variant: str


LOOKS = {
    "vgg19": Look("#d95f02", "VGG19", "VGG19", "default recipe"),
    "vgg16": Look("#7570b3", "VGG16", "VGG16", "well trained"),
    "vgg16_large_lr": Look("#e6ab02", "VGG16, large lr", "VGG16", "too large learning rate"),
    "vgg16_no_dropout": Look("#666666", "VGG16, no dropout", "VGG16", "no dropout"),
    "inception_v3": Look("#1b9e77", "InceptionV3", "InceptionV3", "well trained"),
    "inception_v3_large_lr": Look(
        "#a6761d", "InceptionV3, large lr", "InceptionV3", "too large learning rate"
    ),
    "convnext": Look("#e7298a", "ConvNeXt", "ConvNeXt", "default recipe"),
    # Not a run: what is measured over all models together.
    "all": Look(INK, "all models", "all models", ""),
}
# Blue and green tones that none of the known runs has.
SPARE = (
    "#0072b2",
    "#66a61e",
    "#56b4e9",
    "#332288",
    "#117733",
    "#0b5c6b",
    "#8aa6d8",
    "#44aa99",
    "#1f3fd1",
    "#9bbf3b",
)


def look_of(run: str) -> Look:
    """Look of any run; an unknown one is called by its own name and keeps its colour from figure to figure."""
    if run in LOOKS:
        return LOOKS[run]
    spare = int.from_bytes(sha256(run.encode()).digest()[:4], "big") % len(SPARE)
    return Look(SPARE[spare], run, run, "own recipe")


def colour_of(run: str) -> str:
    """Colour of a run, ``#rrggbb``."""
    return look_of(run).colour


def label_of(run: str) -> str:
    """Readable name of a run."""
    return look_of(run).label


def family_of(run: str) -> str:
    """Architecture that a run shares with its variants."""
    return look_of(run).family


def base_colour() -> str:
    """Grey of the base model's neurons behind those of another model."""
    return FAINT
