"""Import torchvision, also where its compiled operators could not load.

PyPI's Linux torchvision is linked to CUDA. Beside a CPU build of torch its compiled operators stay unloaded,
and the import stops at the first Python registration for one of them. Models, weights, datasets and
transforms do not need these operators, so declaring their schemas is enough. On a matching pair this is a
plain import.

Everything in Evoscope that needs torchvision writes ``from evoscope.torchvision_compat import torchvision``. The
import takes seconds, so the command line imports what needs it only once there is work to do.
"""

import importlib
import sys
from types import ModuleType

import torch

MISSING_OPERATOR = "operator torchvision::nms does not exist"
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# A schema lives as long as the library that declared it.
_libraries: list[torch.library.Library] = []


def import_torchvision() -> ModuleType:
    """Import torchvision, declaring the two missing operators first if exactly they are missing.

    Raises
    ------
    RuntimeError, ImportError : any other failure of the import, unchanged.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if str(error) != MISSING_OPERATOR:
            raise
    _declare_operators()
    _forget_torchvision()
    return importlib.import_module("torchvision")


def _declare_operators() -> None:
    # torch.library.Library carries no annotations.
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _libraries.append(library)


def _forget_torchvision() -> None:
    """Drop the half-imported modules, so that the next import starts afresh."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]


torchvision = import_torchvision()
