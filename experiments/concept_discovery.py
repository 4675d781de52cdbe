"""CDISCO: concept vectors of a layer's latent space, beside other directions, the truth, chance, and over training."""

from collections.abc import Sequence
from pathlib import Path

from evoscope.data.images import ImageSet, at_most
from evoscope.discovery.dictionaries import ACTIVE, ENTRIES
from evoscope.discovery.gradients import QUANTITIES, Quantity
from evoscope.discovery.latent import require_memory
from evoscope.discovery.methods import METHODS
from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.errors import EvoscopeError
from evoscope.figure_data import BlindBoards, ConceptEvolution, Crosscoder, NeuronMap, Table
from evoscope.space.protocol import SemanticSpace
from evoscope.store import Artefact
from experiments.base import base_look, base_space, checkpoint
from experiments.context import Context
from experiments.costs import pass_cost
from experiments.protocols import discovery_protocol, protocol_names
from experiments.runner import Exhibits, Plan
from experiments.runs import Run, at
from experiments.selection import channels_of, check_epoch, chosen_classes, chosen_layers, judged_runs, require_outputs
from experiments.stages.blind_boards import MOST, blind_boards, judged_boards, read_judgements
from experiments.stages.concept_evolution import concept_evolution, concept_evolutions, persistence
from experiments.stages.concept_methods import MethodConcepts, NamedMethod, concept_methods
from experiments.stages.concept_places import ConceptPlaces, concept_places
from experiments.stages.concept_relevance import concept_boards, concept_relevance
from experiments.stages.concept_split import concept_split
from experiments.stages.concept_tables import (
    bands,
    class_readings,
    cluster_maps,
    cluster_means,
    clusters,
    gathered,
    popular_directions,
    spectrum,
    switches,
    wrong_side,
)
from experiments.stages.concept_truth import concept_truth, equal_rank, method_ranks
from experiments.stages.concepts import LayerSpace, SpaceConcepts, concepts, latents, rows_kept
from experiments.stages.crosscoder import crosscoder, crosscoders
from experiments.stages.space import neuron_map
from experiments.stages.stimuli import Look

ALWAYS = (
    *(
        "fig_concepts",
        "fig_concept_split",
        "fig_concept_spectrum",
        "fig_concept_relevance",
        "table_clusters",
        "fig_clusters",
    ),
    *("table_popularity", "table_concept_relevance", "table_spectrum"),
    *("table_equal_rank", "table_method_ranks", "table_class_ranking", "table_cluster_map"),
)


def plan(context: Context) -> Plan:
    """Concepts of one layer of every run, under every protocol and by every method."""
    config, held_out, images = context.config, context.data.test, concept_images(context)
    labels = chosen_classes(context, config.discovery.classes, "discovery.classes")
    runs = {run.name: run for run in judged_runs(context.runs)}
    spaces = [space for run in runs.values() for space in latent_spaces(context, run)]
    found = [space_concepts(context, space) for space in spaces]
    directions = [(space, method_directions(context, space)) for space in spaces]
    exhibits: Exhibits = {
        "concepts": concept_boards(found, labels, images, held_out, config.seed, context.runtime),
        "concept_split": concept_split(found, discovery_protocol(config.protocol), images),
        "clusters": clusters(directions),
        "cluster_means": cluster_means(directions, config.seed),
        "bands": bands(directions),
        "spectrum": spectrum(found, config.seed),
        "popularity": popular_directions(found, images.class_names),
        "relevance": gathered("relevance", [_relevance(context, each, labels) for each in found]),
    }
    protocol = discovery_protocol(config.protocol)
    exhibits["equal_rank"] = equal_rank(found, protocol, images, held_out, config.seed)
    exhibits["method_ranks"] = method_ranks(directions, protocol, images, held_out, config.seed)
    exhibits["class_readings"] = class_readings(found, protocol, held_out, config.seed)
    maps = [cluster_maps(space, protocol, config.seed, context.runtime) for space in spaces]
    exhibits["cluster_map"] = gathered("clusters over thresholds", maps)
    drawn = list(ALWAYS)
    if config.discovery.blind or config.discovery.judged is not None:
        exhibits["blind_boards"] = _blind_boards(context, directions)
        drawn += ["fig_blind_boards", "table_blind_boards"]
    sides = [name for name, each in compared_protocols(context).items() if each.side == "columns"]
    if sides:
        exhibits["wrong_side"] = wrong_side(found, sides, config.seed)
        exhibits["switches"] = switches(found, sides[0], compared_protocols(context)[sides[0]], config.seed)
        drawn += ["table_wrong_side", "table_concept_switches"]
    if images.concepts is not None:
        most, seed, runtime = config.scale.ablated_images, config.seed, context.runtime
        truth = [concept_truth(*pair, images, held_out, most, seed, runtime) for pair in directions]
        exhibits["concept_truth"] = gathered("concept truth", truth)
        drawn += ["fig_concept_truth", "table_concept_truth"]
    followed = [space for space in spaces if earlier_epochs(runs[space.run], space)]
    if config.discovery.evolution and followed:
        _require_one_layer(followed)
        lasting = [
            persistence(space.run, _spaces_over_time(context, runs[space.run], space), protocol, config.seed)
            for space in followed
        ]
        exhibits["persistence"] = gathered("persistence of directions", lasting)
        semantic, base, places = _base_map(context)
        exhibits["map"] = places
        exhibits["concept_evolution"] = concept_evolutions(
            [_followed(context, runs[space.run], space, semantic, places, base) for space in followed]
        )
        exhibits["crosscoder"] = crosscoders([_crosscoder(context, runs[each.run], each) for each in followed])
        drawn += ["fig_concept_evolution", "table_concept_evolution", "table_persistence"]
        drawn += ["fig_crosscoder", "table_crosscoder"]
    return Plan(exhibits, drawn)


