"""The methods on modules and folders of your own: arrays and data frames in and out, without configuration or store.

Every function takes plain things: a `torch.nn.Module` wrapped by `network`, a folder opened by `images`. Neurons are
named ``layer#channel``. A network's outputs are mapped to the folder's classes by their number or by ImageNet's names,
and what cannot be mapped is refused (`evoscope.models.outputs`). What the experiments do beyond (intervals, nulls,
protocols) is in the packages that are called here.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from evoscope.activations.patches import cell_places
from evoscope.activations.scan import activation_pass
from evoscope.activations.stimuli import NeuronIndex, Stimuli
from evoscope.arrays import Floats, unit_rows
from evoscope.data.folder import open_folder
from evoscope.data.images import ImageSet
from evoscope.discovery.latent import latent_pass
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.discovery.ranking import Discovery, discover
from evoscope.errors import EvoscopeError
from evoscope.evolution.importance import importance as importance_on
from evoscope.evolution.importance import of_class, significance
from evoscope.evolution.pair import blank, make_pair
from evoscope.evolution.reversal import BinRule, Conditions, bins_of_all
from evoscope.evolution.reversal import reversal as count_correct
from evoscope.evolution.summary import class_drops
from evoscope.figure_data import BIN_NAMES
from evoscope.models.network import Network, Preprocessing, closest
from evoscope.models.outputs import ChosenOutputs, map_outputs
from evoscope.models.zoo import listed
from evoscope.space.build import build_space, project
from evoscope.space.protocol import SemanticSpace, SpaceProtocol


def images(root: str | Path, split: str = "train") -> ImageSet:
    """Open a folder with a subfolder of images per class; see `evoscope.data.folder.open_folder`."""
    return open_folder(Path(root).expanduser(), split)


def network(
    module: nn.Module,
    pixels: int = 224,
    layers: Sequence[str] = (),
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406),
    std: tuple[float, float, float] = (0.229, 0.224, 0.225),
    name: str = "network",
) -> Network:
    """A module that classifies images, with its layers and its preprocessing; it is put into eval mode.

    Parameters
    ----------
    module : takes [images, 3, pixels, pixels], gives logits [images, classes].
    layers : dotted names of those whose channels are the neurons; found by themselves unless given.
    mean, std : of the normalisation, for RGB between 0 and 1.

    Raises
    ------
    EvoscopeError : a layer does not exist or is no map, or the module does not take such images.
    """
    return listed(name, module.eval(), Preprocessing(pixels, mean, std), layers)


def stimuli(network: Network, images: ImageSet, k: int = 20) -> Stimuli:
    """The ``k`` images that excite each neuron most, by one pass over ``images`` (ConceptEvo, step 1.1)."""
    return activation_pass(network, images, k=k, responsive=20, responsive_rule="standardised").stimuli


def stimuli_table(found: Stimuli) -> pd.DataFrame:
    """One row per neuron and rank, with ``neuron``, ``layer``, ``channel``, ``image`` and ``value``.

    ``row`` and ``column`` are shares of the image's height and width: the middle of the cell that is excited most.
    """
    index, (neurons, ranks) = found.neurons, np.nonzero(found.images >= 0)
    where = cell_places(found.cells[neurons, ranks], index.grid[index.layer[neurons]])
    return pd.DataFrame(
        {
            **_names(index).iloc[neurons].reset_index().to_dict("series"),
            "rank": ranks,
            "image": np.array(found.image_ids, dtype=object)[found.images[neurons, ranks]],
            "value": found.values[neurons, ranks],
            "row": where[:, 0],
            "column": where[:, 1],
        }
    )


def _names(index: NeuronIndex) -> pd.DataFrame:
    layers = np.array(index.layers, dtype=object)[index.layer]
    names = pd.Index([index.name(row) for row in range(len(index))], name="neuron")
    return pd.DataFrame({"layer": layers, "channel": index.channel}, index=names)


@dataclass(frozen=True)
class Space:
    """A semantic space, and how it was made."""

    semantic: SemanticSpace
    protocol: SpaceProtocol

    def project(self, found: Stimuli) -> pd.DataFrame:
        """Where a network's neurons lie: one row per neuron, a column per dimension; NaN for those without a place.

        Raises
        ------
        EvoscopeError : the stimuli are of other images than the space.
        """
        placed = project(self.semantic, found, self.protocol)
        return pd.DataFrame(placed.vectors, index=_names(found.neurons).index)


def semantic_space(base: Stimuli, seed: int = 0, protocol: SpaceProtocol | None = None) -> Space:
    """The space that a base network's stimuli span (ConceptEvo, steps 1.2 and 2.1)."""
    protocol = protocol or SpaceProtocol(k=base.k)
    return Space(build_space(base, protocol, seed), protocol)


def nearest(neuron: str, places: pd.DataFrame, others: pd.DataFrame, count: int = 5) -> pd.DataFrame:
    """The neurons of ``others`` that lie nearest to a neuron of ``places``: ``cosine`` by ``neuron``, nearest first.

    Raises
    ------
    EvoscopeError : there is no such neuron, or it has no place in the space.
    """
    if neuron not in places.index:
        known = closest(neuron, map(str, places.index))
        raise EvoscopeError(f"there is no neuron {neuron!r}", f"the closest are {known}")
    query = places.loc[[neuron]].to_numpy(np.float64)
    if not np.isfinite(query).all():
        raise EvoscopeError(f"neuron {neuron!r} has no place in the space", "choose one whose stimuli it covers")
    known_places = others.dropna()
    cosines = unit_rows(known_places.to_numpy(np.float64)) @ unit_rows(query)[0]
    order = np.argsort(-cosines, kind="stable")[:count]
    return pd.DataFrame({"cosine": cosines[order]}, index=known_places.index[order])


