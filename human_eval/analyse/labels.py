"""Names that people give: whether two are the same words, and how near their vectors are."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from evoscope.arrays import Doubles, Ints
from evoscope.errors import EvoscopeError

IDLE = frozenset(
    (
        *("a", "an", "the", "this", "these", "it", "is", "are", "some", "many"),
        *("of", "with", "and", "in", "on", "picture", "pictures", "image", "images"),
    )
)
CHARACTERS = "characters"  # the embedding that needs no file
Words = frozenset[str]
LIKE, LONG = 0.85, 5  # how alike two words of so many letters are that are one, misspelt
# Vectors [labels, dim] of labels; a row of zeros for one that is not known.
Embed = Callable[[list[str]], Doubles]


def normalised(text: str) -> Words:
    """Words of a label: case, accents, punctuation, idle words and a plural's s do not count."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return frozenset(_singular(word) for word in re.findall(r"\w+", letters) if word not in IDLE)


def says(text: str, word: str) -> bool:
    """Whether ``word`` is among the words of a text, or one letter of it is wrong, lacking, swapped or too many."""
    return any(_one_off(each, word) for each in normalised(text))


def _one_off(word: str, wanted: str) -> bool:
    if word == wanted:
        return True
    size = len(wanted)
    swapped = {wanted[:n] + wanted[n + 1] + wanted[n] + wanted[n + 2 :] for n in range(size - 1)}
    lacking = {wanted[:n] + wanted[n + 1 :] for n in range(size)}
    of_word = {word[:n] + word[n + 1 :] for n in range(len(word))}
    other = len(word) == size and sum(a != b for a, b in zip(word, wanted, strict=True)) == 1
    return word in swapped | lacking or wanted in of_word or other


def spellings(counts: Mapping[str, int]) -> dict[str, str]:
    """The most frequent word with the first letter of each word and much the same others; digits are never misspelt."""
    known: dict[str, list[str]] = {}
    found: dict[str, str] = {}
    for word in sorted(counts, key=lambda word: (-counts[word], word)):
        able = word.isalpha() and len(word) >= LONG
        others = known.setdefault(word[0], [])
        like = get_close_matches(word, others, n=1, cutoff=LIKE) if able else []
        found[word] = like[0] if like else word
        if able and not like:
            others.append(word)
    return found


def agreements(answers: Sequence[tuple[str, ...]]) -> tuple[Ints, Doubles]:
    """What each answer says, int64 [n], and how far any two things that are said overlap, float64 [m, m].

    The overlap is Jaccard's of the words, misspelt or not (`spellings`), averaged over the text fields; a field left
    empty overlaps with none.
    """
    fields = [tuple(map(normalised, texts)) for texts in answers]
    same = spellings(Counter(word for texts in fields for words in texts for word in words))
    meant = [tuple(frozenset(same[word] for word in words) for words in texts) for texts in fields]
    codes, unique = pd.factorize(pd.Series(meant, dtype="object"))
    most = max(map(len, unique), default=0)
    table = np.zeros((len(unique), len(unique)))
    for place in range(most):
        said = [texts[place] if len(texts) > place else frozenset() for texts in unique]
        table += overlaps(said) / most
    return np.asarray(codes, dtype=np.int64), table


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def label_agreement(answers: pd.DataFrame, embed: Embed | None = None) -> pd.DataFrame:
    """Agreement of the names given in each item's text fields.

    Parameters
    ----------
    answers : a tidy table.
    embed : vectors of labels, for the ``similarity``; see `label_embedding`.

    Returns
    -------
    DataFrame
        ``item``, ``condition``, ``field`` (position of the text field), ``labels`` (how many), ``same`` (share of
        pairs of people with the same words), ``overlap`` (mean share of words in common, Jaccard), ``similarity``
        (mean cosine of the labels' vectors, of those that have one; NaN without ``embed``), ``common`` (the most
        frequent name). Agreements are NaN where only one person answered.
    """
    main = answers[answers["role"] == "main"]
    rows = [
        _agreed(str(item), str(condition), place, texts, embed)
        for (item, condition), part in main.groupby(["item", "condition"])
        for place, texts in enumerate(_fields(part["texts"].tolist()))
    ]
    columns = ["item", "condition", "field", "labels", "same", "overlap", "similarity", "common"]
    return pd.DataFrame(rows, columns=columns)