def concept_images(context: Context) -> ImageSet:
    """The pool, or as much of it as the scale has concepts sought on (``scale.latent_images``)."""
    return at_most(context.data.pool, context.config.scale.latent_images, context.config.seed)


def compared_protocols(context: Context) -> dict[str, DiscoveryProtocol]:
    """The job's own protocol first, then the others to compare with, by name."""
    config = context.config
    own = {config.protocol.name: config.protocol}
    return {name: discovery_protocol({**config.protocols, **own}[name]) for name in protocol_names(config)}


def latent_space(context: Context, run: Run) -> LayerSpace:
    """The first of `latent_spaces`."""
    return latent_spaces(context, run)[0]


def latent_spaces(context: Context, run: Run) -> list[LayerSpace]:
    """The layers, at one epoch of a run, where the job seeks concepts.

    All quantities are kept, whatever the protocols need, so that every experiment finds the same latent space.

    Raises
    ------
    EvoscopeError : there is no such layer or epoch, or the rows of the layers do not fit the memory.
    """
    require_outputs(run)
    asked = context.config.discovery.epoch
    epoch = run.last if asked is None else asked
    check_epoch(run, epoch)
    return _spaces_at(context, run, epoch, chosen_layers(context, run), QUANTITIES)


def _spaces_at(
    context: Context, run: Run, epoch: int, layers: Sequence[str], quantities: Sequence[Quantity]
) -> list[LayerSpace]:
    """Layers at an epoch, of one pass; what is to be computed and does not fit the memory is said now."""
    images, held_out = concept_images(context), context.data.test
    state = checkpoint(context, run, epoch)
    node = latents(state, list(layers), quantities, images, held_out, context.runtime)
    if not context.store.has(node):
        rows = rows_kept(images, held_out, quantities)
        require_memory(rows, channels_of(context, run, layers), context.config.memory_mb)
    label = f"latent space of {run.name}, {at(epoch)}, {', '.join(layers)}"
    node = node.called(label).costing(pass_cost(context, run))
    return [LayerSpace(run.name, layer, state, node) for layer in layers]


def _require_one_layer(followed: Sequence[LayerSpace]) -> None:
    if len({space.run for space in followed}) < len(followed):
        raise EvoscopeError(
            "concept vectors are followed over the epochs in one layer, and discovery.layer names several",
            "give one, or discovery.evolution=false",
        )


def space_concepts(context: Context, space: LayerSpace) -> SpaceConcepts:
    """The concepts of a space under every protocol."""
    where = f"concepts of {space.run}, {at(space.epoch)}"
    found = {
        name: concepts(space, protocol, context.config.seed).called(f"{where} ({name})")
        for name, protocol in compared_protocols(context).items()
    }
    return SpaceConcepts(space, found)


def earlier_epochs(run: Run, last: LayerSpace) -> list[int]:
    """Epochs that are looked at before the one where concepts are sought."""
    return [epoch for epoch in run.epochs if epoch < last.epoch]


def chosen_methods(context: Context) -> list[NamedMethod]:
    """The methods asked for, each once; without the probes where no concepts are known to fit them on.

    Raises
    ------
    EvoscopeError : an unknown method, or none that the data allow.
    """
    wanted = context.config.discovery.methods
    asked = [NamedMethod.of(name) for name in dict.fromkeys(METHODS if wanted is None else wanted)]
    known = context.data.pool.concepts is not None
    methods = [each for each in asked if known or each.code or not METHODS[each.name].needs_truth]
    if not methods:
        raise EvoscopeError(
            f"discovery.methods={wanted} leaves no method on {context.data.pool.name}",
            "add svd; probes need images whose concepts are known",
        )
    return methods


