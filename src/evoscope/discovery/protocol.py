"""The choices behind concept discovery (named sets of them are in ``conf/protocol``)."""

from dataclasses import dataclass, field
from typing import Literal

from evoscope.errors import EvoscopeError, check_choices

Side = Literal["rows", "columns"]
Signs = Literal["canonical", "solver"]
Evidence = Literal["loss", "logit"]
Candidates = Literal["positive", "both"]
Scale = Literal["absolute", "median"]
Reading = Literal["evidence", "projection"]
Absence = Literal["evidence", "projection", "mixed"]


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
    independent of signs; ``batch``: images, in the order of the data, of whose mean loss the gradient is taken, so
    that those of a smaller last batch weigh more (as released), or 0 for each image's own; ``ranking``: whether the
    directions of a class are those along which its ``evidence`` differs from the rest, as the released code has it,
    or its ``projection``; ``energy``: share of the squared singular values that the candidates hold, the strongest
    first (the abstract speaks of directions of high variance, the code keeps all: 1); ``outliers``: what ranks a
    class's directions for outlier scores and scores the samples along them, or ``mixed``: ranked by evidence,
    scored by projection (no score was released); ``empty_is_one``: whether a direction without a surviving cluster
    counts as one concept (the released defect) or as none; ``refine``: see `RefineRule`.

    Raises
    ------
    EvoscopeError : a value has no meaning.
    """

    centred: bool = False
    signs: Signs = "canonical"
    side: Side = "rows"
    evidence: Evidence = "logit"
    candidates: Candidates = "both"
    batch: int = 0
    ranking: Reading = "evidence"
    energy: float = 1.0
    outliers: Absence = "projection"
    empty_is_one: bool = False
    refine: RefineRule = field(default_factory=RefineRule)

    def __post_init__(self) -> None:
        check_choices(self, "the discovery protocol")
        if self.batch < 0 or not 0 < self.energy <= 1:
            key = f"batch={self.batch}" if self.batch < 0 else f"energy={self.energy}"
            raise EvoscopeError(f"{key} in the discovery protocol", "give a batch of 0 or more and an energy in (0, 1]")
        if self.energy < 1 and self.side == "columns":
            raise EvoscopeError(
                f"energy={self.energy} in the discovery protocol, whose columns have no energy",
                "give side=rows, or energy=1",
            )
