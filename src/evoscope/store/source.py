"""Whether a stage's source changed without its version being raised.

A lock file records, per stage, its version and a digest of its source; a test compares it with the code.
"""

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

from evoscope.errors import EvoscopeError
from evoscope.store.hashing import JSON, digest_bytes, pretty
from evoscope.store.node import Stage

Lock: TypeAlias = dict[str, dict[str, JSON]]


def source_digest(modules: Iterable[str]) -> str:
    """Hex SHA-256 of what modules and packages (with all their modules) do.

    Comments, docstrings, blank lines and layout do not count, nor does the version of Python that parses
    them.

    Raises
    ------
    EvoscopeError : a module does not exist or has no Python source.
    """
    parts = [f"{name}\n{_code(path)}" for name, path in sorted(_sources(modules).items())]
    return digest_bytes("\n".join(parts).encode())


def _sources(modules: Iterable[str]) -> dict[str, Path]:
    """Source file of each module by its dotted name."""
    return dict(pair for module in modules for pair in _sources_of(module))


def _sources_of(module: str) -> Iterator[tuple[str, Path]]:
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise EvoscopeError(f"'{module}' is not a Python module", "correct the modules of the stage")
    origin = Path(spec.origin)
    if spec.submodule_search_locations is None:
        yield module, origin
        return
    for path in origin.parent.rglob("*.py"):
        name = path.relative_to(origin.parent).with_suffix("").as_posix().replace("/", ".")
        yield f"{module}.{name}", path


def _code(path: Path) -> str:
    return _spelled(ast.parse(path.read_text(encoding="utf-8")))


def _spelled(node: object) -> str:
    """Text of a syntax tree without positions, docstrings and empty fields (newer Pythons add some)."""
    if isinstance(node, list):
        return f"[{','.join(map(_spelled, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, _without_docstring(node, name, value)) for name, value in ast.iter_fields(node)]
    told = [f"{name}={_spelled(value)}" for name, value in fields if value is not None and value != []]
    return f"{type(node).__name__}({','.join(told)})"


def _without_docstring(node: ast.AST, name: str, value: object) -> object:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    if name == "body" and isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
        return node.body[1:]
    return value


def _recorded(stages: Iterable[Stage]) -> Lock:
    return {
        stage.name: {"version": stage.version, "digest": source_digest(stage.modules)} for stage in stages
    }


def check_versions(stages: Iterable[Stage], lock: Mapping[str, Mapping[str, JSON]]) -> list[str]:
    """Compare stages with the lock: one sentence per problem, none when all is well."""
    current = _recorded(stages)
    problems = [_problem(name, current.get(name), lock.get(name)) for name in sorted({*current, *lock})]
    return [problem for problem in problems if problem]


def _problem(name: str, now: Mapping[str, JSON] | None, then: Mapping[str, JSON] | None) -> str:
    if now is None:
        return f"stage {name} is in the lock but is no stage any more: write the lock again"
    if then is None:
        return f"stage {name} is new: write the lock again"
    if now["version"] != then.get("version"):
        return (
            f"stage {name} has version {now['version']}, the lock {then.get('version')}: write the lock again"
        )
    if now["digest"] != then.get("digest"):
        return f"the source of stage {name} changed but its version is still {now['version']}: raise it"
    return ""


def read_lock(path: Path) -> Lock:
    """Read the lock file; empty when there is none yet.

    Raises
    ------
    EvoscopeError : it is not a lock file.
    """
    if not path.exists():
        return {}
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EvoscopeError(f"'{path}' is no JSON ({error})", "restore it from version control") from error
    if not isinstance(lock, dict) or not all(isinstance(record, dict) for record in lock.values()):
        raise EvoscopeError(f"'{path}' is not a lock file", "restore it from version control")
    return lock


def write_lock(stages: Iterable[Stage], path: Path, same_results: Iterable[str] = ()) -> None:
    """Record the present versions and sources.

    Parameters
    ----------
    same_results : names of stages whose source changed without changing any result; only these may keep their
    version.

    Raises
    ------
    EvoscopeError : the source of another stage changed and its version was not raised.
    """
    stages = list(stages)
    current, lock, excused = _recorded(stages), read_lock(path), set(same_results)
    for name in sorted(current.keys() & lock.keys() - excused):
        if current[name]["digest"] != lock[name].get("digest") and not _raised(current[name], lock[name]):
            raise EvoscopeError(
                f"the source of stage {name} changed but its version is still {current[name]['version']}",
                "raise the version, or name the stage in same_results if no result changes",
            )
    path.write_bytes(pretty(current))


def _raised(now: Mapping[str, JSON], then: Mapping[str, JSON]) -> bool:
    before, after = then.get("version"), now["version"]
    return isinstance(after, int) and (not isinstance(before, int) or after > before)
