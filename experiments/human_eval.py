"""The human studies of both papers, designed from networks and ready to be answered, in folders to hand out."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evoscope.errors import EvoscopeError
from evoscope.models.network import closest
from evoscope.space.protocol import SemanticSpace
from evoscope.space.regions import read_regions
from evoscope.store import Artefact
from experiments.base import base_run, base_space, checkpoint, look_at, patches, stimuli_of
from experiments.concept_discovery import concept_images, latent_space, space_concepts
from experiments.context import Context
from experiments.costs import pass_cost
from experiments.reporting import complain, say
from experiments.runner import Exhibits, Plan
from experiments.runs import Run, at, subjects
from experiments.stages.stimuli import Look, held_out_stimuli
from experiments.stages.studies import (
    PATCH_PIXELS,
    PATCHES,
    StudyImages,
    StudyNeurons,
    concept_pool,
    options_of,
    remembered,
    study,
    study_sheet,
    study_table,
)
from human_eval.design import KINDS, Kind, Protocol, Study, load_study
from human_eval.design.build import NEURON_KINDS
from human_eval.design.files import KEY, PICTURES, PUBLIC
from human_eval.export import PLATFORMS, Completion, checked_host, export
from human_eval.preregistration import write_preregistration
from human_eval.render import is_rendered, licence_warning, render_study, study_notes
from human_eval.texts import Texts, read_texts, write_texts

# The runs of the authors' generator, at three epochs each; the first is the base of its sets, and the first two are
# those whose neurons are compared.
LABELLED = ("vgg16", "inception_v3", "vgg16_large_lr", "inception_v3_large_lr")
COMPARED = 2
# Six sets of nine patches that share no photograph need 54.
HELD_OUT = 60
SOUGHT = "inception_v3"
STAGES = 3


def plan(context: Context) -> Plan:
    """A study per kind, with its size, power and an example; folders to hand out once these are drawn.

    Raises
    ------
    EvoscopeError : a kind of study or a platform that does not exist, or too few participants.
    """
    check_asked(context)
    config, studies = context.config, designed(context)
    nodes = list(studies.values())
    exhibits: Exhibits = {
        "studies": study_table(nodes, config.study.participants, config.seed),
        "study_sheet": study_sheet(nodes),
    }
    return Plan(exhibits, ("fig_studies", "table_studies"), after=lambda: hand_out(context, studies))


def check_asked(context: Context) -> None:
    """Refuse kinds of studies and platforms that do not exist.

    Raises
    ------
    EvoscopeError : names the first that is wrong, and the closest there are.
    """
    asked = context.config.study
    if asked.kinds == []:
        raise EvoscopeError("study.kinds names no kind", "give at least one, or null for all")
    for key, names, known in (("study.kinds", asked.kinds or [], KINDS), ("study.export", asked.export, PLATFORMS)):
        for name in names:
            if name not in known:
                close = closest(name, list(known))
                raise EvoscopeError(f"{key} cannot hold {name!r}", f"the closest are {close}")
    for platform in asked.export:
        checked_host(asked.host, platform)
    if asked.participants < 2:
        raise EvoscopeError(f"study.participants={asked.participants} are too few to differ", "give at least 2")


def designed(context: Context) -> dict[Kind, Artefact[Study]]:
    """The studies asked for, by kind."""
    nodes, file = dict[Kind, Artefact[Study]](), context.config.regions
    regions = read_regions(Path(file)) if file is not None else ()
    for kind in kinds(context):
        looks = looks_for(context, kind) if kind in NEURON_KINDS else []
        shown = neurons(context, kind, looks) if looks else concepts(context)
        picked = regions if kind == "alignability" else ()
        options = options_of(kind, looks, context.config.study.items, picked)
        node = study(kind, shown, study_protocol(context), options, context.config.seed)
        nodes[kind] = node.called(f"human study, {kind.replace('_', ' ')}")
    return nodes


def neurons(context: Context, kind: Kind, looks: Sequence[Look]) -> StudyNeurons:
    """The neurons that a kind asks about; corrected sets show them on images on which nothing was placed."""
    cutting = replace(patches(context, PATCHES), pixels=PATCH_PIXELS)
    memory = context.config.memory_mb
    if kind == "evolution_label" or study_protocol(context) == "as_released":
        return StudyNeurons(looks, remembered(context.data.pool, cutting, memory), cutting)
    runs, base, found = context.runs, base_run(context), []
    for look in looks:
        run = base if look.run == base.name else runs[look.run]
        node = held_out_stimuli(checkpoint(context, run, look.epoch), context.data.test, HELD_OUT, context.runtime)
        node = node.called(f"held-out stimuli of {look.run}, epoch {look.epoch}")
        found.append(node.costing(pass_cost(context, run)))
    return StudyNeurons(looks, remembered(context.data.test, cutting, memory), cutting, found)


def study_protocol(context: Context) -> Protocol:
    """Sampling as released for the released protocols, else corrected."""
    return "corrected" if context.config.protocol.name == "corrected" else "as_released"


def kinds(context: Context) -> list[Kind]:
    """Kinds asked for, in their own order; without labels no agreement with them can be asked."""
    asked = context.config.study.kinds
    chosen: list[Kind] = [kind for kind in KINDS if asked is None or kind in asked]
    if asked is None and context.data.pool.concepts is None:
        complain("evoscope: label_agreement is left out: nothing names the concepts of these images")
        chosen.remove("label_agreement")
    if "evolution_label" in chosen and all(len(stages(run)) < STAGES for run in followed(context)):
        names = ", ".join(run.name for run in followed(context))
        if asked is not None:
            raise EvoscopeError(
                f"evolution_label shows {STAGES} epochs, and {names} has fewer",
                f"give checkpoints of {STAGES} epochs, or leave it out of study.kinds",
            )
        complain(f"evoscope: evolution_label is left out: {names} has fewer than {STAGES} epochs")
        chosen.remove("evolution_label")
    if left := [run for run in followed(context) if run.chosen][COMPARED:]:
        names = ", ".join(run.name for run in left)
        complain(f"evoscope: pages that compare networks show the first {COMPARED}; left out there: {names}")
    return chosen


def looks_for(context: Context, kind: Kind) -> list[Look]:
    """Runs at three epochs: those labelled, or those whose neurons are compared (with the base beside one alone)."""
    runs = followed(context)
    semantic = base_space(context)
    if kind == "evolution_label":
        long = [run for run in runs if len(stages(run)) == STAGES]
        return [_look(context, semantic, run, epoch) for run in long for epoch in stages(run)]
    looks = [_look(context, semantic, run, epoch) for run in runs[:COMPARED] for epoch in stages(run)]
    alone = len(runs) == 1 and runs[0].name != base_run(context).name
    return [*looks, _look(context, semantic, base_run(context), base_run(context).last)] if alone else looks


def followed(context: Context) -> list[Run]:
    """The user's runs, or those of the published studies, or all but the base, or the base if it is alone."""
    return subjects(context.runs, LABELLED)