class ConceptVectors:
    """Concept vectors of a layer: singular vectors of its pooled maps, ranked for every class (CDISCO, steps 1 to 3).

    ``directions_``: float64 [d, d] after `fit`, one per row, the largest singular value first; ``singular_values_``;
    ``classes_``: per class the directions that matter most for it, with their side and z.
    """

    def __init__(self, layer: str, protocol: DiscoveryProtocol | None = None, places: int = 5) -> None:
        self.layer = layer
        self.protocol = protocol or DiscoveryProtocol()
        self.places = places

    def fit(self, network: Network, images: ImageSet) -> "ConceptVectors":
        """Find the directions of ``network`` over ``images``.

        Raises
        ------
        EvoscopeError : there is no such layer, or its maps do not fit the memory.
        """
        with _of_classes(images, network):
            taken = latent_pass(network, images, [self.layer], quantities=[self.protocol.evidence])
        found = discover(taken.of(self.layer), taken.outcomes, self.protocol)
        self.directions_ = found.basis.directions
        self.singular_values_ = found.basis.strengths
        self._centre = found.basis.centre
        self.classes_ = self._of_classes(found, images)
        return self

    def transform(self, network: Network, images: ImageSet) -> Floats:
        """Scores of images along the directions, float32 [images, d]."""
        features = latent_pass(network, images, [self.layer]).of(self.layer).rows("features")
        return np.asarray((features - self._centre) @ self.directions_.T, dtype=np.float32)

    def fit_transform(self, network: Network, images: ImageSet) -> Floats:
        """Fit, then score the same images."""
        return self.fit(network, images).transform(network, images)

    def _of_classes(self, found: Discovery, images: ImageSet) -> pd.DataFrame:
        best, side = found.ranking.best(self.places)
        classes, place = np.nonzero(best >= 0)
        which = best[classes, place]
        return pd.DataFrame(
            {
                "class": np.array(images.class_names, dtype=object)[classes],
                "place": place,
                "direction": which,
                "side": side[classes, place],
                "z": found.ranking.z[classes, which],
            }
        )


def importance(before: Network, after: Network, images: ImageSet, label: str) -> pd.DataFrame:
    """How each neuron's evolution matters for a class (ConceptEvo, importance of an evolution), most important first.

    Columns ``layer``, ``channel``, ``score`` (share of the class's images whose logit it raises), ``mean``
    (sensitivity, in logits) and ``q`` (false discovery rate of the sign test), by ``neuron``.

    Raises
    ------
    EvoscopeError : no such class, or two networks that are not states of one.
    """
    number = _label(images, label)
    with _of_classes(images, before, after):
        found = importance_on(make_pair(before, after), of_class(images, number), number)
    rows = _names(found.neurons).assign(score=found.score, mean=found.mean, q=significance(found)[1])
    return rows.sort_values(["score", "mean"], ascending=False, kind="stable")


def reversal(
    before: Network,
    after: Network,
    images: ImageSet,
    label: str,
    important: pd.DataFrame,
    draws: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy that a class loses when evolutions are taken back, a quarter of every layer at a time, layer by layer.

    ``important`` is a table of `importance`. Columns ``top1`` and ``top5``, mean change over the layers, by
    ``condition``: the most important quarter to the least, and ``random`` quarters (mean of ``draws``).

    Raises
    ------
    EvoscopeError : no such class, a table of other neurons, or two networks that are not states of one.
    """
    number, pair = _label(images, label), make_pair(before, after)
    index = NeuronIndex.of(pair.shapes)
    names = _names(index).index
    if set(names) != set(important.index):
        raise EvoscopeError(
            "the table of importance is of other neurons", "make it by evoscope.importance of the same networks"
        )
    rows, rule = important.loc[names], BinRule()
    conditions = Conditions(
        bins=bins_of_all(index.layer, rows["score"].to_numpy(), rows["mean"].to_numpy(), rule)[None],
        layer=index.layer,
        layers=pair.layers,
        rule=rule,
        draws=draws,
        random="fixed",
        seed=seed,
    )
    with _of_classes(images, before, after):
        counts = count_correct(pair, conditions, of_class(images, number), number, together=False).assign(label=number)
    drops = {
        metric: class_drops(counts, metric, pair.layers).groupby("condition")["drop"].mean()
        for metric in ("top1", "top5")
    }
    return pd.DataFrame(drops).loc[[*BIN_NAMES, "random"]]


@contextmanager
def _of_classes(images: ImageSet, *networks: Network) -> Iterator[None]:
    """Meanwhile the networks give the logits of the images' classes alone, in their order."""
    with ExitStack() as stack:
        for each in networks:
            with torch.no_grad():
                count = each.module(blank(each)).shape[1]
            found = map_outputs(images.class_names, count)
            if found.problem:
                raise EvoscopeError(
                    f"which output of {each.name} is which class is not known: {found.problem}",
                    "wrap the module so that it returns one logit per class folder, in alphabetical order",
                )
            if found.outputs:
                hook = each.module.register_forward_hook(ChosenOutputs(found.outputs))
                stack.callback(hook.remove)
        yield


def _label(images: ImageSet, label: str) -> int:
    if label not in images.class_names:
        known = closest(label, images.class_names)
        raise EvoscopeError(f"there is no class {label!r}", f"the closest are {known}")
    return images.class_names.index(label)
