"""The choices behind concept discovery (named sets of them are in ``conf/protocol``)."""

from dataclasses import dataclass, field
from typing import Literal

from evoscope.errors import EvoscopeError, check_choices

Side = Literal["rows", "columns"]
Signs = Literal["canonical", "solver"]
Evidence = Literal["loss", "logit"]
Candidates = Literal["positive", "both"]
Scale = Literal["absolute", "median"]


@dataclass(frozen=True)
class RefineRule:
    """How the images of a direction become unique concepts (CDISCO, step 4).

    ``images``: the most activating images that are clustered; ``scale``: whether distances are ``absolute`` or
    shares of the ``median`` distance between two images in the layer; ``ward``: distance threshold of Ward's
    clustering, which gives the number of clusters (3 medians leave individual neurons about the published number,
    2.1, in each of three networks on drawn images); ``prune``: squared distance to the centroid at and above
    which an image is dropped; ``least``: images below which a cluster is dropped; ``starts``, ``iterations``:
    of k-means.

    Raises
    ------
    EvoscopeError : a number has no meaning.
    """

    images: int = 100
    scale: Scale = "median"
    ward: float = 3.0
    prune: float = 0.25
    least: int = 5
    starts: int = 5
    iterations: int = 1000

    def __post_init__(self) -> None:
        check_choices(self, "the refinement of concepts")
        for name in ("images", "ward", "prune", "least", "starts", "iterations"):
            if not getattr(self, name) > 0:
                raise EvoscopeError(
                    f"{name}={getattr(self, name)} in the refinement of concepts", "give a number above 0"
                )


@dataclass(frozen=True)
class DiscoveryProtocol:
    """How a layer's features become concepts (CDISCO, steps 2 to 4).

    ``centred``: whether the mean is subtracted before the decomposition; ``signs``: ``canonical``, or as the
    ``solver`` returns them; ``side``: images are scored along the concepts themselves (``rows`` of V^T), or
    along its ``columns`` (the released defect); ``evidence``: the gradient that weighs the maps, of the
    ``loss`` of the true label or of the ``logit`` of the predicted class; ``candidates``: only the
    ``positive`` side of each direction is a candidate concept of a class, or ``both``, which makes the result
    independent of signs; ``empty_is_one``: whether a direction without a surviving cluster counts as one
    concept (the released defect) or as none; ``refine``: see `RefineRule`.
    """

    centred: bool = False
    signs: Signs = "canonical"
    side: Side = "rows"
    evidence: Evidence = "logit"
    candidates: Candidates = "both"
    empty_is_one: bool = False
    refine: RefineRule = field(default_factory=RefineRule)

    def __post_init__(self) -> None:
        check_choices(self, "the discovery protocol")
