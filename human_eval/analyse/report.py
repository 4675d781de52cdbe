"""The report on a study: all tables of its answers so far, their figures, and a page that shows both."""

import html
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evoscope.viz import Sheet, interval_rows, message, use_style
from evoscope.viz.sheet import PAGE
from evoscope.viz.style import INK, LARGE, QUIET, SMALL, elide, plain
from human_eval.analyse.accuracy import (
    Level,
    accuracy,
    beside,
    fleiss_kappa,
    krippendorff_alpha,
    response_times,
    retest,
)
from human_eval.analyse.answers import agreement_matrix, checked, exclusions, option_shares, per_participant, tidy
from human_eval.analyse.contrasts import PRIMARY, contrasts, ordinal_model
from human_eval.analyse.labels import label_agreement, label_embedding
from human_eval.design.baselines import PHOTOS, Baseline, baselines
from human_eval.design.trial import Study

BASELINES = [field.name for field in fields(Baseline)]
PEOPLE, SIMULATED = "people", "simulated"  # what a table's column ``data`` says
NOT_PEOPLE = "SIMULATED participants, not people"
Tables = dict[str, pd.DataFrame]
CAPTIONS = {
    "accuracy": "Share of right answers of the counted participants in main trials, with its 95 % interval over people"
    " and items; grey: chance; red triangles: what a machine finds by photographs (up) or colours (down) alone; open"
    " diamonds: published, with Wilson's interval over participants.",
    "times": "Response times of the counted participants' main trials.",
    "participants": "Every participant's accuracy on the main trials of their block; dashed: chance.",
    "agreement_matrix": "Share of the main trials that both saw which two participants answered alike.",
    "options": "Options taken in main trials, as shares of each condition's answers.",
}
HEADINGS = {
    "about": "The study",
    "accuracy": "Accuracy against chance",
    "contrasts": "Contrasts",
    "baselines": "What the pictures alone give away",
    "published": "Published results beside",
    "ordinal_model": "Cumulative logit model of ratings",
    "retest": "The same question again",
    "agreement": "Agreement of closed answers",
    "labels": "Agreement of names",
    "options": "Options",
    "times": "Response times (s)",
    "exclusions": "Exclusions",
}
LONGEST = 100  # rows of a table on the page
STYLE = (
    "body{max-width:64rem;margin:2rem auto;padding:0 1rem;font:16px/1.5 system-ui,sans-serif;color:#1a1f24}"
    "table{border-collapse:collapse;display:block;overflow-x:auto;font-size:.85rem}th,td{padding:.2rem .6rem;"
    "border-bottom:1px solid #d9dee3;text-align:left}img{max-width:100%}figure{margin:1rem 0}"
    ".simulated{padding:.6rem 1rem;background:#8c1d18;color:#fff;font-weight:600}"
)
BLUE, RED = "#0072b2", "#b2182b"
# Inches.
ROW, LABEL, PLOT, TOP, AXIS = 0.24, 1.9, 3.3, 0.42, 0.5
PANEL = 2.6


def analyse(study: Study, answers: pd.DataFrame, seed: int = 0, embedding: str = "") -> Tables:
    """Compute all tables, by name; partial data give smaller ones.

    ``answers`` (tidy), ``exclusions`` and ``participants`` are of everybody; the others of those who count. People and
    simulated participants never meet: where there are any people, the simulated ones are left out. Every table says in
    ``data`` which of the two it is about.

    Parameters
    ----------
    study, answers : the study with its key, and answers as collected (`read_answers`).
    seed : of the shuffles of names.
    embedding : of labels: ``characters``, the path of a file of word vectors, or "" for none.
    """
    data, own = _of_one_sort(answers)
    every = tidy(study, checked(study, own))
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
        "baselines": pd.DataFrame(list(map(asdict, baselines(study))), columns=BASELINES),
        "contrasts": contrasts(study, counted, every, seed),
        "published": beside(study.kind, right, study.primary),
        "agreement": agreement(study, counted),
        "labels": label_agreement(counted, embed),
        "agreement_matrix": agreement_matrix(counted),
        "options": option_shares(counted, study.trials[0].form.options),
        "times": response_times(counted),
        "retest": retest(study, counted),
        "ordinal_model": ordinal_model(study, counted),
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
    return pd.DataFrame(rows, columns=["condition", "items", "raters", "fleiss_kappa", "krippendorff_alpha", "level"])


