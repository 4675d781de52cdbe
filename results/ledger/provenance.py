"""Where the claims, the published numbers and the data come from: said before any verdict."""

from collections.abc import Sequence

from results.ledger.claim import Evidence
from results.reference import published_reversal

# Data sets of which this repository's results used copies that are not the originals, and in what they differ.
COPIES = {
    "imagenette": "Imagenette: all 13,394 images, squashed to a square and encoded again as JPEG",
    "cifar10": "CIFAR-10: all 60,000 images in the official order, pixels encoded as JPEG (lossy)",
    "COMPAS": "COMPAS: the benchmark's preprocessed split, unchanged",
}
NETWORKS = {
    "smoke": "tiny networks after two epochs, to test the chain only",
    "laptop": "networks of quarter width and 48 pixels after 7 to 9 epochs of recipes of our own",
    "desk": "narrow networks trained for hours",
    "gpu": "published recipes on smaller images",
    "imagenet": "the published setting",
}


def typed() -> str:
    """Which published rows the authors typed by hand, and which one is a copy, from the notes of the rows."""
    rows = published_reversal()
    noted, copied = rows[rows["note"] != ""], rows[rows["suspect"]]
    where = ", ".join(
        f"{row.run} {row.from_epoch} to {row.to_epoch} {row.split} {row.metric}" for row in copied.itertuples()
    )
    return (
        f"{len(noted)} of its {len(rows)} reversal rows ({', '.join(dict.fromkeys(noted['run']))}) were typed by hand "
        f"into a notebook, and the bins of one of these ({where}) are a copy of another row's"
    )


def scales_run(evidence: Sequence[Evidence]) -> str:
    """The scales at which anything was run, with what they are."""
    scales = dict.fromkeys(each.scale for each in evidence)
    return "; ".join(f"{name} ({NETWORKS.get(name, 'a scale of its own')})" for name in scales) or "nothing yet"


def lead(evidence: Sequence[Evidence]) -> str:
    """Two sentences above the verdicts."""
    return (
        "An independent reproduction, not by the authors of either paper, whose claims are those of the abstracts and "
        f"of the released code. Run at these scales only: {scales_run(evidence)}."
    )


def provenance(evidence: Sequence[Evidence]) -> str:
    """A paragraph for the claims page and the report: whose claims, whose numbers, which networks, which data."""
    data = list(dict.fromkeys(each.data for each in evidence))
    copies = "; ".join(COPIES[name] for name in data if name in COPIES)
    return (
        "**Where this comes from.** An independent reproduction, not by the authors of either paper. The papers' "
        "bodies were not available to us: the claims are those of the abstracts and of the released code, and the "
        f"published numbers are those of the authors' repositories. Of ConceptEvo's, {typed()}. CDISCO's stamp and "
        "cluster numbers are stored results of its repository. Anything here was run at these scales only: "
        f"{scales_run(evidence)}. "
        + (f"Data that are copies: {copies}. " if copies else "")
        + "The drawn scenes are our own."
    )
