"""Training that ends when held-out images no longer gain by it (CDISCO's stamped images)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from evoscope.data.images import ImageSet, pool
from evoscope.data.loader import Batch, Loader
from evoscope.models.checkpoints import INIT, checkpoint_name
from evoscope.models.network import Network, layout_of
from evoscope.progress import Progress, silent
from evoscope.seeds import derive
from evoscope.training.epochs import EpochMetrics, Trainer, lay_out, prepare, table
from evoscope.training.loop import (
    METRICS_FILE,
    STATE_FILE,
    load_state,
    remove_partial,
    save_module,
    save_state,
    save_table,
)
from evoscope.training.recipe import TrainingRecipe

PATIENCE = 5
HELD_OUT = 0.2


@dataclass(frozen=True)
class Crop:
    """Random resized crops: ``least`` to 1 is the share of the area kept, ``ratio`` the most uneven ratio of sides."""

    least: float = 0.5
    ratio: float = 4 / 3


def hold_out(images: ImageSet, seed: int, share: float = HELD_OUT) -> tuple[ImageSet, ImageSet]:
    """Split a set by its ids, each class alike: images to train on, and held-out ones to stop by."""
    held = pool(images, share, seed)
    names = set(held.ids)
    return images.subset([place for place, name in enumerate(images.ids) if name not in names]), held


def out_of_patience(losses: Sequence[float], patience: int = PATIENCE) -> bool:
    """Tell whether the last ``patience`` epochs all failed to go below the least loss before them.

    A loss that is no number gains nothing.
    """
    known = [loss if math.isfinite(loss) else math.inf for loss in losses]
    return len(known) > patience and min(known[-patience:]) >= min(known[:-patience])


def train_patiently(
    network: Network,
    train: ImageSet,
    held_out: ImageSet,
    recipe: TrainingRecipe,
    folder: Path,
    seed: int,
    *,
    patience: int = PATIENCE,
    crop: Crop | None = None,
    progress: Progress = silent,
    memory_mb: int = 2048,
    workers: int = 0,
) -> None:
    """Train on the network's device for ``recipe.epochs``, or until the held-out loss has not fallen for a while.

    The last state is left in ``folder`` as its one checkpoint, and the curve as ``metrics.parquet``, in which ``test``
    stands for the held-out images. Called again after an interruption it goes on after the last finished epoch, and
    on a CPU leaves the same bytes. The network ends in its last state, in eval mode.

    Parameters
    ----------
    train, held_out : different images.
    folder : of this training alone.
    seed : decides order, crops and dropout, anew in each epoch.
    patience : epochs without a lower held-out loss after which training ends.
    crop : how training images are cropped; None leaves them whole.
    memory_mb, workers : as for `evoscope.data.loader.Loader`.

    Raises
    ------
    EvoscopeError : the network lacks outputs for some classes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_partial(folder)
    trainer = prepare(network, train, held_out, recipe, seed, progress, memory_mb, workers)
    if crop is not None:
        trainer = replace(trainer, train=Cropping(trainer.train, crop))
    rows = load_state(folder, trainer.module, trainer.optimizer) or [trainer.score(INIT, diverged=False)]
    while rows[-1].epoch + 1 < recipe.epochs:
        if out_of_patience([row.test_loss for row in rows if row.epoch != INIT], patience):
            break
        rows.append(_epoch(trainer, rows[-1]))
        save_state(folder, trainer.module, trainer.optimizer, rows)
    lay_out(trainer.module, torch.contiguous_format)
    save_module(trainer.module.eval(), folder / checkpoint_name(rows[-1].epoch))
    save_table(table(rows), folder / METRICS_FILE)
    (folder / STATE_FILE).unlink(missing_ok=True)


def _epoch(trainer: Trainer, last: EpochMetrics) -> EpochMetrics:
    finite = trainer.train_epoch(last.epoch + 1)
    return trainer.score(last.epoch + 1, diverged=last.diverged or not finite)


class Cropping(Loader):
    """A loader whose shuffled images are cropped at random."""

    def __init__(self, loader: Loader, crop: Crop) -> None:
        vars(self).update(vars(loader))
        self.crop = crop

    def shuffled(self, seed: int, progress: Progress = silent) -> Iterator[Batch]:
        """Every image once, cropped by draws that depend on the seed alone."""
        draws = torch.Generator().manual_seed(derive(seed, "crop"))
        for batch in super().shuffled(seed, progress):
            yield replace(batch, pixels=cropped(batch.pixels, self.crop, draws))


def cropped(pixels: Tensor, crop: Crop, draws: torch.Generator) -> Tensor:
    """Cut a random rectangle out of each image and stretch it to the whole, bilinearly (torchvision's rule).

    Parameters
    ----------
    pixels : [b, 3, s, s]; the result has its shape, device and memory layout.
    draws : on the CPU.
    """
    unit = torch.rand((4, len(pixels)), generator=draws, dtype=torch.float64)
    area, ratio = crop.least + (1 - crop.least) * unit[0], crop.ratio ** (2 * unit[1] - 1)
    wide, high = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    # In the coordinates of affine_grid, which run from -1 to 1.
    zero = torch.zeros_like(wide)
    rows = [wide, zero, (1 - wide) * (2 * unit[2] - 1), zero, high, (1 - high) * (2 * unit[3] - 1)]
    turn = torch.stack(rows, dim=1).view(-1, 2, 3).to(pixels)
    grid = functional.affine_grid(turn, list(pixels.shape), align_corners=False)
    found = functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return found.contiguous(memory_format=layout_of(pixels))
