"""Vectors of labels, so that "striped fur" and "stripes on fur" are near, or "dog" and "puppy"."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from evoscope.arrays import Doubles
from evoscope.errors import EvoscopeError
from human_eval.analyse.labels import Embed, normalised

CHARACTERS = "characters"


def label_embedding(name: str, labels: Iterable[str]) -> Embed | None:
    """Embedding by name: ``characters``, the path of a file of word vectors, or "" for none.

    ``labels``: all there are, which weight the n-grams and say which words are read from the file.
    """
    if not name:
        return None
    if name == CHARACTERS:
        return character_ngrams(labels)
    return word_vectors(Path(name), labels)


def character_ngrams(labels: Iterable[str]) -> Embed:
    """TF-IDF of character n-grams (2 to 4) within words, which know spellings but no meanings; nothing to download."""
    known = sorted({text for text in map(_plain, labels) if text})
    if not known:
        return lambda texts: np.zeros((len(texts), 1))
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4)).fit(known)
    return lambda texts: np.asarray(grams.transform([_plain(text) for text in texts]).toarray())


def word_vectors(path: Path, labels: Iterable[str]) -> Embed:
    """Mean of the vectors of a label's words; only words that occur in ``labels`` are kept.

    Parameters
    ----------
    path : text file of a word and its numbers per line, as GloVe's and word2vec's (whose first line is skipped).

    Raises
    ------
    EvoscopeError : the file is missing, or a line is of another length or holds something else than numbers.
    """
    wanted = {word for label in labels for word in (*normalised(label), *label.casefold().split())}
    found, size = _read(path, wanted)

    def embed(texts: list[str]) -> Doubles:
        return np.stack([_mean(text, found, size) for text in texts])

    return embed


def _plain(text: str) -> str:
    return " ".join(sorted(normalised(text)))


def _mean(text: str, vectors: dict[str, Doubles], size: int) -> Doubles:
    known = [vectors[word] for word in sorted(normalised(text)) if word in vectors]
    return np.mean(known, axis=0) if known else np.zeros(size)


def _read(path: Path, wanted: set[str]) -> tuple[dict[str, Doubles], int]:
    found: dict[str, Doubles] = {}
    size = 0
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                word, *numbers = line.rstrip().split(" ")
                if number == 1 and len(numbers) == 1:
                    continue
                size = size or len(numbers)
                if len(numbers) != size or not numbers:
                    raise ValueError(f"line {number} has {len(numbers)} numbers, others {size}")
                if word.casefold() in wanted:
                    for name in normalised(word):
                        found.setdefault(name, np.array(numbers, dtype=np.float64))
    except (OSError, ValueError) as error:
        raise EvoscopeError(
            f"'{path}' holds no word vectors ({error})", "give a text file of a word and its numbers per line"
        ) from error
    return found, size