def _agreed(study: Study, name: str, part: pd.DataFrame) -> list[object]:
    table = part.pivot_table(index="participant", columns="trial", values="given").astype("Float64")
    ratings = table.to_numpy(dtype=float, na_value=np.nan)
    most = int(np.nanmax(ratings)) + 1
    counts = np.stack([(ratings == value).sum(axis=0) for value in range(most)], axis=1)
    level: Level = "ordinal" if study.kind == "pairwise_coherence" else "nominal"
    return [name, table.shape[1], table.shape[0], fleiss_kappa(counts), krippendorff_alpha(ratings, level), level]


def figures(tables: Tables) -> dict[str, Figure]:
    """Figures for which there are data, by file name."""
    drawings: dict[str, Callable[[Tables], Figure]] = {
        "accuracy": accuracy_figure,
        "times": times_figure,
        "participants": participants_figure,
        "agreement_matrix": matrix_figure,
        "options": options_figure,
    }
    with use_style():
        return {name: draw(tables) for name, draw in drawings.items() if len(tables[name])}


def accuracy_figure(tables: Tables) -> Figure:
    """Accuracy per condition with its interval, chance as a grey line, published values as open diamonds."""
    rows, published = tables["accuracy"], tables["published"].dropna(subset="accuracy")
    names = [*rows["condition"], *["published, same task"] * len(published)]
    sheet = _sheet(tables, "Accuracy by condition", len(names))
    axes = sheet.axes(LABEL, TOP, PLOT, ROW * len(names))
    value, low, high, chance = (
        np.concatenate([each[name].to_numpy(dtype=np.float64) for each in (rows, published)])
        for name in ("accuracy", "low", "high", "chance")
    )
    colours = [BLUE] * len(rows) + [INK] * len(published)
    interval_rows(axes, value, low, high, colours, (chance, chance, chance))
    for line in axes.lines[-2 * len(published) :] if len(published) else []:
        line.set(marker="D" if line.get_marker() == "o" else "", mfc="white", mec=INK, mew=0.8)
    conditions = list(rows["condition"])
    for machine in tables["baselines"][tables["baselines"]["condition"].isin(conditions)].to_dict("records"):
        marker = "^" if machine["observer"] == PHOTOS else "v"
        at = float(machine["value"]), conditions.index(machine["condition"])
        axes.plot([at[0]], [at[1]], marker=marker, mfc="white", mec=RED, mew=0.9, ms=4.5, ls="", zorder=5)
    notes = [f"{value:.2f}  (n {n:,})" for value, n in zip(rows["accuracy"], rows["participants"], strict=True)]
    notes += [f"{row.accuracy:.2f}  (n {row.participants:,})" for row in published.itertuples()]
    _named(sheet, axes, names, notes)
    axes.set_xlim(0, 1.02)
    axes.set_xlabel("share of right answers")
    return sheet.figure


def times_figure(tables: Tables) -> Figure:
    """Median response time per condition, with quartiles."""
    rows = tables["times"]
    sheet = _sheet(tables, "Response times", len(rows))
    axes = sheet.axes(LABEL, TOP, PLOT, ROW * len(rows))
    quartiles = [rows[name].to_numpy(dtype=np.float64) for name in ("median", "lower", "upper")]
    interval_rows(axes, quartiles[0], quartiles[1], quartiles[2], [BLUE] * len(rows))
    notes = [f"{row.median:.1f} s  (n {row.answers:,})" for row in rows.itertuples()]
    _named(sheet, axes, [str(name) for name in rows["condition"]], notes)
    axes.set_xlim(0, 1.05 * float(np.nanmax([*quartiles[2], 1e-3])))
    axes.set_xlabel("seconds: median and quartiles of the answers")
    return sheet.figure


