"""Sparse dictionaries of a layer: an autoencoder at one epoch, and a crosscoder over the epochs of a training.

An autoencoder writes each image's features as a sum of few directions (Bricken et al. 2023; the k largest codes: Gao
et al. 2024). A crosscoder has one code per image and a decoder per epoch (Lindsey et al. 2024; Ge et al. 2025 over
training), so that a concept is one entry whose decoders say when it is there and which way it points.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evoscope.arrays import Array, Doubles, Floats, Ints, unit_rows
from evoscope.discovery.basis import ConceptBasis, check_finite
from evoscope.errors import EvoscopeError
from evoscope.progress import Progress, silent
from evoscope.seeds import derive

BATCH, LEARNING_RATE, STEPS, STEPS_PER_IMAGE = 256, 3e-3, 3000, 4
DEAD_AFTER = 200
"""Steps without an image after which an entry takes part in explaining what others leave (Gao et al., appendix)."""
AUXILIARY = 1 / 32


@dataclass(frozen=True)
class Dictionary:
    """One code per image, and a decoder per epoch.

    ``decoders``: float32 [epochs, entries, d], in the features' own units; ``means``: float32 [epochs, d];
    ``encoders``: float32 [epochs, d, entries]; ``bias``: float32 [entries]; ``active``: entries used per image.
    A code is the ``active`` largest of max(0, sum over epochs of (x - mean) encoder + bias).
    """

    encoders: Floats
    decoders: Floats
    means: Floats
    bias: Floats
    active: int

    def codes(self, features: Sequence[Array]) -> Floats:
        """Codes of images, float32 [images, entries], from their features [images, d] at every epoch."""
        inner = np.tile(self.bias, (len(features[0]), 1))
        for each, mean, encoder in zip(features, self.means, self.encoders, strict=True):
            inner += (np.asarray(each, np.float32) - mean) @ encoder
        kept = np.argpartition(-inner, self.active - 1, axis=1)[:, : self.active]
        codes = np.zeros_like(inner)
        np.put_along_axis(codes, kept, np.maximum(np.take_along_axis(inner, kept, axis=1), 0), axis=1)
        return codes

    def explained(self, features: Sequence[Array]) -> Doubles:
        """Share of the variance of images' features that their codes explain, float64 [epochs]."""
        codes, shares = self.codes(features), []
        for each, mean, decoder in zip(features, self.means, self.decoders, strict=True):
            exact = np.asarray(each, np.float64)
            left = ((exact - mean - codes @ decoder) ** 2).sum()
            shares.append(1 - left / max(((exact - exact.mean(axis=0)) ** 2).sum(), 1e-30))
        return np.array(shares)


def fit_dictionary(
    features: Sequence[Array],
    entries: int,
    active: int,
    seed: int,
    *,
    steps: int | None = None,
    progress: Progress = silent,
) -> Dictionary:
    """Fit a dictionary to features [images, d], one array per epoch, the same images in the same order in all.

    Every epoch counts equally, whatever the size of its features. Adam on batches; decoders start as the encoders'
    transposes. On one machine and thread the same seed gives the same dictionary.

    Parameters
    ----------
    entries, active : of the dictionary, and used per image at most.
    steps : of the optimiser; `STEPS`, or fewer for few images, unless given.

    Raises
    ------
    EvoscopeError : NaN or infinite features, features that are the same for all images, or more active entries than
        there are.
    """
    if not 1 <= active <= entries:
        raise EvoscopeError(f"{active} of {entries} entries cannot be active", "give 1 or more, and at most all")
    means, scales, standard = _standardised(features)
    steps = steps or min(STEPS, STEPS_PER_IMAGE * len(features[0]))
    generator = torch.Generator().manual_seed(derive(seed, "dictionary"))
    model = _Model(len(features), standard.shape[2], entries, active, generator)
    optimiser = torch.optim.Adam(model.parameters, lr=LEARNING_RATE)
    idle = torch.zeros(entries)
    for step in progress(range(steps), total=steps, what="dictionary", unit="step"):
        # A quarter of the steps goes down to a rate of zero, so that the last batches do not decide.
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * min(1.0, 4 * (1 - step / steps))
        drawn = torch.randint(standard.shape[1], (min(BATCH, standard.shape[1]),), generator=generator)
        optimiser.zero_grad()
        loss, used = model.loss(standard[:, drawn], idle > DEAD_AFTER)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's stub
        optimiser.step()
        idle = torch.where(used, torch.zeros(()), idle + 1)
    return model.dictionary(means, scales)


def _standardised(features: Sequence[Array]) -> tuple[Floats, Floats, Tensor]:
    """Mean [epochs, d] and root mean square [epochs] of the features, and the features with both taken out."""
    for each in features:
        check_finite(each, "")
    means = np.stack([np.asarray(each.mean(axis=0, dtype=np.float64), np.float32) for each in features])
    centred = [np.asarray(each, np.float32) - mean for each, mean in zip(features, means, strict=True)]
    scales = np.array([np.sqrt((each.astype(np.float64) ** 2).mean()) for each in centred], np.float32)
    if not (scales > 0).all():
        raise EvoscopeError("features are the same for all images at some epoch", "choose another layer or epochs")
    standard = np.stack([each / scale for each, scale in zip(centred, scales, strict=True)])
    return means, scales, torch.from_numpy(standard)


