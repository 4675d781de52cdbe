"""Exhibits: the artefacts that figures are drawn from, so that drawing never computes.

Everything a picture shows is decided here once (which neurons, which patches, where they lie) and saved with the other
artefacts; `results` only arranges it on paper.
"""

from dataclasses import dataclass

import pandas as pd

from evoscope.arrays import Bools, Bytes, Floats

BIN_NAMES = ("bin1", "bin2", "bin3", "bin4")
"""Conditions of the reversal: quarters of a layer's neurons that are put back, the most important for a class first."""
NEVER = -2
"""Epoch of what does not happen (-1 is before training)."""
AS_IT_IS = -3
"""Epoch of a network of which one state is known, such as published weights."""


@dataclass(frozen=True)
class NeuronMap:
    """Every projected neuron in two dimensions.

    ``neurons``: one row per neuron of a run at an epoch: ``run`` (str), ``epoch`` (-1: before training),
    ``layer`` (str), ``channel``, ``x``, ``y`` (NaN: unplaced), ``coverage`` (share of its stimuli that the base
    covers), ``status`` (`Status`), ``concept`` (its true concept, "" where none is known or clear), ``base``
    (bool, a neuron of the base model);
    ``method``: ``umap`` or ``pca``.
    """

    neurons: pd.DataFrame
    method: str


@dataclass(frozen=True)
class Alignment:
    """Regions of the map where neurons of several models meet (ConceptEvo's alignment figure).

    ``regions``: ``region`` ("A"...), ``title`` (what the patches show: a concept, two at one place, or a class),
    ``chance`` (share of any neurons' patches that show it), ``candidates`` (tight regions looked at), ``clear`` (those
    of them where every model shows one thing), ``x``, ``y``, ``radius`` (map units);
    ``members``: the neurons shown: ``region``, ``run``, ``epoch``, ``layer``, ``channel``, ``x``, ``y``,
    ``concept``, ``coverage``, ``share`` (of its patches that show the title);
    ``patches``: uint8 [members, patches, side, side, 3], each member's example patches, most exciting first.
    Regions chosen by hand have no ``chance``, ``candidates``, ``clear`` and ``share``.
    """

    regions: pd.DataFrame
    members: pd.DataFrame
    patches: Bytes


@dataclass(frozen=True)
class Evolution:
    """Chosen neurons followed over the epochs (ConceptEvo's concept evolution figure).

    ``steps``: one row per neuron and epoch: ``run``, ``layer``, ``channel``, ``epoch``, ``x``, ``y``,
    ``concept`` (at that epoch, "" unlabelled), ``measured`` (the one concept or class that it is followed by, ""
    none), ``value`` (how well it tells that one; NaN unknown), ``by`` (what the value is: held-out ``AUC``, or
    ``share`` of its ten most exciting images), ``moved`` (distance in the space since the epoch before), ``status``;
    sorted by run, neuron, epoch;
    ``patches``: uint8 [rows of steps, patches, side, side, 3].
    """

    steps: pd.DataFrame
    patches: Bytes


@dataclass(frozen=True)
class TrainingCurves:
    """Accuracy of every run at every epoch.

    ``curves``: ``run``, ``seed``, ``epoch`` (-1: before training), ``train_top1``, ``train_top5``,
    ``test_top1``, ``test_top5``, ``train_loss``, ``test_loss``, ``diverged``; ``classes``: number of classes
    (chance is one over it).
    """

    curves: pd.DataFrame
    classes: int


@dataclass(frozen=True)
class Table:
    """Any table of numbers with their intervals, one measurement per row."""

    rows: pd.DataFrame


@dataclass(frozen=True)
class SceneSheet:
    """What the drawn scenes look like and how hard they are for simple classifiers.

    ``images``: uint8 [scenes, side, side, 3], one per class or more, with ``titles`` (class names);
    ``mask_images``: uint8 [masks, side, side, 3], one scene with the mask of one of its concepts shown on it
    each (the first may be the scene itself), with ``mask_titles`` (concept names);
    ``difficulty``: ``classifier``, ``accuracy`` on held-out scenes with ``low`` and ``high`` (95 % interval;
    NaN unknown).
    """

    images: Bytes
    titles: tuple[str, ...]
    mask_images: Bytes
    mask_titles: tuple[str, ...]
    difficulty: pd.DataFrame


@dataclass(frozen=True)
class ImportantEvolutions:
    """The evolutions that matter most for some classes (ConceptEvo's pictures of important evolutions).

    ``neurons``: one row per neuron: ``run``, ``from_epoch``, ``to_epoch``,
    ``class_name``, ``layer``, ``channel``, ``score`` (share of images that the evolution helps), ``mean`` (mean
    sensitivity, logits), ``q`` (false discovery rate), ``concept_before``, ``concept_after`` ("" where none is known
    or clear), ``x_before``, ``y_before``, ``x_after``, ``y_after`` (map; NaN: unplaced), ``moved`` (distance in the
    space);
    ``before``, ``after``: uint8 [rows, patches, side, side, 3], what excites the neuron most at either epoch;
    ``images``: uint8 [rows, images, side, side, 3], images of the class on which the evolution raised the logit most;
    ``heat``: float32 [rows, images, side, side], each place's part of the sensitivity on them, in logits.
    """

    neurons: pd.DataFrame
    before: Bytes
    after: Bytes
    images: Bytes
    heat: Floats


