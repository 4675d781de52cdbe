"""The source that decides a result: the definitions that a function and the types of its arguments reach.

A digest of a whole module would change with every neighbour of a stage, and a list kept by hand has holes. So names are
followed: from a function's body to the definitions that it names, in this module or in the one that they are imported
from, and on from those. Comments, docstrings and layout do not count. Code that brings a result about without deciding
it (`NEUTRAL`) and code of other distributions are left out; `evoscope.store.manifest` records the libraries' versions.
"""

import ast
import symtable
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

from evoscope.errors import OURS, EvoscopeError
from evoscope.store.hashing import digest_bytes
from evoscope.store.node import Node

Definition: TypeAlias = tuple[str, str]
"""Dotted module and the name of something defined at its top level."""

NEUTRAL = ("evoscope.store", "evoscope.errors", "evoscope.progress", "evoscope.artefacts")
_STARTED = time.time()
_FOREIGN = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


@dataclass(frozen=True)
class Module:
    """What a module defines, by top-level name, and what it imports, by the name it is known under.

    ``loose``: statements that run on import without defining a name; ``scopes``: of its functions and classes;
    ``edited``: the file was written after this process began, so what runs may be other code than what stands there.
    """

    name: str
    defined: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imported: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    loose: list[ast.stmt] = field(default_factory=list)
    scopes: list[symtable.SymbolTable] = field(default_factory=list)
    edited: bool = False


def source_digest(function: Callable[..., object], arguments: Iterable[object] = ()) -> str:
    """Hex SHA-256 of the code that a function and the types of its arguments reach.

    Parameters
    ----------
    function : defined at the top level of a module.
    arguments : what it is called with; methods of their classes, and of what these hold, may run too.
    """
    return _digest(roots(function, arguments))


def roots(function: Callable[..., object], arguments: Iterable[object] = ()) -> frozenset[Definition]:
    """Definitions that following begins with: the function's and those of the types of its arguments."""
    found = {_root(function), *(root for argument in arguments for root in _types(argument))}
    return frozenset(root for root in found if root)


@lru_cache(maxsize=4096)
def _digest(roots: frozenset[Definition]) -> str:
    spelled = [f"{module}.{name}\n{_text(module, name)}" for module, name in sorted(reached(roots))]
    return digest_bytes("\n".join(spelled).encode())


def reached(roots: Iterable[Definition]) -> set[Definition]:
    """All definitions that some definitions lead to, themselves included; the name "" is a module's loose code."""
    found: set[Definition] = set()
    waiting = list(roots)
    while waiting:
        place = _resolved(*waiting.pop())
        if place is None or place in found:
            continue
        found.add(place)
        waiting += _leads_to(*place)
    return found


def module_digest(name: str) -> str:
    """Hex SHA-256 of the code of a module and of all modules that it imports, other distributions' left out.

    The module itself counts even where it belongs to another distribution.

    Raises
    ------
    EvoscopeError : there is no such module, or it has no Python source.
    """
    if _path(name) is None:
        raise EvoscopeError(f"'{name}' is no module with a Python source", "check its name, and that Python finds it")
    seen: dict[str, str] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module in seen or (module != name and not _ours(module)):
            continue
        tree = ast.parse(_read(module)[0])
        seen[module] = _spelled(tree)
        waiting += [target for target, _ in _imports(tree, module).values()]
        waiting += [f"{target}.{each}" for target, each in _imports(tree, module).values() if each]
    return digest_bytes("\n".join(f"{each}\n{seen[each]}" for each in sorted(seen)).encode())


