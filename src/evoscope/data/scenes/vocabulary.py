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


def _rule(name: str, *concepts: str) -> Rule:
    return Rule(name, frozenset(concepts))


# The order matters: the first n rules are the classes of an n-class set, so families alternate early.
# Triangle, orange, green, plain, rings, meadow, city, desert, distractors and occluders are in none of the first 20.
RULES = (
    _rule("dotted star", "shape:star", "texture:dots"),
    _rule("red with eyes", "colour:red", "part:eyes"),
    _rule("circle on wheels", "shape:circle", "part:wheels"),
    _rule("dotted with a hat", "texture:dots", "part:hat"),
    _rule("striped heart", "shape:heart", "texture:stripes"),
    _rule("checked with wings", "texture:checks", "part:wings"),
    _rule("purple dots", "colour:purple", "texture:dots"),
    _rule("blue with wings", "colour:blue", "part:wings"),
    _rule("checked square", "shape:square", "texture:checks"),
    _rule("winged heart", "shape:heart", "part:wings"),
    _rule("striped with eyes", "texture:stripes", "part:eyes"),
    _rule("striped on wheels", "texture:stripes", "part:wheels"),
    _rule("cross with a hat", "shape:cross", "part:hat"),
    _rule("square with eyes", "shape:square", "part:eyes"),
    _rule("blue star", "colour:blue", "shape:star"),
    _rule("hat by night", "part:hat", "background:night"),
    _rule("eyes at sea", "part:eyes", "background:sea"),
    _rule("dotted circle", "shape:circle", "texture:dots"),
    _rule("checked cross", "shape:cross", "texture:checks"),
    _rule("yellow on wheels", "colour:yellow", "part:wheels"),
    _rule("checked triangle", "shape:triangle", "texture:checks"),
    _rule("triangle in the meadow", "shape:triangle", "background:meadow"),
    _rule("rings in the desert", "texture:rings", "background:desert"),
    _rule("orange rings", "colour:orange", "texture:rings"),
)


def rules(classes: int) -> tuple[Rule, ...]:
    """Rules of the set with ``classes`` classes, in the order of the labels.

    Raises
    ------
    EvoscopeError : if there are no sets with so many classes.
    """
    if not 2 <= classes <= len(RULES):
        raise EvoscopeError(
            f"concept_scenes has no set of {classes} classes", f"ask for 2 to {len(RULES)} classes"
        )
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