@dataclass(frozen=True)
class ConceptBoards:
    """The concept vectors of some classes, and the images that show them (CDISCO's boards).

    ``concepts``: one row per concept shown: ``run``, ``epoch`` (-1: before training), ``layer``, ``class_name``,
    ``label`` (class it is a candidate of), ``direction`` (index in the basis), ``side`` (+1 or -1), ``z`` (how far
    the class is above the others), ``derivative`` (mean change of the class logit per unit along the vector),
    ``positive_share`` (of the images of the class), ``singular_value``, ``energy_share`` (of the sum of squares),
    ``aligned`` (largest component by size, with its sign), ``clusters`` (unique concepts it holds), ``concept``
    (true concept it tells best, "" where none is known or clear), ``auc`` (held out, of that concept; NaN unknown),
    ``predicted_count`` (images in its row of ``predicted``; further ones are blank), ``right`` (share of all images
    predicted as the class that are of it);
    ``images``: uint8 [rows, 4, side, side, 3], the most activating images, most first;
    ``heat``: float32 [rows, 4, side, side], concept maps of them, interpolated bilinearly;
    ``segments``: bool, the same shape, pixels above the protocol's percentile of their map;
    ``predicted``: uint8 [rows, 10, small, small, 3], images drawn at random from those
    predicted as the class.
    """

    concepts: pd.DataFrame
    images: Bytes
    heat: Floats
    segments: Bools
    predicted: Bytes


@dataclass(frozen=True)
class StudySheet:
    """One trial of each human study, as participants see it.

    ``trials``: one row per study: ``kind``, ``condition``, ``question``, ``choose`` (bool, a panel is chosen),
    ``texts`` and ``options`` (one per line), ``option_question``, ``answer`` (position of the right panel or option,
    -1: none), ``panels``, ``pictures`` (of each panel), ``first`` (of its pictures);
    ``pictures``: uint8 [pictures, side, side, 3], trial by trial and panel by panel.
    """

    trials: pd.DataFrame
    pictures: Bytes


@dataclass(frozen=True)
class ConceptEvolution:
    """Concept vectors of some runs' last epochs, found again at earlier ones through the unified space.

    ``steps``: one row per direction, side and epoch, sorted by run, direction, side (+1 first), epoch: ``run``,
    ``layer``, ``direction`` (index at the last epoch), ``side`` (+1 or -1), ``class_name`` (classes whose first
    candidate it is, "" none), ``concept`` (true concept it tells best at the last epoch, "" none known or clear),
    ``epoch`` (-1: before training), ``matched_direction``, ``matched_side`` (at that epoch; -1 and 0: none),
    ``similarity`` (cosine in the space), ``null95`` (the larger of the two nulls' 95th percentiles), ``null_random``,
    ``null_permuted``, ``channel_cosine``, ``shared_stimuli`` (share), ``distance`` (in the space to its last place),
    ``reach`` (distance that another draw of the images makes), ``x``, ``y`` (on the neuron map), ``auc`` (held out, of
    the matched direction for ``concept``), ``energy_share`` (of the sum of squares), ``appears``, ``settles`` (epochs,
    or `NEVER`; see `evoscope.discovery.following.Following`), ``shown`` (bool, it has boards). Not a number:
    not matched, unplaced or unknown;
    ``summary``: one row per run and epoch: ``run``, ``layer``, ``epoch``, ``directions`` (followed), ``concepts``
    (their sides), ``appeared``, ``appeared_low``, ``appeared_high``, ``settled``, ``settled_low``, ``settled_high``
    (shares of concepts by that epoch, bootstrap over directions), and medians over concepts of ``similarity``,
    ``null95`` (with ``null_low``, ``null_high``, its 5th and 95th percentile), ``channel_cosine``, ``shared_stimuli``;
    ``boards``: uint8 [shown rows of steps in their order, images, side, side, 3], the most activating images.
    """

    steps: pd.DataFrame
    summary: pd.DataFrame
    boards: Bytes


