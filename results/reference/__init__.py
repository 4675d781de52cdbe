"""Published numbers, as far as they are known, to lay beside measured ones.

ConceptEvo: Park et al., CIKM 2023. CDISCO: Graziani et al., TMLR 2023, stored results; its clusters are those of
InceptionV3, layer ``Mixed_7b`` (2,048 channels), over every tenth training image of ImageNet (128,117).
"""

from pathlib import Path

import pandas as pd

from evoscope.figure_data import BIN_NAMES

HERE = Path(__file__).parent
ARCHITECTURES = ("vgg19", "vgg16", "inception_v3", "convnext")  # ConceptEvo's, its base first
PAIRS = ("early to middle", "middle to late")  # the published pairs of epochs, in the order of training
PUBLISHED_SETTING = "InceptionV3, Mixed_7b, 128,117 images of ImageNet"
_NAMES = {
    "model": "run", "accuracy_to": "accuracy",
    **dict(zip(("bin_0_25", "bin_25_50", "bin_50_75", "bin_75_100"), BIN_NAMES, strict=True)),
}  # fmt: skip
_METHODS = {"svd_directions": "svd", "individual_neurons": "neurons"}
# Words of the published task by the kind of study that repeats it.
_TASKS = {"image_intruder": "intruder", "label_agreement": "label agreement"}
_STUDY = ["condition", "participants", "items", "chance", "accuracy", "source"]


def published_reversal() -> pd.DataFrame:
    """ConceptEvo's reversal experiment, one row per run, pair of epochs, split and metric.

    Columns: ``run``, ``pair`` (of `PAIRS`), ``from_epoch``, ``to_epoch`` (theirs), ``split``, ``metric``, ``accuracy``
    (untouched, of the later network), ``bin1`` to ``bin4`` and ``random`` (changes of accuracy, fractions),
    ``note`` (what is doubtful about the row, or ""), ``suspect`` (bool: its bins are those of another row),
    ``source``.
    """
    rows = pd.read_csv(HERE / "conceptevo_reversal.csv", keep_default_na=False).rename(columns=_NAMES)
    later = rows["from_epoch"] > rows.groupby("run")["from_epoch"].transform("min")
    rows["pair"] = [PAIRS[int(second)] for second in later]
    rows["suspect"] = rows["note"].str.startswith("suspect")
    return rows


def published_accuracy() -> pd.DataFrame:
    """Accuracies under the maps of ConceptEvo's figure of discoveries.

    Columns: ``model`` (the authors' nickname), ``epoch``, ``train_accuracy``, ``test_accuracy`` (NaN: not shown),
    ``source``, ``caveat``.
    """
    return pd.read_csv(HERE / "conceptevo_discovery_accuracy.csv")


def accuracy_words(model: str, split: str = "train") -> str:
    """``train accuracy 0.06, 0.61 at epochs 0, 5`` of a model of `published_accuracy`."""
    own = published_accuracy().query("model == @model").dropna(subset=[f"{split}_accuracy"])
    values = ", ".join(f"{value:.2f}" for value in own[f"{split}_accuracy"])
    return f"{split} accuracy {values} at epochs {', '.join(map(str, own['epoch']))}"


def published_stamps() -> pd.DataFrame:
    """CDISCO's accuracies of a ResNet-50 on stamped images: ``p``, ``stamped``, ``plain`` (shares of test images)."""
    rows = pd.read_csv(HERE / "cdisco_stamp_accuracy.csv")
    percent = rows[["resnet50_stamped_test_percent", "resnet50_no_stamp_test_percent"]].to_numpy(dtype=float)
    return pd.DataFrame(
        {"p": rows["noise_p"].astype(float), "stamped": percent[:, 0] / 100, "plain": percent[:, 1] / 100}
    )


def published_clusters() -> pd.DataFrame:
    """CDISCO's directions by their surviving clusters: ``method`` (svd, neurons), ``clusters``, ``directions``."""
    rows = pd.read_csv(HERE / "cdisco_clusters_per_direction.csv").rename(columns=_METHODS)
    long = rows.melt("clusters_surviving", list(_METHODS.values()), "method", "directions")
    return long.rename(columns={"clusters_surviving": "clusters"})[["method", "clusters", "directions"]]


def published_bands() -> pd.DataFrame:
    """CDISCO's bands of singular values.

    Columns: ``first``, ``last`` (indices), ``directions``, ``mean_clusters``, ``directions_with_zero``.
    """
    names = {"first_index": "first", "last_index": "last"}
    return pd.read_csv(HERE / "cdisco_clusters_by_singular_index.csv").rename(columns=names)


def published_means() -> pd.DataFrame:
    """Mean clusters per direction that follow from `published_clusters`.

    Columns: ``method``, ``counting``, ``directions``, ``value``. The countings are those of the measured means: a
    direction that holds none counts as one, as none, or not at all.
    """
    rows = []
    for method, own in published_clusters().groupby("method", sort=False):
        for counting, clusters, kept in (
            ("empty as one", own["clusters"].clip(lower=1), own["clusters"] >= 0),
            ("empty as none", own["clusters"], own["clusters"] >= 0),
            ("without empty", own["clusters"], own["clusters"] > 0),
        ):
            weights = own.loc[kept, "directions"]
            value = float((clusters[kept] * weights).sum() / weights.sum())
            rows.append((method, counting, int(weights.sum()), value))
    return pd.DataFrame(rows, columns=["method", "counting", "directions", "value"])


def published_study(kind: str) -> pd.DataFrame:
    """Published conditions of one ``kind`` of human study; no rows where nothing is published.

    Columns: ``condition`` ("" for a study as a whole), ``participants``, ``items`` (text, as published), ``chance``
    and ``accuracy`` (NaN where unpublished), ``source``. ConceptEvo published how many sets each condition had and
    how many people took part (260, in its first version only), but no accuracy.
    """
    return _sister(_TASKS[kind]) if kind in _TASKS else _conceptevo(kind)


def _sister(task: str) -> pd.DataFrame:
    """The study of O'Mahony et al. (2023), by authors of CDISCO and of the same design."""
    rows = pd.read_csv(HERE / "cdisco_human_study.csv")
    rows = rows[rows["task"].str.startswith(task)].rename(columns={"study": "source", "result": "accuracy"})
    return rows.assign(condition="", items=rows["items"].astype(str))[_STUDY].reset_index(drop=True)


def _conceptevo(kind: str) -> pd.DataFrame:
    every = pd.read_csv(HERE / "conceptevo_human_study.csv", dtype=str, keep_default_na=False)
    people = int(every.loc[every["task"] == "participants", "items"].iloc[0])
    rows = every[every["task"] == kind]
    # Of six sets one is the intruder; the random condition has none.
    guess = 1 / 6 if kind == "alignability" else float("nan")
    chance = [float("nan") if name == "random" else guess for name in rows["condition"]]
    source = "ConceptEvo, " + rows["source"]
    rows = rows.assign(participants=people, chance=chance, accuracy=float("nan"), source=source)
    if kind == "evolution_label":
        rows = rows.assign(items=rows["items"] + " (" + rows["condition"] + ")", condition="")
    return rows[_STUDY].reset_index(drop=True)
