"""The wording of every kind of trial. The papers' own wording was not published; this one is ours."""

from human_eval.design.trial import Form, Kind

YES, NO, UNSURE = "Yes", "No", "I cannot tell"
ODD_SET = Form(
    "Five of these sets of pictures show the same thing or pattern. Which set does not belong?", choose=True
)
SCALE = ("1 - nothing in common", "2", "3", "4", "5 - the same thing")


def odd_image(shown: int) -> Form:
    """Ask which of ``shown`` pictures does not belong."""
    return Form(
        f"{shown - 1} of these pictures have something in common. Which does not belong?", choose=True
    )


def stages(count: int) -> Form:
    """Name what each of ``count`` sets shows, and say whether it is the same."""
    names = tuple(f"Set {chr(ord('A') + place)} shows" for place in range(count))
    question = "Name, in a few words, what the pictures of each set have in common."
    return Form(
        question, texts=names, option_question="Did it change between the sets?", options=(YES, NO, UNSURE)
    )


def agreement(label: str) -> Form:
    """Ask whether a label fits."""
    question = f"Do these pictures have this in common: “{label}”?"
    return Form(question, option_question="Does the label fit?", options=(YES, NO, UNSURE))


NAMING = Form("What do these pictures have in common?", texts=("A few words",))
COHERENCE = Form(
    "How much do these two sets of pictures have in common?", option_question="In common", options=SCALE
)
FORMS: dict[Kind, Form] = {"concept_naming": NAMING, "pairwise_coherence": COHERENCE}