def participants_figure(tables: Tables) -> Figure:
    """Accuracy of every participant in order, excluded ones as red crosses."""
    rows = tables["participants"].sort_values(["accuracy", "participant"]).reset_index(drop=True)
    sheet = Sheet(PAGE, TOP + PANEL + AXIS)
    _headed(sheet, tables, "Accuracy of each participant")
    axes = sheet.axes(0.6, TOP, PAGE - 2.2, PANEL)
    share, gone = rows["accuracy"].to_numpy(dtype=np.float64), rows["excluded"].to_numpy(dtype=bool)
    place = np.arange(1, len(rows) + 1)
    axes.scatter(place[~gone], share[~gone], s=12, color=BLUE, lw=0, zorder=3, clip_on=False)
    axes.scatter(place[gone], share[gone], s=14, color=RED, marker="x", lw=0.9, zorder=4, clip_on=False)
    chance = float(rows["chance"].mean())
    axes.axhline(chance, color=QUIET, lw=1.0, linestyle=(0, (3, 1.6)), zorder=2)
    axes.set(xlabel="participants, from the least accurate", ylabel="share of right answers")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(0.4, len(rows) + 0.6)
    axes.locator_params(axis="x", integer=True)
    left = PAGE - 1.45
    sheet.swatch(left, TOP, BLUE, marker="o")
    sheet.text(left + 0.18, TOP, f"counted ({int((~gone).sum()):,})")
    sheet.swatch(left, TOP + 0.2, RED, marker="x")
    sheet.text(left + 0.18, TOP + 0.2, f"excluded ({int(gone.sum()):,})")
    sheet.swatch(left, TOP + 0.4, QUIET, "dashed")
    sheet.text(left + 0.28, TOP + 0.4, f"chance ({chance:.2f})")
    return sheet.figure


def matrix_figure(tables: Tables) -> Figure:
    """How often any two participants answered alike, the most agreeing first."""
    table = tables["agreement_matrix"].drop(columns="data").set_index("participant")
    shares = table.to_numpy(dtype=np.float64)
    known = np.isfinite(shares).any(axis=1)
    mean = np.array([np.nanmean(row) if some else -1.0 for row, some in zip(shares, known, strict=True)])
    order = np.argsort(-mean, kind="stable")
    sheet = Sheet(PAGE, TOP + 3.6 + AXIS)
    _headed(sheet, tables, f"Same answers of any two participants (the first {len(order)})")
    axes = sheet.axes(0.6, TOP, 3.6, 3.6)
    if not known.any():
        message(axes, "no two share a trial")
        return sheet.figure
    drawn = axes.imshow(np.ma.masked_invalid(shares[np.ix_(order, order)]), cmap="cividis", vmin=0, vmax=1)
    axes.set_facecolor("#d9d9d9")
    axes.set(xlabel="participants, those who agree most first", ylabel="participants")
    axes.set_xticks([])
    axes.set_yticks([])
    bar = sheet.axes(4.5, TOP, 0.14, 1.6)
    sheet.figure.colorbar(drawn, cax=bar, label="share of shared trials")
    sheet.text(4.5, TOP + 1.8, "grey: no shared trial", size=SMALL, color=QUIET)
    return sheet.figure


def options_figure(tables: Tables) -> Figure:
    """Shares of the options in every condition, as a table of shades."""
    table = tables["options"].drop(columns="data").set_index("condition")
    counts, shares = table.pop("answers"), table.to_numpy(dtype=np.float64)
    sheet = _sheet(tables, "What was chosen", len(table) + 1)
    axes = sheet.axes(LABEL, TOP + 0.2, PLOT, ROW * len(table))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(*shares.shape):
        dark = "white" if shares[row, column] > 0.55 else INK
        axes.text(column, row, f"{shares[row, column]:.2f}", ha="center", va="center", size=SMALL, color=dark)
    names = [plain(elide(str(name), PLOT / shares.shape[1] - 0.05, SMALL)) for name in table.columns]
    axes.set_xticks(range(len(names)), names, size=SMALL)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _named(sheet, axes, [str(name) for name in table.index], [f"(n {n:,})" for n in counts], TOP + 0.2)
    return sheet.figure


