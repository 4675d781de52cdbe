"""The concepts that scenes are made of, and the rules over them that are the classes."""

from dataclasses import dataclass

from evoscope.errors import EvoscopeError

SHAPES = ("circle", "square", "triangle", "star", "heart", "cross")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple")
TEXTURES = ("plain", "stripes", "dots", "checks", "rings")
PARTS = ("eyes", "wheels", "wings", "hat")
BACKGROUNDS = ("meadow", "sea", "city", "night", "desert")
DISTRACTORS = ("balloon", "tree", "cloud", "mushroom")
OCCLUDERS = ("post", "leaf")
HUES = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
STAMPS = (*HUES, *(f"dark-{hue}" for hue in HUES), *(f"pale-{hue}" for hue in HUES))

FAMILIES: dict[str, tuple[str, ...]] = {
    "shape": SHAPES,
    "colour": COLOURS,
    "texture": TEXTURES,
    "part": PARTS,
    "background": BACKGROUNDS,
    "distractor": DISTRACTORS,
    "occluder": OCCLUDERS,
}


@dataclass(frozen=True)
class Rule:
    """A class: its readable name and the concepts that an image of it, and of it alone, shows together."""

    name: str
    concepts: frozenset[str]

    def holds(self, concepts: frozenset[str]) -> bool:
        """Whether an image showing ``concepts`` belongs to this class."""
        return self.concepts <= concepts


# The order matters: the first n rules are the classes of an n-class set, so families alternate early.
# Triangle, orange, green, plain, rings, meadow, city, desert, distractors and occluders are in none of the first 20.
RULES = tuple(
    Rule(name, frozenset(concepts))
    for name, *concepts in (
        ("dotted star", "shape:star", "texture:dots"),
        ("red with eyes", "colour:red", "part:eyes"),
        ("circle on wheels", "shape:circle", "part:wheels"),
        ("dotted with a hat", "texture:dots", "part:hat"),
        ("striped heart", "shape:heart", "texture:stripes"),
        ("checked with wings", "texture:checks", "part:wings"),
        ("purple dots", "colour:purple", "texture:dots"),
        ("blue with wings", "colour:blue", "part:wings"),
        ("checked square", "shape:square", "texture:checks"),
        ("winged heart", "shape:heart", "part:wings"),
        ("striped with eyes", "texture:stripes", "part:eyes"),
        ("striped on wheels", "texture:stripes", "part:wheels"),
        ("cross with a hat", "shape:cross", "part:hat"),
        ("square with eyes", "shape:square", "part:eyes"),
        ("blue star", "colour:blue", "shape:star"),
        ("hat by night", "part:hat", "background:night"),
        ("eyes at sea", "part:eyes", "background:sea"),
        ("dotted circle", "shape:circle", "texture:dots"),
        ("checked cross", "shape:cross", "texture:checks"),
        ("yellow on wheels", "colour:yellow", "part:wheels"),
        ("checked triangle", "shape:triangle", "texture:checks"),
        ("triangle in the meadow", "shape:triangle", "background:meadow"),
        ("rings in the desert", "texture:rings", "background:desert"),
        ("orange rings", "colour:orange", "texture:rings"),
    )
)


def rules(classes: int) -> tuple[Rule, ...]:
    """Rules of the set with ``classes`` classes, in the order of the labels.

    Raises
    ------
    EvoscopeError : if there are no sets with so many classes.
    """
    if not 2 <= classes <= len(RULES):
        raise EvoscopeError(f"concept_scenes has no set of {classes} classes", f"ask for 2 to {len(RULES)} classes")
    return RULES[:classes]


def concept_names() -> tuple[str, ...]:
    """Every concept a scene can show (stamps apart), written ``family:value``, family by family."""
    return tuple(f"{family}:{value}" for family, values in FAMILIES.items() for value in values)


def stamp_names() -> tuple[str, ...]:
    """Concepts of the planted confounder, one per stamp colour."""
    return tuple(f"confounder:{colour}" for colour in STAMPS)


def relevant_concepts(classes: int) -> tuple[str, ...]:
    """Concepts that occur in the rule of at least one of ``classes`` classes."""
    used = frozenset[str]().union(*(rule.concepts for rule in rules(classes)))
    return tuple(name for name in concept_names() if name in used)


def irrelevant_concepts(classes: int) -> tuple[str, ...]:
    """Concepts that no rule of ``classes`` classes mentions: what no explanation should rank."""
    used = relevant_concepts(classes)
    return tuple(name for name in concept_names() if name not in used)
