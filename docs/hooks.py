"""What mkdocs does not know of this repository: links that leave ``docs/``, and how its docstrings are written."""

import posixpath
import re
import tomllib
from pathlib import Path
from typing import Any

import griffe
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<=\]\()(?P<target>\.\./[^)#\s]*)(?P<anchor>#[^)\s]*)?(?=\))")
PICTURES = (".png", ".webp", ".svg", ".gif")
# ``name : text`` in one line, where numpydoc wants the text below the name.
ONE_LINE = re.compile(r"^(?P<name>[\w*, ]+) : (?P<text>\S.*)$", re.MULTILINE)


def on_config(config: Any) -> Any:
    """Take the addresses from pyproject.toml, their only home."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    config.site_url, config.repo_url = urls["Documentation"], urls["Repository"]
    config.repo_name = urls["Repository"].rpartition("github.com/")[2]
    return config


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Lead links out of ``docs/`` to the repository, and take the pictures among them into the site."""
    here = posixpath.dirname(posixpath.join("docs", page.file.src_uri))

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(here, match["target"]))
        if target.startswith("docs/"):
            return match[0]
        if not (ROOT / target).exists():
            raise FileNotFoundError(f"{page.file.src_uri}: there is no {target}")
        if not target.endswith(PICTURES):
            return f"{config.repo_url}/blob/main/{target}{match['anchor'] or ''}"
        if files.get_file_from_path(target) is None:
            files.append(File.generated(config, target, abs_src_path=str(ROOT / target)))
        return posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".")

    return LINK.sub(moved, markdown)


class HouseDocstrings(griffe.Extension):
    """Docstrings of the house, in which a parameter's text stands behind its name, as numpydoc."""

    def on_object(self, *, obj: griffe.Object, **rest: Any) -> None:
        """Put the text below the name."""
        if obj.docstring:
            obj.docstring.value = ONE_LINE.sub(r"\g<name>\n    \g<text>", obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **rest: Any) -> None:
        """Show what a package exports once, in the module that has it."""
        pkg.exports = None
        for module in pkg.modules.values():
            if not module.is_alias:
                self.on_package(pkg=module)
