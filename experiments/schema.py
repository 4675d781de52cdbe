"""Typed schemas of the configuration: a wrong key or value is refused before any work."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

PAPER = "paper"  # the networks of the papers, which are meant where none is named


class Action(Enum):
    """What ``experiment=store`` does."""

    list = "list"
    verify = "verify"
    prune = "prune"
    adopt = "adopt"


class Stale(Enum):
    """What happens to an artefact that other code than the present made."""

    warn = "warn"
    recompute = "recompute"
    ignore = "ignore"


# The run that spans the space unless another is named: the paper's.
BASE = "vgg19"
# `raise` is a keyword, so this enumeration cannot be written as a class.
OnError = Enum("OnError", {"raise": "raise", "skip": "skip"})


@dataclass
class DataConfig:
    """Which images. ``null`` counts mean all there are.

    ``concepts``: a CSV file of labels (`evoscope.data.labels`), ``classes``: the classes are what is known, or
    ``planted``: marks are put on the images (`evoscope.data.planted`).
    """

    name: str = MISSING
    root: str = "data"
    classes: int | None = None
    train_images: int | None = None
    test_images: int | None = None
    per_class: int | None = None
    pool_images: int | None = None
    pool_fraction: float | None = None
    val_fraction: float = 0.2
    confounder: float | None = None
    download: bool = False
    concepts: str | None = None
    on_error: OnError = MISSING


@dataclass
class ModelConfig:
    """Which network: a name of torchvision's or a ``factory``, and where its checkpoints are if it has any.

    ``checkpoints``: a pattern with ``{epoch}``, a folder, or ``as_built``: the network as its constructor leaves it;
    ``weights``: a file, a folder of Hugging Face, or a name of torchvision's. What is ``null`` is the network's own
    where that is known (`experiments.own_networks`).
    ``outputs``: which output is which class, where neither names nor numbers say it (`evoscope.models.outputs`).
    """

    name: str = MISSING
    width: float | None = None
    pixels: int | None = None
    depth: float = 1.0
    dropout: float | None = None
    layer_scale: float | None = None
    weights: str | None = None
    outputs: Any = None
    factory: str | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    checkpoints: str | None = None
    strip_prefix: str = ""
    state_dict_key: str | None = None
    layers: list[str] = field(default_factory=list)
    mean: list[float] | None = None
    std: list[float] | None = None
    fit: str | None = None
    crop_fraction: float | None = None


@dataclass
class TrainingConfig:
    """How a network is trained; ``null`` takes the value of the run's own recipe, or the library's where it has none.

    ``keep``: which checkpoints stay on disk, ``all`` or those ``looked`` at (and the first and the last).
    """

    name: str | None = None
    optimizer: str | None = None
    lr: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    batch_size: int | None = None
    epochs: int | None = None
    precision: str | None = None
    on_divergence: str | None = None
    eval_images: int | None = None
    channels_last: bool | None = None
    keep: str | None = None


@dataclass
class RunConfig:
    """One training run: a network, its recipe, and the epochs that are looked at (``null``: the scale's).

    ``stages``: epochs early, in the middle and late, between which evolutions are judged (``null``: by accuracy).
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    epochs: list[int] | None = None
    stages: list[int] | None = None


@dataclass
class NetworkConfig(ModelConfig):
    """A network of a file of networks (``runs=FILE.yaml``): a model, and its training where it is to be trained.

    ``epochs``: which of its checkpoints are looked at (``null``: four of them).
    """

    training: TrainingConfig = field(default_factory=TrainingConfig)
    epochs: list[int] | None = None


@dataclass
class StampedScale:
    """The network, recipe and scenes of ``experiment=outlier_discovery``."""

    model: str = MISSING
    width: float = MISSING
    pixels: int = MISSING
    recipe: str = MISSING
    lr: float = MISSING
    classes: int = MISSING
    train_images: int | None = MISSING
    test_images: int | None = MISSING


@dataclass
class QuickScale:
    """The counts of ``experiment=quickstart``."""

    train_images: int | None = MISSING
    test_images: int | None = MISSING
    classes: int = MISSING
    epochs: int = MISSING
    look_at: list[int] = MISSING
    importance_classes: int = MISSING


@dataclass
class ScaleConfig:
    """How much of everything; see the table in the README.

    ``threads``: of each process where the paper's networks are looked at, unless the job says another number.
    """

    name: str = MISSING
    threads: int | None = None
    train_images: int | None = MISSING
    test_images: int | None = MISSING
    real_train_images: int | None = MISSING
    classes: int = MISSING
    pixels: int = MISSING
    inception_pixels: int = MISSING
    convnext_pixels: int = MISSING
    width: float = MISSING
    vgg_norm: str = MISSING
    layer_scale: float | None = MISSING
    convnext_width: float = MISSING
    convnext_depth: float = MISSING
    epochs: int = MISSING
    slow_epochs: int = MISSING
    look_at: list[int] = MISSING
    pool_fraction: float | None = MISSING
    seeds: int = MISSING
    map: str = MISSING
    skipgram_epochs: int = MISSING
    image_sweeps: int = MISSING
    bootstrap: int = MISSING
    sweep_pools: list[int] = MISSING
    sweep_ks: list[int] = MISSING
    importance_classes: int = MISSING
    importance_images: int = MISSING
    importance_samples: int = MISSING
    random_draws: int = MISSING
    reversal_images: int | None = MISSING
    latent_images: int | None = MISSING
    ablated_images: int = MISSING
    resamples: int = MISSING
    stamp_probabilities: list[float] = MISSING
    stamp_seeds: int = MISSING
    stamp_epochs: int = MISSING
    stamped: StampedScale = field(default_factory=StampedScale)
    quick: QuickScale = field(default_factory=QuickScale)


@dataclass
class ProtocolConfig:
    """One option per step of the methods.

    ``listing``: which layers count (``once``, ``released``, ``v1``); ``space_listing``: which count for stimuli and the
    space (also ``convolutions``, before an in-place ReLU); ``patch_centre``: where example patches are cut
    (``centre`` or ``corner`` of the arg-max cell); ``space``, ``discovery``, ``reversal``: arguments of
    `evoscope.space.SpaceProtocol`, `evoscope.discovery.DiscoveryProtocol` and `evoscope.evolution.ReversalProtocol`,
    which check them.
    """

    name: str = MISSING
    listing: str = MISSING
    space_listing: str = MISSING
    patch_centre: str = MISSING
    space: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    reversal: dict[str, Any] = field(default_factory=dict)


@dataclass
class EvolutionConfig:
    """Which evolutions are judged, and for which classes.

    ``pairs``: epochs from and to; ``null`` takes those of the run, or the first epochs whose training accuracy
    reaches ``thresholds``; ``classes``: names or numbers; ``null`` takes as many as the scale says; ``batch``: images
    at a time that importance takes, which changes last bits (``null``: as the network's size wants it); ``together``:
    whether all layers are reverted at once too; ``trade``: whether what other classes pay is measured too.
    """

    pairs: list[list[int]] | None = None
    classes: list[str] | None = None
    thresholds: list[float] = field(default_factory=lambda: [0.38, 0.62, 0.80])
    together: bool = True
    trade: bool = True
    batch: int | None = None


@dataclass
class DiscoveryConfig:
    """Where concept vectors are sought, and what they are compared with (CDISCO).

    ``layer``: dotted name, or several in brackets (``null``: the network's own, see `experiments.selection`);
    ``epoch``: ``null`` is the last
    that is looked at; ``classes``: shown, names or numbers (``null``: as many as the scale says for importance);
    ``methods``: of `evoscope.discovery.methods.METHODS` (``null``: all), or ``package.module:name``; ``evolution``:
    whether concept vectors are followed over the epochs; ``blind``: boards per method to judge without knowing whose
    they are; ``judged``: CSV of these judgements.
    """

    layer: Any = None
    epoch: int | None = None
    classes: list[str] | None = None
    methods: list[str] | None = None
    evolution: bool = True
    blind: int = 0
    judged: str | None = None


@dataclass
class OutlierConfig:
    """Confounders to plant and outliers to find (CDISCO's stamps).

    ``classes``: two names or numbers (``null``: tench and church where there are such, else the first two);
    ``probabilities``: of a stamp redrawn at random (``null``: the scale's); ``mislabelled``: share of training labels
    flipped, in the second part; ``neighbours``, ``concepts``: of the scores.
    """

    classes: list[str] | None = None
    probabilities: list[float] | None = None
    mislabelled: float = 0.05
    neighbours: int = 10
    concepts: int = 3


@dataclass
class TabularConfig:
    """Which table: ``compas`` below ``data.root``, a CSV at ``path`` with a ``target`` column, or scikit-learn's own.

    ``protected``: columns shown apart; ``hidden``, ``epochs``, ``lr``, ``batch_size``: of the network.
    """

    name: str = "auto"
    path: str | None = None
    target: str = "risk"
    protected: list[str] = field(default_factory=lambda: ["race", "sex_Female", "age"])
    hidden: list[int] = field(default_factory=lambda: [100, 100])
    epochs: int = 100
    lr: float = 0.001
    batch_size: int = 32


@dataclass
class StudyConfig:
    """Which human studies are generated.

    ``kinds`` (``null``: all); ``participants``: how many; ``export``: for which platforms; ``host``: the
    address at which the studies are served, or the exported pictures lie; ``items``: how many each condition must
    have at least (fewer than 60 are said in any case).
    """

    kinds: list[str] | None = None
    participants: int = 40
    items: int = 0
    export: list[str] = field(default_factory=list)
    host: str = ""


@dataclass
class ExplorerConfig:
    """What the explorer shows beside neurons: ``importance`` for classes, and ``concepts`` (concept vectors).

    ``null``: where the store has them; ``true``: computes what is missing.
    """

    importance: bool | None = None
    concepts: bool | None = None


@dataclass
class Config:
    """The whole configuration of one job.

    ``regions``: a file of regions that the explorer saved; ``only``: results that are drawn, ``null``: all.
    """

    task: str | None = None
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    workers: int | None = None
    processes: int | None = None
    memory_mb: int = 2048
    store: str = "store"
    outputs: str = "outputs"
    dry_run: bool = False
    stale: Stale = Stale.warn
    progress: bool = True
    base: str = BASE
    networks: str | None = None
    brought: dict[str, NetworkConfig] = field(default_factory=dict)
    epochs: list[int] | None = None
    action: Action = Action.list
    older_than_days: float = 0.0
    runs: dict[str, RunConfig] = field(default_factory=dict)
    protocols: dict[str, ProtocolConfig] = field(default_factory=dict)
    evolution: EvolutionConfig = field(default_factory=EvolutionConfig)
    discovery: DiscoveryConfig = field(default_factory=DiscoveryConfig)
    outlier: OutlierConfig = field(default_factory=OutlierConfig)
    tabular: TabularConfig = field(default_factory=TabularConfig)
    study: StudyConfig = field(default_factory=StudyConfig)
    explorer: ExplorerConfig = field(default_factory=ExplorerConfig)
    regions: str | None = None
    only: list[str] | None = None
    data: DataConfig = MISSING
    model: ModelConfig = MISSING
    training: TrainingConfig = MISSING
    scale: ScaleConfig = MISSING
    protocol: ProtocolConfig = MISSING


def brought(model: ModelConfig) -> bool:
    """Whether a network is the user's: by a function, checkpoints or weights of its own."""
    return any(each is not None for each in (model.factory, model.checkpoints, model.weights))


def of_paper(config: Config) -> bool:
    """Whether the job is about the paper's networks: none is named."""
    return config.model.name == PAPER and not brought(config.model) and not (config.networks or config.brought)


def threads_of(config: Config) -> int | None:
    """Threads of each process: as told, or as the scale says of the paper's networks, or the libraries' choice (none).

    Small networks gain nothing from a second thread, and with one their results do not depend on the machine's cores.
    """
    return config.scale.threads if config.threads is None and of_paper(config) else config.threads


def register() -> None:
    """Make the schema known to Hydra under the name that ``conf/config.yaml`` starts from."""
    ConfigStore.instance().store(name="schema", node=Config)