@dataclass(frozen=True)
class Crosscoder:
    """One sparse dictionary per run over all epochs that are looked at.

    ``entries``: one row per entry that an image uses: ``run``, ``layer``, ``entry``, ``used`` (share of the images),
    ``birth``, ``death`` (epochs, -1: before training), ``turn`` (epoch, or `NEVER`), ``concept`` (true concept that its
    code tells best, "" none known or clear), ``auc`` (held out, of that concept; NaN unknown);
    ``steps``: one row per entry and epoch: ``run``, ``layer``, ``entry``, ``epoch``, ``norm`` (of its decoder, as a
    share of its longest), ``cosine`` (to the epoch before; NaN: the first);
    ``summary``: one row per run and epoch: ``run``, ``layer``, ``epoch``, ``explained`` (share of the held-out
    variance), ``low``, ``high`` (95 %, over images), ``active`` (entries an image uses, mean), ``present``, ``born``,
    ``turned``, ``died`` (entries), ``dead`` (entries that no image uses).
    """

    entries: pd.DataFrame
    steps: pd.DataFrame
    summary: pd.DataFrame


@dataclass(frozen=True)
class TabularConcepts:
    """Concepts of networks for a table, one network per seed.

    ``data``: name of the table; ``columns``: its inputs; ``protected``: those that tell people apart; ``shown``: the
    class whose predicted share is compared between groups;
    ``networks``: ``seed``, ``train_accuracy``, ``test_accuracy``, ``largest_class`` (share of the test rows),
    ``shown_share`` (of the predictions), ``train_rows``, ``test_rows``;
    ``concepts``: half of them by the largest z, then by singular value, within a ``seed`` and ``layer``:
    ``direction`` (place by singular value), ``class_name`` with the largest ``z``, ``share`` (of the layer's variance),
    ``accuracy_change`` when it is projected out with ``low``, ``high``, and the same for ``random`` directions of equal
    variance (``random_low``, ``random_high``), ``again`` (largest |correlation| with a concept of another network, mean
    over those; NaN: a single network);
    ``correlations``: of the test rows' scores with the inputs: ``seed``, ``layer``, ``direction``, ``column``,
    ``protected``, ``value`` (NaN: does not vary), ``low``, ``high``, ``p`` and ``chance`` (see
    `evoscope.stats.Correlated`), ``random`` (median of the largest |correlation| of random directions);
    ``gaps``: share predicted ``shown`` above the ``cut`` of a protected ``column`` minus that below: ``gap``,
    ``gap_without`` the direction, ``change`` with ``low``, ``high``, and the middle of the ``random`` ones;
    ``inputs``: for each protected ``column`` the ``other`` input with the largest correlation (``value``).
    """

    data: str
    columns: tuple[str, ...]
    protected: tuple[str, ...]
    shown: str
    networks: pd.DataFrame
    concepts: pd.DataFrame
    correlations: pd.DataFrame
    gaps: pd.DataFrame
    inputs: pd.DataFrame


@dataclass(frozen=True)
class OutlierBoards:
    """The training images that a concept score ranks first as outliers of their class (CDISCO's stamps).

    ``rows``: one per image, best first within a board: ``setting`` (``stamp`` or ``mislabelled``), ``data``,
    ``classes``, ``run``, ``layer``, ``p`` (probability of a redrawn stamp, or share of wrong labels), ``seed``,
    ``class_name`` (of the label), ``place`` (0 first), ``score``, ``outlier`` (the truth), ``id``, ``of`` (training
    images with that label), ``outliers`` (among those);
    ``images``: uint8 [rows, side, side, 3].
    """

    rows: pd.DataFrame
    images: Bytes


@dataclass(frozen=True)
class BlindBoards:
    """Boards of images for judging whether they show one thing, without knowing whose they are.

    ``boards``: ``board`` (number on the sheet), ``run``, ``layer``, ``method``, ``direction``, ``side``, ``share`` (of
    the commonest class among the images), ``one_thing`` (the judgement; null: not judged);
    ``images``: uint8 [boards, images, side, side, 3], most exciting first; ``sheet``: code of these boards.
    """

    boards: pd.DataFrame
    images: Bytes
    sheet: str


@dataclass(frozen=True)
class ConceptSplit:
    """One direction that holds several unique concepts (CDISCO's step from a direction to concepts).

    ``facts``: one row: ``run``, ``layer``, ``epoch``, ``classes`` (whose first candidate it is), ``direction``,
    ``side``, ``from`` (score of the least of its most activating images), ``several`` of the ``sought`` directions hold
    more than one unique concept (none: only these two);
    ``histogram``: ``left``, ``right``, ``images``, of the scores of all images; ``points``: the most activating images
    on two axes, ``x``, ``y``, with their ``concept`` (from 1; 0: none);
    ``concepts``: ``concept``, ``size``, ``title`` (what it shows more often than all images do), ``share`` of its
    images and of images ``everywhere`` that show it;
    ``images``: uint8 [concepts, images, side, side, 3]; ``heat``, ``segments``: their concept maps, and pixels above
    the published percentile of them.
    """

    facts: pd.DataFrame
    histogram: pd.DataFrame
    points: pd.DataFrame
    concepts: pd.DataFrame
    images: Bytes
    heat: Floats
    segments: Bools
