"""Everything that is known of a study so far, as tables."""

import numpy as np
import pandas as pd

from human_eval.analyse.accuracy import accuracy, response_times
from human_eval.analyse.agreement import fleiss_kappa, krippendorff_alpha
from human_eval.analyse.embedding import label_embedding
from human_eval.analyse.exclusion import exclusions
from human_eval.analyse.labels import label_agreement
from human_eval.analyse.mixed import mixed_model
from human_eval.analyse.people import agreement_matrix, option_shares, per_participant
from human_eval.analyse.published import beside
from human_eval.analyse.tidy import tidy
from human_eval.design.trial import Study

PEOPLE, SIMULATED = "people", "simulated"
Tables = dict[str, pd.DataFrame]


def analyse(study: Study, answers: pd.DataFrame, seed: int = 0, embedding: str = "") -> Tables:
    """Compute all tables, by name; partial data give smaller ones.

    ``answers`` (tidy), ``exclusions`` and ``participants`` are of everybody; the others of those who count. People and
    simulated participants never meet: where there are any people, the simulated ones are left out. Every table says in
    ``data`` which of the two it is about.

    Parameters
    ----------
    study, answers : the study with its key, and answers as collected (`read_answers`).
    seed : of the sample for the mixed model.
    embedding : of labels: ``characters``, the path of a file of word vectors, or "" for none.
    """
    data, own = _of_one_sort(answers)
    every = tidy(study, own)
    excluded = exclusions(study, every)
    gone = excluded.loc[excluded["excluded"], "participant"]
    counted = every[~every["participant"].isin(gone)]
    embed = label_embedding(embedding, [text for texts in counted["texts"] for text in texts])
    right = accuracy(counted)
    tables = {
        "about": _about(study, answers, own, excluded),
        "answers": every,
        "exclusions": excluded,
        "participants": per_participant(every, excluded),
        "accuracy": right,
        "published": beside(study.kind, right),
        "agreement": agreement(study, counted),
        "labels": label_agreement(counted, embed),
        "agreement_matrix": agreement_matrix(counted),
        "options": option_shares(counted, study.trials[0].form.options),
        "times": response_times(counted),
        "mixed_model": mixed_model(counted, seed),
    }
    return {name: table.assign(data=data) for name, table in tables.items()}


def _of_one_sort(answers: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Answers of people, or, where there are none, of simulated participants."""
    simulated = answers.get("simulated", pd.Series(False, index=answers.index)).fillna(False).astype(bool)
    if len(answers) and simulated.all():
        return SIMULATED, answers
    return PEOPLE, answers[~simulated]


def _about(study: Study, given: pd.DataFrame, own: pd.DataFrame, excluded: pd.DataFrame) -> pd.DataFrame:
    rules = ", ".join(f"{name} {value:g}" for name, value in vars(study.exclusion).items())
    rows = {
        "study": study.name,
        "kind": study.kind,
        "protocol": study.protocol,
        "seed": study.seed,
        "participants": len(excluded),
        "excluded": int(excluded["excluded"].sum()),
        "answers": len(own),
        "answers of simulated participants left out": len(given) - len(own),
        "rules of exclusion, fixed before there were data": rules,
        "remarks": " ".join(study.remarks),
    }
    return pd.DataFrame({"what": list(rows), "value": [str(value) for value in rows.values()]})


def agreement(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    """Fleiss' kappa and Krippendorff's alpha of the closed answers to each condition's main trials."""
    closed = answers[(answers["role"] == "main") & answers["given"].notna()]
    rows = [_agreed(study, str(name), part) for name, part in closed.groupby("condition")]
    return pd.DataFrame(
        rows, columns=["condition", "items", "raters", "fleiss_kappa", "krippendorff_alpha", "level"]
    )


def _agreed(study: Study, name: str, part: pd.DataFrame) -> list[object]:
    table = part.pivot_table(index="participant", columns="trial", values="given").astype("Float64")
    ratings = table.to_numpy(dtype=float, na_value=np.nan)
    most = int(np.nanmax(ratings)) + 1
    counts = np.stack([(ratings == value).sum(axis=0) for value in range(most)], axis=1)
    level = "ordinal" if study.kind == "pairwise_coherence" else "nominal"
    alpha = krippendorff_alpha(ratings, "ordinal" if level == "ordinal" else "nominal")
    return [name, table.shape[1], table.shape[0], fleiss_kappa(counts), alpha, level]
