"""Every figure and table: its module, the paper it comes from, what it shows, what it reads and what it leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

from evoscope.errors import EvoscopeError
from results import (
    fig_alignment,
    fig_clusters,
    fig_concept_evolution,
    fig_concept_relevance,
    fig_concept_spectrum,
    fig_concept_truth,
    fig_concepts,
    fig_coverage,
    fig_discovery,
    fig_evolution,
    fig_important,
    fig_metrics,
    fig_outlier_boards,
    fig_outliers,
    fig_reversal,
    fig_scenes,
    fig_stamp_accuracy,
    fig_studies,
    fig_tabular,
    fig_training,
    table_behaviour,
    table_clusters,
    table_concept_evolution,
    table_concept_relevance,
    table_concept_truth,
    table_importance,
    table_metrics,
    table_outliers,
    table_popularity,
    table_protocols,
    table_reversal,
    table_spectrum,
    table_stamp_accuracy,
    table_studies,
    table_tabular,
    table_training,
    table_wrong_side,
)
from results.about import About
from results.drawing import FigureModule, draw_figure
from results.reading import Exhibits

PICTURE = (".png", ".svg", ".md")
TABLE = (".csv", ".md")


class TableModule(Protocol):
    """What a module of a table offers."""

    ID: str
    TITLE: str
    READS: tuple[str, ...]

    def draw(self, exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
        """Write the table into ``folder`` and return its files."""
        ...


@dataclass(frozen=True)
class Entry:
    """One figure or table: ``paper`` it reproduces (or ``Evoscope``), what it ``shows``, file ``endings`` it leaves."""

    module: FigureModule | TableModule
    paper: str
    shows: str
    endings: tuple[str, ...]

    @property
    def id(self) -> str:
        """Name of the result and stem of its files."""
        return self.module.ID

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the exhibits it needs."""
        return self.module.READS

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of its files."""
        return tuple(self.id + ending for ending in self.endings)

    def draw(self, exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
        """Write the result into ``folder`` and return its files."""
        if isinstance(self.module, FigureModule):
            return draw_figure(self.module, exhibits, about, folder)
        return self.module.draw(exhibits, about, folder)


ENTRIES: tuple[Entry, ...] = (
    Entry(fig_alignment, "ConceptEvo", "regions of one map where models meet, with example patches", PICTURE),
    Entry(fig_discovery, "ConceptEvo", "the map under three ways of training VGG16", PICTURE),
    Entry(fig_evolution, "ConceptEvo", "chosen neurons over the epochs", PICTURE),
    Entry(fig_reversal, "ConceptEvo", "accuracy when neurons are put back to an earlier epoch", PICTURE),
    Entry(fig_important, "ConceptEvo", "evolutions that matter most for a class", PICTURE),
    Entry(fig_training, "ConceptEvo", "accuracy of every run at every epoch", PICTURE),
    Entry(fig_metrics, "Evoscope", "alignment metrics with intervals and nulls", PICTURE),
    Entry(fig_coverage, "Evoscope", "concept purity against coverage, per protocol", PICTURE),
    Entry(fig_scenes, "Evoscope", "the drawn scenes, their concepts and their difficulty", PICTURE),
    Entry(fig_tabular, "CDISCO", "concepts of a table's network against its inputs", PICTURE),
    Entry(table_metrics, "Evoscope", "alignment metrics", TABLE),
    Entry(table_protocols, "Evoscope", "protocols side by side", TABLE),
    Entry(table_behaviour, "ConceptEvo", "whether the runs behave as published", TABLE),
    Entry(table_reversal, "ConceptEvo", "reversal beside the published values", TABLE),
    Entry(table_importance, "Evoscope", "importance against the concepts that define a class", TABLE),
    Entry(
        table_tabular, "CDISCO", "concepts of a table's networks, and gaps between groups of people", TABLE
    ),
    Entry(table_training, "ConceptEvo", "accuracy after training", TABLE),
    Entry(
        fig_concepts,
        "CDISCO",
        "each class's concept vector, the images that excite it most, and where",
        PICTURE,
    ),
    Entry(fig_concept_spectrum, "CDISCO", "singular values of a layer and alignment with neurons", PICTURE),
    Entry(fig_clusters, "CDISCO", "unique concepts per direction by method, and by singular value", PICTURE),
    Entry(
        fig_concept_relevance, "Evoscope", "what a class loses without its concept, against random", PICTURE
    ),
    Entry(fig_concept_truth, "Evoscope", "ways to find concepts against the true ones", PICTURE),
    Entry(table_clusters, "CDISCO", "unique concepts per direction beside the published counts", TABLE),
    Entry(table_popularity, "CDISCO", "directions that are the concept of several classes", TABLE),
    Entry(table_concept_relevance, "Evoscope", "relevance and stability of every class's concept", TABLE),
    Entry(table_spectrum, "CDISCO", "energy of directions and how many nearly are neurons", TABLE),
    Entry(table_wrong_side, "Evoscope", "whether the direction ranked as released is the one shown", TABLE),
    Entry(table_concept_truth, "Evoscope", "ways to find concepts against the true ones", TABLE),
    Entry(fig_concept_evolution, "Evoscope", "concept vectors over training in the unified space", PICTURE),
    Entry(table_concept_evolution, "Evoscope", "concept vectors that appear and settle by each epoch", TABLE),
    Entry(fig_studies, "Evoscope", "a trial of each human study", PICTURE),
    Entry(table_studies, "Evoscope", "sizes and power of the human studies", TABLE),
    Entry(fig_outliers, "CDISCO", "how well scores find outliers among the training images", PICTURE),
    Entry(fig_outlier_boards, "CDISCO", "training images that the concept score ranks first", PICTURE),
    Entry(fig_stamp_accuracy, "CDISCO", "accuracy with and without a confounding stamp", PICTURE),
    Entry(table_outliers, "CDISCO", "scores of outliers, and differences from loss and confidence", TABLE),
    Entry(table_stamp_accuracy, "CDISCO", "accuracy with and without a confounding stamp", TABLE),
)
BY_ID = {entry.id: entry for entry in ENTRIES}


def entry(name: str) -> Entry:
    """The result called ``name``.

    Raises
    ------
    EvoscopeError : there is none.
    """
    if name not in BY_ID:
        close = get_close_matches(name, BY_ID, n=3, cutoff=0.4) or sorted(BY_ID)
        raise EvoscopeError(f"there is no figure or table '{name}'", f"choose one of {', '.join(close)}")
    return BY_ID[name]


def draw(ids: Sequence[str], exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Draw the results ``ids`` into ``folder`` and return their files.

    Raises
    ------
    EvoscopeError : an unknown result, or exhibits that are missing; before anything is drawn.
    """
    wanted = [entry(name) for name in ids]
    missing = {name: result.id for result in wanted for name in result.reads if name not in exhibits}
    if missing:
        listed = ", ".join(f"'{name}' (for {result})" for name, result in missing.items())
        raise EvoscopeError(
            f"exhibits are missing: {listed}", "run the experiment that makes them before drawing"
        )
    return [path for result in wanted for path in result.draw(exhibits, about, folder)]