def stages(run: Run) -> Sequence[int]:
    """Epochs early, in the middle and late: those of the run, or the first, middle and last looked at once trained."""
    if len(run.stages) == STAGES:
        return run.stages
    trained = [epoch for epoch in run.epochs if epoch >= 0]
    epochs = trained if len(trained) >= STAGES else list(run.epochs)
    return epochs if len(epochs) <= STAGES else (epochs[0], epochs[len(epochs) // 2], epochs[-1])


def _look(context: Context, semantic: Artefact[SemanticSpace], run: Run, epoch: int) -> Look:
    """A run in the space; the base's last stimuli are those that the space is made of."""
    base = base_run(context)
    spans = run.name == base.name and epoch == base.last
    return look_at(context, semantic, run, epoch, stimuli_of(context, run, epoch, base=spans))


def concepts(context: Context) -> StudyImages:
    """The concepts that studies ask about: those of the network of the paper, or of the first that is labelled."""
    runs = followed(context)
    run = next((run for run in runs if run.name == SOUGHT), runs[0])
    found, images = space_concepts(context, latent_space(context, run)), concept_images(context)
    pool = concept_pool(found.space, found.own, images, context.data.test, context.config.seed)
    return StudyImages(pool.called(f"concepts of {run.name}, {at(found.space.epoch)}, for studies"), images)


def hand_out(context: Context, studies: Mapping[Kind, Artefact[Study]]) -> list[Path]:
    """Write what participants and researchers need below the job's folder; its paths.

    Texts that are there already stay, because the user may have edited them, and pages that have them too.
    """
    context.folder.mkdir(parents=True, exist_ok=True)
    warning = licence_warning(context.config.data.name)
    if warning:
        complain(f"evoscope: {warning}")
    write_texts(context.folder)
    texts = read_texts((context.folder,))
    designed = [_one(context, context.get(node), texts) for node in studies.values()]
    platforms = {str(kind): context.config.study.export for kind in studies}
    notes = context.folder / "notes.md"
    notes.write_text(study_notes(designed, warning, platforms), encoding="utf-8", newline="")
    folders = [context.folder / kind for kind in studies]
    say("\n".join(["studies:", *(f"  {path}" for path in [notes, *folders])]))
    return [notes, *folders]


def _one(context: Context, source: Path, texts: Texts) -> Study:
    """Copy one study's files, render its blocks, and export it."""
    made = load_study(source)
    folder = context.folder / made.kind
    folder.mkdir(parents=True, exist_ok=True)
    for name in (PUBLIC, KEY, PICTURES):
        shutil.copyfile(source / name, folder / name)
    write_preregistration(made, folder, context.config.study.participants)
    completion = Completion.of(folder)
    pages = folder / "pages"
    if not is_rendered(made, pages, texts):
        shutil.rmtree(pages, ignore_errors=True)
        render_study(made, pages, texts)
    for platform in context.config.study.export:
        exported = folder / "exports" / platform
        shutil.rmtree(exported, ignore_errors=True)
        export(platform, made, exported, context.config.study.host, completion, texts)
    return made
