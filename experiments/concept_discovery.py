"""CDISCO: concept vectors of a layer's latent space, beside other directions, the truth and chance."""

from evoscope.errors import EvoscopeError
from evoscope.store import Node
from experiments.concept_evolution import DRAWN as EVOLUTION
from experiments.concept_evolution import evolution_exhibits
from experiments.context import Context
from experiments.discovery_protocol import compared_protocols
from experiments.runner import Plan
from experiments.runs import Run
from experiments.selection import chosen_classes, judged_runs
from experiments.stages.concept_boards import concept_boards
from experiments.stages.concept_methods import check_method, concept_methods
from experiments.stages.concept_pool import concept_pool
from experiments.stages.concept_relevance import concept_relevance
from experiments.stages.concept_spaces import latent_space
from experiments.stages.concept_tables import count_tables, gathered, popular, spectrum, wrong_side
from experiments.stages.concept_truth import concept_truth
from experiments.stages.concepts import Sought, seek
from experiments.status import Status


def run(context: Context, status: Status) -> None:
    """Seek concepts, compare them, and draw."""
    carry_out(context, plan(context), status)


def plan(context: Context) -> Plan:
    """Concepts of one layer of every run, under every protocol and by every method."""
    protocols, methods = compared_protocols(context), chosen_methods(context)
    labels = chosen_classes(context, context.config.discovery.classes, "discovery.classes")
    spaces = [latent_space(context, each) for each in judged_runs(context)]
    sought = [seek(context, space, protocols) for space in spaces]
    directions = [concept_methods(context, space, protocols, methods) for space in spaces]
    own = next(iter(protocols.values()))
    relevance = [concept_relevance(context, each, own, labels) for each in sought]
    exhibits = {
        "concepts": concept_boards(context, sought, labels),
        **count_tables(context, spaces, directions),
        "spectrum": spectrum(context, sought),
        "popularity": popular(context, sought),
        "relevance": gathered(context, "relevance", spaces, relevance),
    }
    reversed_sides = [name for name, each in protocols.items() if each.side == "columns"]
    if reversed_sides:
        exhibits["wrong_side"] = wrong_side(context, sought, reversed_sides)
    if context.data.pool.concepts is not None:
        truth = [concept_truth(context, *pair) for pair in zip(spaces, directions, strict=True)]
        exhibits["concept_truth"] = gathered(context, "concept_truth", spaces, truth)
    exhibits |= evolution_exhibits(context, spaces)
    return Plan(exhibits, drawn(exhibits))


def drawn(exhibits: dict[str, Node]) -> tuple[str, ...]:
    """Figures and tables of this experiment."""
    ids = ["fig_concepts", "fig_concept_spectrum", "fig_concept_relevance", "table_clusters", "fig_clusters"]
    ids += ["table_popularity", "table_concept_relevance", "table_spectrum"]
    ids += ["table_wrong_side"] if "wrong_side" in exhibits else []
    ids += ["fig_concept_truth", "table_concept_truth"] if "concept_truth" in exhibits else []
    ids += EVOLUTION if "concept_evolution" in exhibits else ()
    return tuple(ids)


def chosen_methods(context: Context) -> list[str]:
    """The methods asked for, each once; without the probes where no concepts are known to fit them on.

    Raises
    ------
    EvoscopeError : an unknown method, or none that the data allow.
    """
    asked = list(dict.fromkeys(context.config.discovery.methods))
    for name in asked:
        check_method(name)
    known = context.data.pool.concepts is not None
    found = [name for name in asked if known or name != "probes"]
    if not found:
        raise EvoscopeError(
            f"discovery.methods={asked} leaves no method on {context.data.pool.name}",
            "add svd; probes need images whose concepts are known",
        )
    return found


def study_concepts(context: Context, chosen: Run) -> Node:
    """Node of concepts for human studies, of one run; see `experiments.stages.concept_pool.StudyConcepts`."""
    sought: Sought = seek(context, latent_space(context, chosen), compared_protocols(context))
    return concept_pool(context, sought)
