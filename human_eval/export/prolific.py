"""Prolific: one study address per block, with its placeholders and the completion code."""

from urllib.parse import parse_qs, urlsplit

from human_eval.export.tables import from_table, to_table

COLUMNS = ["block", "external_study_url", "completion_code", "completion_url"]
PLACEHOLDERS = "PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}"
RETURN = "https://app.prolific.com/submissions/complete?cc="


def to_csv(blocks: list[str], host: str, code: str) -> str:
    """A row per block, whose rendered folder lies below ``host``."""
    return to_table(
        COLUMNS,
        [
            {
                "block": block,
                "external_study_url": f"{host}/{block}/index.html?{PLACEHOLDERS}",
                "completion_code": code,
                "completion_url": RETURN + code,
            }
            for block in blocks
        ],
    )


def from_csv(text: str) -> tuple[list[str], str, str]:
    """Blocks, host and code of `to_csv`, from the addresses alone."""
    rows = from_table(text)
    urls = [urlsplit(row["external_study_url"]) for row in rows]
    blocks = [url.path.split("/")[-2] for url in urls]
    first = rows[0]["external_study_url"]
    host = first[: first.index(f"/{blocks[0]}/index.html")]
    return blocks, host, parse_qs(urlsplit(rows[0]["completion_url"]).query, keep_blank_values=True)["cc"][0]
