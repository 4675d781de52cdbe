"""Where a figure's numbers come from, and the caption that says so."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from evoscope.viz import label_of

# Scales whose networks are trained as published; the others' recipes are their own.
PUBLISHED = ("gpu", "imagenet")


@dataclass(frozen=True)
class About:
    """Origin of all exhibits of a job.

    ``data``: name of the image set; ``scale``, ``protocol``: named options; ``seed``; ``classes``: number of classes;
    ``images``: images in the pool, or rows of a table (``unit``); ``recipes``: one line per run on how it was trained;
    ``commit``: of the code; ``key``: of the configuration.
    """

    data: str
    scale: str
    protocol: str
    seed: int
    classes: int
    images: int
    recipes: Mapping[str, str] = field(default_factory=dict)
    commit: str = "unknown"
    key: str = "unknown"
    unit: str = "images"

    def origin(self) -> dict[str, str]:
        """What is stamped into every file."""
        names = ("commit", "key", "scale", "data", "protocol", "seed")
        return {name.capitalize(): str(getattr(self, name)) for name in names}


def caption(
    title: str,
    what: str,
    about: About,
    *,
    n: str,
    runs: Sequence[str] = (),
    interval: str = "none is drawn",
    pools: Collection[int] = (),
) -> str:
    """Caption in Markdown: what is seen, then n, intervals, data, scale and how the networks were trained.

    Parameters
    ----------
    title, what : name of the figure and what it shows, in full sentences.
    about : where it comes from.
    n : how many of what, for instance ``"38,912 neurons"``.
    runs : networks whose recipe matters to the figure.
    interval : what the intervals are.
    pools : images in the pools that are shown; none: the job's own pool.
    """
    facts = [
        f"n: {n}",
        f"interval: {interval}",
        f"data: {about.data}, {about.classes} classes, {_pools(pools or [about.images], about.unit)}",
        f"scale: {about.scale}",
        f"protocol: {about.protocol}",
        f"seed: {about.seed}",
    ]
    head = title if title.endswith("?") else f"{title}."
    lines = [f"**{head}** {what}", "", "; ".join(facts) + ".", *_training(about, runs)]
    return "\n".join(lines) + "\n"


def _pools(sizes: Collection[int], unit: str) -> str:
    if unit != "images":
        return f"{max(sizes):,} {unit}"
    *others, largest = (f"{size:,}" for size in sorted(set(sizes)))
    if not others:
        return f"pool of {largest} images"
    return f"pools of {', '.join(others)} and {largest} images"


def _training(about: About, runs: Sequence[str]) -> list[str]:
    if not runs:
        return []
    recipes = [
        f"- {label_of(run)}: {about.recipes.get(run, 'recipe not recorded')}" for run in runs if run != "all"
    ]
    return ["", scale_note(about.scale), "", *recipes]


def scale_note(scale: str) -> str:
    """How far the networks are from the published ones."""
    if scale in PUBLISHED:
        return f"Networks trained with the published recipe, at scale {scale}:"
    return f"Narrow networks, recipe of the {scale} scale, not the published one:"