class _Model:
    def __init__(self, epochs: int, width: int, entries: int, active: int, generator: torch.Generator) -> None:
        drawn = torch.randn(epochs, entries, width, generator=generator)
        self.active = active
        self.decoders = (drawn / drawn.norm(dim=2, keepdim=True)).requires_grad_()
        self.encoders = (self.decoders.detach().transpose(1, 2) / epochs).clone().requires_grad_()
        self.bias = torch.zeros(entries, requires_grad=True)
        self.parameters = [self.decoders, self.encoders, self.bias]

    def loss(self, batch: Tensor, dead: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared error over epochs [epochs, b, d], and which entries the images used."""
        inner = torch.einsum("ebd,edn->bn", batch, self.encoders) + self.bias
        codes = _largest(inner, self.active)
        left = batch - torch.einsum("bn,end->ebd", codes, self.decoders)
        loss = left.square().mean()
        if bool(dead.any()):
            # Idle entries explain what is left, or they would stay idle for ever.
            spare = _largest(inner.masked_fill(~dead, -torch.inf), min(2 * self.active, int(dead.sum())))
            again = left.detach() - torch.einsum("bn,end->ebd", spare, self.decoders)
            loss = loss + AUXILIARY * again.square().mean()
        return loss, (codes.detach() > 0).any(dim=0)

    def dictionary(self, means: Floats, scales: Floats) -> Dictionary:
        """The dictionary in the features' own units, every entry as long as its decoders together."""
        sizes = torch.from_numpy(scales)[:, None, None]
        with torch.no_grad():
            return Dictionary(
                (self.encoders / sizes).numpy(),
                (self.decoders * sizes).numpy(),
                means,
                self.bias.numpy().copy(),
                self.active,
            )


def _largest(inner: Tensor, count: int) -> Tensor:
    """The ``count`` largest of each row where they are positive, zero elsewhere."""
    values, places = inner.topk(count, dim=1)
    return torch.zeros_like(inner).scatter(1, places, values.clamp(min=0))


ENTRIES, ACTIVE = 128, 16


@dataclass(frozen=True)
class SparseAutoencoder:
    """Decoder directions of a sparse autoencoder, those that no image uses left out.

    ``entries``: of its dictionary; ``active``: used per image at most.
    """

    entries: int = ENTRIES
    active: int = ACTIVE
    name: str = "sae"

    def fit(self, features: Array, seed: int, layer: str = "") -> ConceptBasis:
        """Fit it; strengths are lengths of the codes over all images, times the decoders' lengths."""
        check_finite(features, layer)
        found = fit_dictionary([features], self.entries, min(self.active, self.entries), seed)
        codes, decoder = found.codes([features]), found.decoders[0].astype(np.float64)
        lengths = np.sqrt((codes.astype(np.float64) ** 2).sum(axis=0)) * np.linalg.norm(decoder, axis=1)
        used = np.flatnonzero(lengths > 0)
        order = used[np.argsort(-lengths[used], kind="stable")]
        centre = found.means[0].astype(np.float64)
        return ConceptBasis(layer, self.name, unit_rows(decoder[order]), lengths[order], True, centre)


PRESENT, TURNED = 0.3, 0.7


@dataclass(frozen=True)
class Lives:
    """When the entries of a crosscoder are there and where they turn, by place in the list of epochs.

    ``norms``: float64 [entries, epochs], length of the decoder as a share of the entry's longest; ``cosines``: float64
    [entries, epochs - 1], between neighbouring epochs; ``birth``, ``death``: int64 [entries], first epoch and last at
    which the norm reaches `PRESENT`; ``turn``: int64 [entries], the epoch after the smallest cosine while it is there,
    if that is below `TURNED`, else -1; ``used``: share of the images that use the entry.
    """

    norms: Doubles
    cosines: Doubles
    birth: Ints
    turn: Ints
    death: Ints
    used: Doubles


def lives(dictionary: Dictionary, codes: Array) -> Lives:
    """Read births, turns and deaths off the decoders; decoders count in units of their epoch's features.

    Parameters
    ----------
    codes : [images, entries], of `Dictionary.codes`.
    """
    decoders = dictionary.decoders.astype(np.float64)
    # Epochs differ in the size of their features: a decoder counts by its share of its epoch's.
    sizes = np.sqrt((decoders**2).sum(axis=2).mean(axis=1))
    lengths = (np.linalg.norm(decoders, axis=2) / sizes[:, None]).T
    norms = lengths / np.maximum(lengths.max(axis=1, keepdims=True), 1e-30)
    units = decoders / np.maximum(np.linalg.norm(decoders, axis=2, keepdims=True), 1e-30)
    cosines = np.einsum("end,end->ne", units[:-1], units[1:])
    present = norms >= PRESENT
    birth = present.argmax(axis=1)
    death = present.shape[1] - 1 - present[:, ::-1].argmax(axis=1)
    both = present[:, :-1] & present[:, 1:]
    seen = np.where(both, cosines, np.inf)
    at = seen.argmin(axis=1) if seen.shape[1] else np.zeros(len(seen), np.int64)
    lowest = seen[np.arange(len(seen)), at] if seen.shape[1] else np.full(len(seen), np.inf)
    turn = np.where(lowest < TURNED, at + 1, -1)
    used = np.asarray((codes > 0).mean(axis=0), np.float64)
    return Lives(norms, cosines, birth.astype(np.int64), turn.astype(np.int64), death.astype(np.int64), used)
