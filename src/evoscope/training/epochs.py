"""One epoch of training, and the scores of a module."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from evoscope.data.images import ImageSet
from evoscope.data.loader import Batch, Loader
from evoscope.errors import EvoscopeError
from evoscope.models.network import Network, doubled, takes_channels_last
from evoscope.progress import Progress, silent
from evoscope.seeds import derive, generator
from evoscope.training.recipe import TrainingRecipe, make_optimizer, use_bf16

Autocast = Callable[[], AbstractContextManager[object]]
TOP = 5


@dataclass(frozen=True)
class Scores:
    """Shares of images whose class is the first, or among the first five; mean cross-entropy in nats."""

    top1: float
    top5: float
    loss: float


@dataclass(frozen=True)
class EpochMetrics:
    """One row of ``metrics.parquet``.

    ``diverged``: the loss was NaN or infinite in this epoch or in one before.
    """

    epoch: int
    train_top1: float
    train_top5: float
    test_top1: float
    test_top5: float
    train_loss: float
    test_loss: float
    diverged: bool


def ranks(logits: Tensor, labels: Tensor) -> Tensor:
    """Rank of each image's own class among its logits, 0 being the first.

    Equal logits rank by class number. A row with any NaN ranks last: a diverged network knows nothing, though
    sorting would put NaN first.

    Parameters
    ----------
    logits : [images, classes]; labels : int64 [images].

    Returns
    -------
    int64 [images].
    """
    own = logits.gather(1, labels[:, None])
    earlier = torch.arange(logits.shape[1], device=logits.device) < labels[:, None]
    rank = ((logits > own) | ((logits == own) & earlier)).sum(1)
    return torch.where(logits.isnan().any(1), logits.shape[1], rank)


def evaluate(module: nn.Module, batches: Iterable[Batch], autocast: Autocast) -> Scores:
    """Score a module in eval mode (left so) over batches of `evoscope.data.loader.Batch`."""
    module.eval()
    # Sums stay on the device until all is done: the host need not wait for any batch.
    first: Tensor | int = 0
    among: Tensor | int = 0
    loss: Tensor | float = 0.0
    count = 0
    with torch.no_grad():
        for batch in batches:
            with autocast():
                logits = module(batch.pixels)
            rank = ranks(logits.float(), batch.labels)
            first, among = first + (rank < 1).sum(), among + (rank < TOP).sum()
            exact = doubled(logits)
            loss = loss + functional.cross_entropy(exact, batch.labels.to(exact.device), reduction="sum")
            count += len(batch.labels)
    return Scores(int(first) / count, int(among) / count, float(loss) / count)


def row(epoch: int, train: Scores, test: Scores, diverged: bool) -> EpochMetrics:
    """Join the scores of one epoch; a loss that is no finite number counts as divergence too."""
    finite = math.isfinite(train.loss) and math.isfinite(test.loss)
    accuracies = (train.top1, train.top5, test.top1, test.top5)
    return EpochMetrics(epoch, *accuracies, train.loss, test.loss, diverged or not finite)


def table(rows: Iterable[EpochMetrics]) -> pd.DataFrame:
    """Metrics of a run, one row per epoch, the initial state being epoch -1."""
    return pd.DataFrame([asdict(each) for each in rows])


# Evaluation keeps no gradients, so its batches may be larger than the recipe's.
EVALUATION_BATCH = 250


@dataclass(frozen=True)
class Trainer:
    """What stays the same from epoch to epoch: module, optimizer and the three streams of images."""

    name: str
    module: nn.Module
    optimizer: torch.optim.Optimizer
    recipe: TrainingRecipe
    train: Loader
    scored: Loader
    test: Loader
    autocast: Autocast
    device: torch.device
    seed: int
    progress: Progress = silent

    def score(self, epoch: int, diverged: bool) -> EpochMetrics:
        """Measure the module as it is now on training and test images."""
        train = evaluate(self.module, self.scored.ordered(), self.autocast)
        test = evaluate(self.module, self.test.ordered(), self.autocast)
        return row(epoch, train, test, diverged)

    def train_epoch(self, epoch: int) -> bool:
        """Pass once over the shuffled training images; tell whether every loss was a finite number.

        The order and the dropout of an epoch depend on the seed and the epoch alone.
        """
        self.module.train()
        finite = torch.ones((), dtype=torch.bool, device=self.device)
        with seeded(derive(self.seed, "dropout", epoch), self.device):
            batches = self.train.shuffled(derive(self.seed, "order", epoch))
            images, size = len(self.train.images), self.train.batch_size
            what = f"training {self.name}, epoch {epoch + 1} of {self.recipe.epochs}"
            for batch in self.progress(batches, total=images, what=what, unit="image", size=size):
                # Batch norm cannot train on a single image, as the last batch may be.
                if len(batch.labels) > 1 or images == 1:
                    finite &= self._step(batch).isfinite()
        return bool(finite)

    def _step(self, batch: Batch) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        try:
            with self.autocast():
                logits = self.module(batch.pixels)
            loss = functional.cross_entropy(logits.float(), batch.labels)
            torch.autograd.backward(loss)
        except torch.OutOfMemoryError as error:
            # A smaller batch is another recipe, so it is not taken by itself.
            half = max(1, self.recipe.batch_size // 2)
            raise EvoscopeError(
                f"a training step of {self.name} with {len(batch.labels)} images is too large for {self.device}",
                f"give training.batch_size={half}, and training.lr for it",
            ) from error
        self.optimizer.step()
        return loss.detach()


def prepare(
    network: Network,
    train: ImageSet,
    test: ImageSet,
    recipe: TrainingRecipe,
    seed: int,
    progress: Progress,
    memory_mb: int,
    workers: int,
) -> Trainer:
    """Gather what the epochs need, on the network's device and in the recipe's memory layout."""
    module = network.module
    device = next(module.parameters()).device
    channels_last = recipe.channels_last and takes_channels_last(module)
    if channels_last:
        lay_out(module, torch.channels_last)
    load = partial(
        Loader,
        prep=network.preprocessing,
        memory_mb=memory_mb,
        workers=workers,
        device=device,
        channels_last=channels_last,
    )
    trainer = Trainer(
        network.name,
        module,
        make_optimizer(recipe, module),
        recipe,
        load(train, batch_size=recipe.batch_size, fixed=True),
        load(scored_images(train, recipe.eval_images), batch_size=EVALUATION_BATCH),
        load(test, batch_size=EVALUATION_BATCH),
        partial(torch.autocast, device.type, torch.bfloat16) if use_bf16(recipe, module, device) else nullcontext,
        device,
        seed,
        progress,
    )
    check_classes(trainer, max(train.labels.max(), test.labels.max()) + 1)
    return trainer


def lay_out(module: nn.Module, memory_format: torch.memory_format) -> None:
    """Bring a module's weights into a memory layout; their values stay."""
    # PyTorch's annotations of Module.to lack this argument.
    module.to(memory_format=memory_format)  # type: ignore[call-overload]


def scored_images(train: ImageSet, count: int) -> ImageSet:
    """Select the training images on which accuracy is followed: the same for every network and seed."""
    if count == 0 or count >= len(train):
        return train
    chosen = generator(0, "scored training images").choice(len(train), count, replace=False)
    return train.subset(sorted(chosen.tolist()))


def check_classes(trainer: Trainer, classes: int) -> None:
    """Refuse a network that has no output for some class.

    Raises
    ------
    EvoscopeError : also when its output is not [images, classes].
    """
    batch = next(trainer.test.ordered())
    with torch.no_grad():
        output = trainer.module.eval()(batch.pixels[:1])
    shape = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if not isinstance(output, Tensor) or output.ndim != 2 or output.shape[1] < classes:
        raise EvoscopeError(
            f"network {trainer.name!r} returns {shape} for one image, but there are {classes} classes",
            "build it with that many outputs",
        )


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators (CPU and ``device``) within the context only."""
    gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if gpu else []):
        torch.default_generator.manual_seed(seed)
        if gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
