"""Observers that answer a study without being people, to try the whole chain; never to be called human."""

from human_eval.simulate.embedding import Embedding, picture_features
from human_eval.simulate.observers import FAST, PERFECT, Answer, Guesser, Observer, Sided, Skilled
from human_eval.simulate.participants import OBSERVERS, one_participant, simulate

__all__ = [
    "FAST",
    "OBSERVERS",
    "PERFECT",
    "Answer",
    "Embedding",
    "Guesser",
    "Observer",
    "Sided",
    "Skilled",
    "one_participant",
    "picture_features",
    "simulate",
]
