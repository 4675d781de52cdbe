"""One epoch of training and its scores."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from evoscope.data.images import ImageSet
from evoscope.data.loader import Batch, Loader
from evoscope.errors import EvoscopeError
from evoscope.models.network import Network
from evoscope.progress import Progress, silent
from evoscope.seeds import derive, generator
from evoscope.training.metrics import Autocast, EpochMetrics, evaluate, row
from evoscope.training.recipe import TrainingRecipe, make_optimizer, use_bf16

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
            for batch in self._shuffled(epoch):
                # Batch norm cannot train on a single image, as the last batch may be.
                if len(batch.labels) > 1 or len(self.train.images) == 1:
                    finite &= self._step(batch).isfinite()
        return bool(finite)

    def _shuffled(self, epoch: int) -> Iterator[Batch]:
        images = len(self.train.images)
        what = f"training {self.name}, epoch {epoch + 1} of {self.recipe.epochs}"
        batches = self.train.shuffled(derive(self.seed, "order", epoch))
        return self.progress(batches, total=images, what=what, unit="image", size=self.train.batch_size)

    def _step(self, batch: Batch) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast():
            logits = self.module(batch.pixels)
        loss = functional.cross_entropy(logits.float(), batch.labels)
        torch.autograd.backward(loss)
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
    if recipe.channels_last:
        lay_out(module, torch.channels_last)
    load = partial(
        Loader,
        prep=network.preprocessing,
        memory_mb=memory_mb,
        workers=workers,
        device=device,
        channels_last=recipe.channels_last,
    )
    trainer = Trainer(
        network.name,
        module,
        make_optimizer(recipe, module),
        recipe,
        load(train, batch_size=recipe.batch_size),
        load(scored_images(train, recipe.eval_images), batch_size=EVALUATION_BATCH),
        load(test, batch_size=EVALUATION_BATCH),
        partial(torch.autocast, device.type, torch.bfloat16, use_bf16(recipe, module, device)),
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
