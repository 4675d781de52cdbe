"""The report on disk: tables as parquet and CSV, figures as PNG, and one page that shows them."""

import html
from pathlib import Path

import pandas as pd

from evoscope.viz import use_style
from human_eval.analyse.plots import NOT_PEOPLE, figures
from human_eval.analyse.report import SIMULATED, Tables

CAPTIONS = {
    "accuracy": "Mean accuracy of the counted participants on main trials, with Student's 95 % interval over"
    " participants (Wilson's where there is one); grey: chance; open diamonds: published, without interval.",
    "times": "Response times of the counted participants' main trials.",
    "participants": "Every participant's accuracy on the main trials of their block; dashed: chance.",
    "agreement_matrix": "Share of the main trials that both saw which two participants answered alike.",
    "options": "Options taken in main trials, as shares of each condition's answers.",
}
HEADINGS = {
    "about": "The study",
    "accuracy": "Accuracy against chance",
    "published": "Published results beside",
    "mixed_model": "Mixed-effects logistic model",
    "agreement": "Agreement of closed answers",
    "labels": "Agreement of names",
    "options": "Options",
    "times": "Response times (s)",
    "exclusions": "Exclusions",
}
LONGEST = 100
STYLE = (
    "body{max-width:64rem;margin:2rem auto;padding:0 1rem;font:16px/1.5 system-ui,sans-serif;color:#1a1f24}"
    "table{border-collapse:collapse;display:block;overflow-x:auto;font-size:.85rem}th,td{padding:.2rem .6rem;"
    "border-bottom:1px solid #d9dee3;text-align:left}img{max-width:100%}figure{margin:1rem 0}"
    ".simulated{padding:.6rem 1rem;background:#8c1d18;color:#fff;font-weight:600}"
)


def write_report(tables: Tables, folder: Path) -> list[Path]:
    """Write every table as parquet, all but the answers as CSV too, figures as PNG, and ``report.html``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        plain = table.assign(texts=table["texts"].map(list)) if "texts" in table else table
        plain.to_parquet(folder / f"{name}.parquet")
        if name != "answers":
            _for_spreadsheets(table).to_csv(folder / f"{name}.csv", index=False)
    drawn = figures(tables)
    note = {"Software": None, "Description": _sort(tables)}
    with use_style():
        for name, figure in drawn.items():
            figure.savefig(folder / f"{name}.png", dpi=200, metadata=note)
    (folder / "report.html").write_text(report_page(tables, list(drawn)), encoding="utf-8")
    return sorted(folder.iterdir())


def _sort(tables: Tables) -> str:
    return NOT_PEOPLE if (tables["about"]["data"] == SIMULATED).all() else "Answers of people"


def _for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """Texts, names of columns too, that a spreadsheet would take for formulas get an apostrophe."""
    return table.map(_harmless).rename(columns=_harmless)


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def report_page(tables: Tables, drawn: list[str]) -> str:
    """One HTML page; everything that anybody wrote stands in it as text."""
    name = html.escape(str(tables["about"].set_index("what").loc["study", "value"]))
    banner = f'<p class="simulated">{NOT_PEOPLE}</p>' if _sort(tables) == NOT_PEOPLE else ""
    parts = [_section(key, tables[key], key in drawn) for key in HEADINGS if len(tables[key])]
    others = [_figure(key) for key in drawn if key not in HEADINGS]
    body = "\n".join([banner, f"<h1>{name}</h1>", *parts, *others])
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