def method_directions(context: Context, space: LayerSpace) -> Artefact[MethodConcepts]:
    """The directions of a space by `chosen_methods`."""
    protocols, images, methods = compared_protocols(context), concept_images(context), chosen_methods(context)
    node = concept_methods(space, protocols, methods, images, context.config.seed, context.runtime)
    return node.called(f"directions of {space.run}, {at(space.epoch)}, by {len(methods)} methods")


def _blind_boards(
    context: Context, directions: Sequence[tuple[LayerSpace, Artefact[MethodConcepts]]]
) -> Artefact[BlindBoards]:
    """Boards with the method hidden, with their judgements where a file holds them."""
    config = context.config
    each, file, seed = config.discovery.blind, config.discovery.judged, config.seed
    boards = each * (len(chosen_methods(context)) + 1) * len(directions)
    if not 0 < boards <= MOST:
        raise EvoscopeError(
            f"discovery.blind={each} makes {boards} boards, and a sheet holds 1 to {MOST}",
            "give fewer boards of each method, or fewer discovery.methods, layers or networks",
        )
    answers = None if file is None else read_judgements(Path(file))
    node = blind_boards(directions, discovery_protocol(config.protocol), concept_images(context), each, seed)
    node = node.called(f"{each} boards of each method to judge blind")
    return node if answers is None else judged_boards(node, *answers)


def _relevance(context: Context, found: SpaceConcepts, labels: Sequence[int]) -> Artefact[Table]:
    config, space = context.config, found.space
    node = concept_relevance(
        space,
        found.own,
        discovery_protocol(config.protocol),
        labels,
        context.data.test,
        max(1, config.scale.ablated_images // len(labels)),
        config.scale.resamples,
        config.seed,
        context.runtime,
    )
    return node.called(f"relevance of concepts of {space.run}, {at(space.epoch)}")


def _base_map(context: Context) -> tuple[Artefact[SemanticSpace], Look, Artefact[NeuronMap]]:
    """The space that the base's last epoch spans, the base in it, and the map of its neurons."""
    semantic = base_space(context)
    look = base_look(context, semantic)
    return semantic, look, neuron_map(semantic, [look], context.map_method, context.config.seed)


def _followed(
    context: Context,
    run: Run,
    last: LayerSpace,
    semantic: Artefact[SemanticSpace],
    places: Artefact[NeuronMap],
    base: Look,
) -> Artefact[ConceptEvolution]:
    """A run's concept vectors over the epochs that are looked at, up to the one where concepts are sought."""
    config, discovery = context.config, discovery_protocol(context.config.protocol)
    node = concept_evolution(
        _spaces_over_time(context, run, last),
        semantic,
        places,
        base,
        concept_images(context),
        context.data.test,
        discovery,
        context.space_protocol,
        # A draw of a null seeks partners for all directions anew: a tenth as many as resamples of a mean.
        max(config.scale.bootstrap // 10, 20),
        config.seed,
        context.runtime,
    )
    return node.called(f"evolution of the concept vectors of {run.name}")


def placed_concepts(
    context: Context,
    run: Run,
    asked: bool | None,
    semantic: Artefact[SemanticSpace],
    places: Artefact[NeuronMap],
    base: Look,
) -> list[Artefact[ConceptPlaces]]:
    """The concept vectors of a run on the map; unless they are ``asked`` for, only if the store has them."""
    if asked is False or run.problem:
        return []
    space, has = latent_space(context, run), context.store.has
    found, methods = space_concepts(context, space).own, method_directions(context, space)
    if not (asked or (has(space.spaces) and has(found))):
        return []
    images, data = concept_images(context), context.data
    more = methods if has(methods) else None
    places_of = (semantic, places, base, images, data.test, data.pool, context.space_protocol)
    return [concept_places(space, found, more, *places_of)]


def _spaces_over_time(context: Context, run: Run, last: LayerSpace) -> list[LayerSpace]:
    """The layer at every epoch that is looked at, up to the one where concepts are sought."""
    evidence = discovery_protocol(context.config.protocol).evidence
    earlier = earlier_epochs(run, last)
    spaces = (_spaces_at(context, run, epoch, [last.layer], (evidence,)) for epoch in earlier)
    return [*(space for own in spaces for space in own), last]


def _crosscoder(context: Context, run: Run, last: LayerSpace) -> Artefact[Crosscoder]:
    config = context.config
    node = crosscoder(
        _spaces_over_time(context, run, last),
        concept_images(context),
        context.data.test,
        ENTRIES,
        ACTIVE,
        config.scale.bootstrap,
        config.seed,
        context.runtime,
    )
    return node.called(f"crosscoder of {run.name}")