def _root(value: object) -> Definition | None:
    """Top-level definition that a function or class stands in."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    return (module, name.partition(".")[0]) if module and name else None


def _types(value: object, depth: int = 6) -> Iterator[Definition | None]:
    """Definitions of the classes of a value and of what it holds, and of functions among these."""
    if isinstance(value, tuple | list | dict):
        held = list(value.values() if isinstance(value, dict) else value)
        for each in held if held and not isinstance(held[0], str | int | float) else ():
            yield from _types(each, depth)
    elif isinstance(value, partial):
        yield from _types([value.func, *value.args, *value.keywords.values()], depth)
    elif callable(value) and hasattr(value, "__qualname__"):
        yield _root(value)
        yield from _types(getattr(value, "__self__", None), depth - 1)
    elif isinstance(value, Node):
        # What it holds is read back as a class of ours, whose methods run then.
        yield from _types(getattr(value, "read", None), depth)
    elif depth and _ours(type(value).__module__) and not _neutral(type(value).__module__):
        yield _root(type(value))
        names = [each.name for each in fields(value)] if is_dataclass(value) else list(vars(value))
        for name in names:
            yield from _types(getattr(value, name, None), depth - 1)


def _resolved(module: str, name: str) -> Definition | None:
    """Where a name is defined, through re-exports; None where that is not for us to follow."""
    for _ in range(10):
        if _neutral(module) or not _ours(module):
            return None
        found = _module(module)
        if name in found.defined or not name:
            return module, name
        if name not in found.imported:
            return None
        target, each = found.imported[name]
        if each is None:
            return None
        module, name = target, each
    return None


@cache
def _leads_to(module: str, name: str) -> frozenset[Definition]:
    """Definitions that a definition names, and the loose code of its module."""
    found = _module(module)
    named = {(module, "")}
    for statement in found.defined[name] if name else found.loose:
        named.update((module, each) for each in _global_names(found, statement))
        for node in ast.walk(statement):
            held = node.value if isinstance(node, ast.Attribute) else None
            # The definition behind ``module.name``, where a module is meant.
            if isinstance(node, ast.Attribute) and isinstance(held, ast.Name) and held.id in found.imported:
                target, each = found.imported[held.id]
                named.add((target if each is None else f"{target}.{each}", node.attr))
    return frozenset(named)


def _global_names(found: Module, statement: ast.stmt) -> Iterator[str]:
    """Names that a top-level statement looks up in its module; not what it calls its own arguments and fields."""
    decorated = getattr(statement, "decorator_list", [])
    first, last = min(each.lineno for each in (statement, *decorated)), statement.end_lineno or 0
    scopes = [scope for scope in found.scopes if first <= scope.get_lineno() <= last]
    while scopes:
        scope = scopes.pop()
        yield from (each.get_name() for each in scope.get_symbols() if each.is_global() or each.is_imported())
        scopes += scope.get_children()
    # What is evaluated outside of these scopes: annotations, defaults, decorators, bases, values of constants.
    own = statement.body if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) else []
    inside = {id(node) for each in own for node in ast.walk(each)}
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and id(node) not in inside:
            yield node.id
        annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
        for quoted in ast.walk(annotation) if isinstance(annotation, ast.AST) else ():
            if isinstance(quoted, ast.Constant) and isinstance(quoted.value, str):
                with suppress(SyntaxError):  # a text among the choices of a Literal
                    yield from _names_in(ast.parse(quoted.value, mode="eval"))


def _names_in(tree: ast.AST) -> list[str]:
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]


@cache
def _text(module: str, name: str) -> str:
    found = _module(module)
    note = f"edited while running, {time.time()}" if found.edited else ""
    return note + _spelled(found.defined[name] if name else found.loose)


@cache
def _module(name: str) -> Module:
    text, edited = _read(name)
    tree = ast.parse(text)
    scopes = symtable.symtable(text, name, "exec").get_children()
    found = Module(name, imported=_imports(tree, name), scopes=scopes, edited=edited)
    for statement in tree.body:
        names = _names(statement)
        if isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        for each in names:
            found.defined.setdefault(each, []).append(statement)
        prose = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not names and not prose:
            found.loose.append(statement)
    return found


def _names(statement: ast.stmt) -> list[str]:
    """Names that a top-level statement defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return [name for target in targets if target for name in _names_in(target)]


def _imports(tree: ast.Module, module: str) -> dict[str, tuple[str, str | None]]:
    """Module and name behind each imported name, wherever in the module the import stands."""
    found: dict[str, tuple[str, str | None]] = {}
    path = _path(module)
    package = module if path and path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name] = (alias.name, None)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            target = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                found[alias.asname or alias.name] = (target, alias.name)
    return found


def _read(module: str) -> tuple[str, bool]:
    """Text of a module, and whether it was written after this process began."""
    path = _path(module)
    assert path is not None
    return path.read_text(encoding="utf-8"), path.stat().st_mtime > _STARTED


@cache
def _path(module: str) -> Path | None:
    """Source file of a module, if it has one."""
    loaded = getattr(sys.modules.get(module), "__file__", None)
    if loaded is None:
        try:
            spec = find_spec(module)
        except (ImportError, ValueError, AttributeError):
            return None
        loaded = spec.origin if spec else None
    return Path(loaded) if loaded and loaded.endswith(".py") else None


@cache
def _ours(module: str) -> bool:
    """Whether a module has a source that is neither Python's nor another installed distribution's."""
    path = _path(module)
    if path is None:
        return False
    return module.partition(".")[0] in OURS or not str(path.resolve()).startswith(_FOREIGN)


def _neutral(module: str) -> bool:
    return module in NEUTRAL or module.startswith(tuple(f"{name}." for name in NEUTRAL))


def _spelled(node: object) -> str:
    """Text of a syntax tree without positions, docstrings and empty fields (newer Pythons add some)."""
    if isinstance(node, list):
        return f"[{','.join(map(_spelled, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    members = [(name, _without_docstring(node, name, value)) for name, value in ast.iter_fields(node)]
    told = [f"{name}={_spelled(value)}" for name, value in members if value is not None and value != []]
    return f"{type(node).__name__}({','.join(told)})"


def _without_docstring(node: ast.AST, name: str, value: object) -> object:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    if name == "body" and isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
        return node.body[1:]
    return value
