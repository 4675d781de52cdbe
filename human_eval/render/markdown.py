"""The little Markdown that consent and instructions need, to HTML in which nothing of the user's is markup."""

import html
import re

INLINE: tuple[tuple[str, str], ...] = (
    (r"\*\*(.+?)\*\*", r"<strong>\1</strong>"),
    (r"(?<!\*)\*([^*]+)\*(?!\*)", r"<em>\1</em>"),
    (r"\[([^\]]+)\]\((https?://[^\s)\"']+|mailto:[^\s)\"']+)\)", r'<a href="\2" rel="noreferrer">\1</a>'),
)


def to_html(text: str) -> str:
    """Headings, paragraphs, lists, bold, italics and http(s) links; everything else is escaped text."""
    blocks = re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip())
    return "\n".join(_block(block) for block in blocks if block.strip())


def _block(block: str) -> str:
    lines = block.strip().split("\n")
    heading = re.match(r"(#{1,3}) +(.*)", lines[0])
    if heading:
        # The page has its own first heading, so a Markdown # is a second one.
        level = len(heading[1]) + 1
        rest = "\n".join(lines[1:])
        return f"<h{level}>{_inline(heading[2])}</h{level}>" + (_block(rest) if rest.strip() else "")
    if all(re.match(r"\s*[-*] +", line) for line in lines):
        return _list("ul", lines, r"\s*[-*] +")
    if all(re.match(r"\s*\d+\. +", line) for line in lines):
        return _list("ol", lines, r"\s*\d+\. +")
    return f"<p>{_inline(' '.join(line.strip() for line in lines))}</p>"


def _list(tag: str, lines: list[str], mark: str) -> str:
    items = "".join(f"<li>{_inline(re.sub(mark, '', line, count=1))}</li>" for line in lines)
    return f"<{tag}>{items}</{tag}>"


def _inline(text: str) -> str:
    escaped = html.escape(text)
    for pattern, replacement in INLINE:
        escaped = re.sub(pattern, replacement, escaped)
    return escaped