def _fields(given: list[tuple[str, ...]]) -> list[list[str]]:
    """What was written into each text field."""
    most = max(map(len, given), default=0)
    return [[texts[place] for texts in given if len(texts) > place] for place in range(most)]


def _agreed(item: str, condition: str, place: int, texts: list[str], embed: Embed | None) -> list[object]:
    labels = [words for words in map(normalised, texts) if words]
    counts = Counter(" ".join(sorted(words)) for words in labels)
    same, overlap = _pairs(list(counts), list(counts.values()))
    similarity = mean_cosine(embed(texts)) if embed and texts else float("nan")
    common = max(sorted(counts), key=counts.__getitem__) if counts else ""
    return [item, condition, place, len(labels), same, overlap, similarity, common]


def _pairs(names: list[str], counts: list[int]) -> tuple[float, float]:
    """Share of pairs of people with the same name, and their mean Jaccard overlap."""
    people = np.array(counts, dtype=np.float64)
    total = people.sum() * (people.sum() - 1)
    if total <= 0:
        return float("nan"), float("nan")
    jaccard = overlaps([frozenset(name.split(" ")) for name in names])
    same = float(people @ (people - 1)) / total
    return same, float(people @ jaccard @ people - people.sum()) / total


def overlaps(labels: Sequence[Words]) -> Doubles:
    """Jaccard overlap of every pair of labels, of which an empty one overlaps with none; [labels, labels]."""
    columns = {word: place for place, word in enumerate(sorted(frozenset().union(*labels)))}
    rows = [row for row, words in enumerate(labels) for _ in words]
    places = [columns[word] for words in labels for word in sorted(words)]
    table = csr_matrix((np.ones(len(rows)), (rows, places)), shape=(len(labels), len(columns)))
    shared = (table @ table.T).toarray()
    sizes = shared.diagonal()
    return np.asarray(shared / np.maximum(sizes[:, None] + sizes[None, :] - shared, 1))


def mean_cosine(vectors: Doubles) -> float:
    """Mean cosine over all pairs of different rows [n, dim], rows of zeros left out; NaN for fewer than two."""
    lengths = np.linalg.norm(vectors, axis=1)
    unit = vectors[lengths > 0] / lengths[lengths > 0, None]
    count = len(unit)
    # The sum over all pairs is the squared length of the sum.
    together = float((unit.sum(axis=0) ** 2).sum())
    return (together - count) / (count * (count - 1)) if count > 1 else float("nan")


def label_embedding(name: str, labels: Iterable[str]) -> Embed | None:
    """Embedding by name: ``characters``, the path of a file of word vectors (their mean over a label), or "" for none.

    Parameters
    ----------
    name : the file has a word and its numbers per line, as GloVe's and word2vec's (whose first line is skipped).
    labels : all there are, which weight the n-grams and say which words are read from the file.

    Raises
    ------
    EvoscopeError : the file is missing, or a line is of another length or holds something else than numbers.
    """
    if not name:
        return None
    if name == CHARACTERS:
        return character_ngrams(labels)
    wanted = {word for label in labels for word in (*normalised(label), *label.casefold().split())}
    found, size = _read(Path(name), wanted)
    return lambda texts: np.stack([_mean(text, found, size) for text in texts])


def character_ngrams(labels: Iterable[str]) -> Embed:
    """TF-IDF of character n-grams (2 to 4) within words, which know spellings but no meanings; nothing to download."""
    known = sorted({text for text in map(_plain, labels) if text})
    if not known:
        return lambda texts: np.zeros((len(texts), 1))
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4)).fit(known)
    return lambda texts: np.asarray(grams.transform([_plain(text) for text in texts]).toarray())


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
