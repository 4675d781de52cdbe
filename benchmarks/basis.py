"""What a concept basis and its class ranking cost, in time and memory, and how near they come to numpy's SVD.

Rows are drawn block by block and thrown away (in float32, with classes and a spectrum that decays and drops after
``RANKS`` directions), so that memory is the library's own; drawing is not timed. Sums are float64 throughout. The
ranking passes over the rows a second time, with the rows above zero as the evidence. Against it stands what the
released code does, on fewer rows: ``numpy.linalg.svd`` with the whole [rows, rows] left matrix. ::

    python -m benchmarks.basis --threads 2
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.linalg import subspace_angles
from threadpoolctl import threadpool_limits

from evoscope.arrays import Doubles, Floats, Ints
from evoscope.discovery.basis import BLOCK, ConceptBasis, Moments, blocks, svd_basis
from evoscope.discovery.ranking import ClassRanking, ScoreSums, rank_classes
from evoscope.seeds import generator

RANKS = (10, 50, 200)
DROP, DECAY = 0.7, 0.999  # of the spectrum, after each of the ranks and from one direction to the next
MIB = 2**20
Result = TypeVar("Result")


@dataclass(frozen=True)
class Drawn:
    """Rows of a layer that has classes: ``rotation``: [d, d]; ``means``: [classes, d], before it; ``scales``: [d]."""

    rotation: Floats
    means: Floats
    scales: Floats
    rows: int

    def blocks(self) -> Iterator[tuple[Floats, Ints]]:
        """Rows [b, d] and their classes, the same at every pass."""
        for number, part in enumerate(blocks(self.rows)):
            stream = generator(0, "rows", number)
            size = min(BLOCK, self.rows - part.start)
            labels = stream.integers(len(self.means), size=size)
            noise = stream.standard_normal((size, len(self.scales)), dtype=np.float32) * self.scales
            yield (noise + self.means[labels]) @ self.rotation, labels


def draw(rows: int, width: int, classes: int) -> Drawn:
    """A spectrum that drops after each of the ranks, in random directions; classes differ along the first of them."""
    stream = generator(0, "layer")
    rotation = np.linalg.qr(stream.standard_normal((width, width)))[0]
    drops = sum((np.arange(width) >= rank).astype(float) for rank in RANKS)
    scales = DECAY ** np.arange(width) * DROP**drops
    means = stream.standard_normal((classes, width)) * scales * (np.arange(width) < RANKS[0])
    turn, centres, spread = (each.astype(np.float32) for each in (rotation, means, scales))
    return Drawn(turn, centres, spread, rows)


class Clock:
    """Adds up the seconds that some calls take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, call: Callable[..., Result], *arguments: object) -> Result:
        """Call and take the time."""
        start = time.perf_counter()
        found = call(*arguments)
        self.seconds += time.perf_counter() - start
        return found


def added(total: Moments | None, rows: Floats, labels: Ints, classes: int) -> Moments:
    """Moments with one more block; predictions are the labels."""
    found = Moments.of("drawn", rows, labels, labels, classes)
    return total.merge(found) if total else found


def scored(total: ScoreSums | None, basis: ConceptBasis, rows: Floats, labels: Ints, classes: int) -> ScoreSums:
    """Summed scores with one more block, as `evoscope.discovery.ranking.sums_of_rows` goes about it."""
    turned = np.ascontiguousarray(basis.scored.T, dtype=rows.dtype)
    found = ScoreSums.of(rows @ turned, labels, classes)
    return total.merge(found) if total else found


def basis_of(drawn: Drawn, clock: Clock) -> ConceptBasis:
    """Directions from the streamed moments."""
    moments: Moments | None = None
    for rows, labels in drawn.blocks():
        moments = clock(added, moments, rows, labels, len(drawn.means))
    assert moments is not None
    return clock(svd_basis, moments)


def ranking_of(drawn: Drawn, basis: ConceptBasis, clock: Clock) -> ClassRanking:
    """Ranking of the directions from streamed evidence."""
    sums: ScoreSums | None = None
    for rows, labels in drawn.blocks():
        np.maximum(rows, 0, out=rows)
        sums = clock(scored, sums, basis, rows, labels, len(drawn.means))
    assert sums is not None
    return clock(rank_classes, sums, basis)


def peak_mib() -> float:
    """Most memory that this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB


def streamed(drawn: Drawn) -> None:
    """Print seconds of each step and memory, of the blocks and their drawing too."""
    before, summing, ranking = peak_mib(), Clock(), Clock()
    basis = basis_of(drawn, summing)
    ranking_of(drawn, basis, ranking)
    total, peak = summing.seconds + ranking.seconds, peak_mib()
    print(
        f"{drawn.rows:,} x {len(drawn.scales):,}: moments and basis {summing.seconds:.2f} s, class ranking "
        f"{ranking.seconds:.2f} s, together {total:.2f} s; peak {peak:.0f} MiB, of them {peak - before:.0f} MiB "
        "since the imports and the drawn rotation",
        flush=True,
    )


def against_numpy(drawn: Drawn) -> None:
    """Print the time of the full-matrix decomposition beside ours, and the angles between what they span."""
    ours, whole = Clock(), Clock()
    features = np.concatenate([rows for rows, _ in drawn.blocks()])
    directions = basis_of(drawn, ours).directions
    found = whole(_full_matrix, features)
    print(
        f"{drawn.rows:,} x {len(drawn.scales):,}: moments and basis {ours.seconds:.2f} s, "
        f"numpy.linalg.svd(full_matrices=True) {whole.seconds:.2f} s, {whole.seconds / ours.seconds:.1f} times as long"
    )
    exact = np.linalg.svd(features.astype(np.float64), full_matrices=False)[2]
    for rank in RANKS:
        angles = [_angle(directions, other, rank) for other in (exact, found.astype(np.float64))]
        print(
            f"rank {rank}: largest principal angle {angles[0]:.1e} to numpy's SVD in float64, "
            f"{angles[1]:.1e} in float32"
        )


def _full_matrix(features: Floats) -> Floats:
    return np.asarray(np.linalg.svd(features, full_matrices=True)[2])


def _angle(rows: Doubles, others: Doubles, rank: int) -> float:
    return float(subspace_angles(rows[:rank].T, others[:rank].T).max())


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--rows", type=int, default=50_000)
    out.add_argument("--few", type=int, default=5_000, help="rows of the full-matrix decomposition; 0: leave it out")
    out.add_argument("--width", type=int, default=2_048)
    out.add_argument("--classes", type=int, default=100)
    out.add_argument("--threads", type=int, default=2)
    out.add_argument("--repeats", type=int, default=3)
    return out


def main() -> None:
    """Print the measurements."""
    options = parser().parse_args()
    with threadpool_limits(options.threads):
        for _ in range(options.repeats):
            streamed(draw(options.rows, options.width, options.classes))
        if options.few:
            against_numpy(draw(options.few, options.width, options.classes))


if __name__ == "__main__":
    main()