def _sheet(tables: Tables, title: str, rows: int) -> Sheet:
    sheet = Sheet(PAGE, TOP + ROW * rows + AXIS)
    _headed(sheet, tables, title)
    return sheet


def _headed(sheet: Sheet, tables: Tables, title: str) -> None:
    sheet.text(0.1, 0.08, title, size=LARGE, bold=True)
    if _sort(tables) == NOT_PEOPLE:
        sheet.text(PAGE - 0.1, 0.08, NOT_PEOPLE, size=LARGE, bold=True, across="right", color=RED)


def _named(sheet: Sheet, axes: Axes, names: list[str], notes: list[str], top: float = TOP) -> None:
    """Names left of the rows of ``axes`` and notes to their right."""
    axes.set_yticks(range(len(names)), [plain(elide(name, LABEL - 0.2, SMALL)) for name in names], size=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for place, note in enumerate(notes):
        sheet.text(LABEL + PLOT + 0.1, top + ROW * (place + 0.5) - 0.05, note, size=SMALL, color=QUIET)


def write_report(tables: Tables, folder: Path) -> list[Path]:
    """Write every table as parquet, all but the answers as CSV too, figures as PNG, and ``report.html``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        plain = table.assign(texts=table["texts"].map(list)) if "texts" in table else table
        plain.to_parquet(folder / f"{name}.parquet")
        if name != "answers":
            table.map(_harmless).rename(columns=_harmless).to_csv(folder / f"{name}.csv", index=False)
    drawn = figures(tables)
    note = {"Software": None, "Description": _sort(tables)}
    with use_style():
        for name, figure in drawn.items():
            figure.savefig(folder / f"{name}.png", dpi=200, metadata=note)
    (folder / "report.html").write_text(report_page(tables, list(drawn)), encoding="utf-8")
    return sorted(folder.iterdir())


def _sort(tables: Tables) -> str:
    return NOT_PEOPLE if (tables["about"]["data"] == SIMULATED).all() else "Answers of people"


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def report_page(tables: Tables, drawn: list[str]) -> str:
    """One HTML page; everything that anybody wrote stands in it as text."""
    name = html.escape(str(tables["about"].set_index("what").loc["study", "value"]))
    primary = tables["contrasts"][tables["contrasts"]["analysis"] == PRIMARY]
    said = [f"<p><strong>{html.escape(text)}</strong></p>" for text in primary["conclusion"]]
    banner = f'<p class="simulated">{NOT_PEOPLE}</p>' if _sort(tables) == NOT_PEOPLE else ""
    parts = [_section(key, tables[key], key in drawn) for key in HEADINGS if len(tables[key])]
    others = [_figure(key) for key in drawn if key not in HEADINGS]
    body = "\n".join([banner, f"<h1>{name}</h1>", *said, *parts, *others])
    head = f'<meta charset="utf-8"><title>{name}: {_sort(tables)}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _section(key: str, table: pd.DataFrame, pictured: bool) -> str:
    shown = table.drop(columns="data").head(LONGEST)
    rest = f"<p>{len(table) - LONGEST:,} more in {key}.csv.</p>" if len(table) > LONGEST else ""
    rows = shown.to_html(index=False, escape=True, border=0, float_format="{:.3f}".format, na_rep="–")
    return f"<h2>{HEADINGS[key]}</h2>\n{_figure(key) if pictured else ''}{rows}{rest}"


def _figure(key: str) -> str:
    caption = CAPTIONS[key]
    return f'<figure><img src="{key}.png" alt="{caption}"><figcaption>{caption}</figcaption></figure>\n'
