"""Opening a set as large as ImageNet from a kept listing: seconds and memory.

The listing is made up: 1,281,167 names in 1,000 folders, of which only the files that are sampled exist. ::

    python -m benchmarks.listing
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from evoscope.data.files import Reading
from evoscope.data.folder import find_layout, listing_name, open_folder
from evoscope.data.images import pool
from evoscope.data.listing import Listing, probed, remember
from evoscope.models.outputs import imagenet_names

IMAGES = 1_281_167


def made_up(root: Path, kept: Path, images: int) -> None:
    """Folders, the sampled files, and a listing of all."""
    wnids = [wnid for wnid, _ in imagenet_names()]
    labels = np.sort(np.arange(images) % len(wnids))
    ids = tuple(f"train/{wnids[label]}/{wnids[label]}_{number}.JPEG" for number, label in enumerate(labels))
    for split in ("train", "val"):
        for wnid in wnids:
            (root / split / wnid).mkdir(parents=True)
    for name in probed(ids):
        (root / name).write_bytes(b"x")
    folders = [str(root), str(root / "train"), *(str(root / "train" / wnid) for wnid in wnids)]
    for folder in folders:
        os.utime(folder, (1e9, 1e9))
    where = listing_name(root, find_layout(root), "train", Reading())
    remember(kept, where, root, folders, Listing(ids, ids, labels, tuple(wnids), "0" * 64, ()))


def main() -> None:
    """Print seconds to open and to draw the pool, and how much memory that took."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--images", type=int, default=IMAGES)
    images = options.parse_args().images
    with tempfile.TemporaryDirectory() as folder:
        root, kept = Path(folder) / "imagenet", Path(folder) / "kept"
        if os.fork() == 0:  # its memory is not ours
            made_up(root, kept, images)
            os._exit(0)
        os.wait()
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        found = open_folder(root, "train", reading=Reading(listings=kept))
        opened = time.perf_counter()
        part = pool(found)
        pooled = time.perf_counter()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{len(found):,} images: opened in {opened - start:.1f} s, pool of {len(part):,} drawn in "
        f"{pooled - opened:.1f} s, {(after - before) / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
