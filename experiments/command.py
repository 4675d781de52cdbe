"""The command line: what is typed becomes what Hydra reads, and what cannot be read is refused in one sentence."""

import dataclasses
import difflib
import hashlib
import re
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    GrammarParseError,
    InterpolationKeyError,
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from evoscope.errors import EvoscopeError
from experiments import CONF
from experiments.schema import Config

CORRECTED = CONF / "protocol" / "corrected.yaml"
OVERRIDE = re.compile(r"(?P<mark>\+\+|\+|~)?(?P<key>[^=@]+)(?P<package>@[^=]*)?(?:=(?P<value>.*))?", re.DOTALL)
FUNCTION = re.compile(r"(choice|range|interval|glob|shuffle|sort|tag|str|int|float|bool|json_str)\(.*\)")
# Values that Hydra reads as something else than the text they are, and that stay so.
PLAIN = re.compile(r"(null)?", re.IGNORECASE)
HELP = ("-h", "--help")
USAGE = """python run.py experiment=NAME [KEY=VALUE ...]
{experiments}

python run.py experiment=quickstart
python run.py experiment=unified_space dry_run=true     # stages, time, disk
python run.py experiment=train data=cifar10 data.root=PATH model=vgg16
python run.py -m experiment=train model=vgg16 seed=0,1  # a job for each value
scale=smoke|laptop|gpu|imagenet; every setting: --cfg job; Hydra: --hydra-help"""
WANTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list in brackets, as in [a,b]",
    "dict": "a mapping in braces, as in {name: value}",
    "str": "a text",
}


@dataclasses.dataclass(frozen=True)
class Command:
    """A command line apart: its flags, its ``key=value`` arguments, and whether it runs a job for each value."""

    flags: list[str]
    overrides: list[str]
    sweep: bool

    @property
    def arguments(self) -> list[str]:
        """Both again, the flags first."""
        return [*self.flags, *self.overrides]


def help_page() -> str:
    """The experiments in words, by the first comment of their files, and examples."""
    experiments = sorted((CONF / "experiment").glob("*.yaml"))
    words = {path.stem: path.read_text(encoding="utf-8").splitlines() for path in experiments}
    width = max(map(len, words))
    lines = [f"  {name:{width}}  {text[1].removeprefix('# ')}" for name, text in words.items()]
    return USAGE.format(experiments="\n".join(lines))


def taken_apart(arguments: Sequence[str]) -> Command:
    """Flags and overrides, which may be typed in any order.

    Raises
    ------
    EvoscopeError : a flag that Hydra does not have, or one without its value.
    """
    parser = get_args_parser()
    parser.allow_abbrev = False  # or --experiment=train would be Hydra's --experimental-rerun
    parser.error = _no_such_flag  # type: ignore[method-assign]  # it would print its whole usage
    found = parser.parse_intermixed_args(list(arguments))
    left, flags = list(found.overrides), list[str]()
    for argument in arguments:
        if argument in left:
            left.remove(argument)
        else:
            flags.append(argument)
    return Command(flags, list(found.overrides), bool(found.multirun))


def _no_such_flag(message: str) -> NoReturn:
    raise EvoscopeError(
        f"the command line cannot be read ({message})",
        "settings are written key=value, without dashes; --hydra-help lists the flags",
    )


def for_hydra(argument: str, sweep: bool) -> str:
    """An argument whose text values are quoted, because Hydra reads ``=``, ``,``, ``{`` and more as its grammar.

    Values in quotes, and those that are escaped as Hydra wants them, are left as they are. ``model.kwargs`` may have
    any key, so its keys need no plus.
    """
    matched = OVERRIDE.fullmatch(argument)
    if matched is None or matched["value"] is None or matched["package"]:
        return argument
    key, value, kind = matched["key"], matched["value"], _bare(annotation(matched["key"]))
    mark = "++" if f"{key}.".startswith("model.kwargs.") else matched["mark"] or ""
    if kind is str:
        value = _text(value, sweep)
    elif typing.get_origin(kind) is list and typing.get_args(kind)[0] is str:
        value = _texts(value)
    elif kind is Any and _read(f"{key}={value}") is None:
        value = _text(value, sweep)
    return f"{mark}{key}={value}"


def _text(value: str, sweep: bool) -> str:
    if PLAIN.fullmatch(value) or _in_quotes(value) or (sweep and FUNCTION.fullmatch(value)):
        return value
    read = _read(f"key={value}")
    if read is not None and ("\\" in value or (not read.is_sweep_override() and read.value() == value)):
        return value
    if sweep and "," in value and not Path(value).expanduser().exists():
        return ",".join(_text(part.strip(), sweep=False) for part in re.split(r",(?![^'\"]*['\"])", value))
    return QuotedString(text=value, quote=Quote.single).with_quotes()


def _texts(value: str) -> str:
    """A list of texts, each quoted; what is no plain list is left to Hydra."""
    matched = re.fullmatch(r"\[([^\[\]'\"\\{}()]*)\]", value)
    if matched is None or not matched[1].strip():
        return value
    return f"[{','.join(_text(each.strip(), sweep=False) for each in matched[1].split(','))}]"


def _in_quotes(value: str) -> bool:
    return len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]


def _read(argument: str) -> Override | None:
    """What Hydra's grammar makes of an argument; nothing where it cannot read it."""
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        return None


def check_overrides(overrides: Sequence[str], sweep: bool) -> None:
    """Refuse what Hydra could not read, unknown keys, and unknown options of a group.

    Raises
    ------
    EvoscopeError : the first that is wrong, with the closest names.
    """
    for argument in overrides:
        _check_override(argument, sweep)


def _check_override(argument: str, sweep: bool) -> None:
    matched = OVERRIDE.fullmatch(argument)
    if matched is None or (matched["value"] is None and matched["mark"] != "~"):
        example = _guess(argument)
        raise EvoscopeError(f"{argument!r} is no setting", f"write key=value, for instance {example}")
    key = matched["key"]
    override = _read(argument)
    if override is None:
        raise EvoscopeError(
            f"{argument!r} cannot be read", f"quote the value, as in \"{key}='...'\" with both kinds of quotes"
        )
    if override.is_sweep_override() and not sweep:
        raise EvoscopeError(
            f"{key} has several values ({matched['value']})",
            "add -m to run a job for each, or put them in brackets where one job takes a list",
        )
    if key in groups():
        _check_option(key, override)
    elif not key.startswith(("hydra.", "hydra/")) and not _known(key, override):
        raise EvoscopeError(f"there is no setting {key}", f"the closest are {closest_keys(key)}")


def _guess(argument: str) -> str:
    """What the user may have meant by a word without a key."""
    for group in ("experiment", "data", "model", "scale"):
        if argument.lstrip("-") in options(group):
            return f"{group}={argument.lstrip('-')}"
    return "experiment=unified_space"


def _known(key: str, override: Override) -> bool:
    kind = annotation(key)
    in_protocol = re.fullmatch(r"(?:protocols\.[^.]+|protocol)\.((?:space|discovery|reversal)\..+)", key)
    if in_protocol is not None and not override.is_add():
        return in_protocol[1] in _protocol_keys()
    return kind is not None


def _check_option(group: str, override: Override) -> None:
    value = override.value()
    asked = value.list if isinstance(value, ChoiceSweep) else [value]
    known = options(group)
    for each in asked:
        name = each.text if isinstance(each, QuotedString) else each
        if not isinstance(name, str) or "$" in name or name.endswith(".yaml") or name in known:
            continue
        raise EvoscopeError(
            f"there is no {group}={name}", f"the closest are {', '.join(map(repr, _close(name, known)))}"
        )


def _close(name: str, known: Sequence[str]) -> list[str]:
    """Four names like one, or all of a few."""
    alike = difflib.get_close_matches(name, known, n=4, cutoff=0.4)
    return list(dict.fromkeys([*alike, *known]))[:4] if alike else list(known)[:20]


@cache
def groups() -> tuple[str, ...]:
    """Groups of the configuration, whose options are files; the launcher's may be those of plugins too."""
    return tuple(path.name for path in sorted(CONF.iterdir()) if path.is_dir() and path.name != "hydra")


@cache
def options(group: str) -> tuple[str, ...]:
    """Options of a group."""
    found = (CONF / group).rglob("*.yaml")
    return tuple(sorted(path.relative_to(CONF / group).with_suffix("").as_posix() for path in found))


@cache
def _protocol_keys() -> tuple[str, ...]:
    protocol = OmegaConf.load(CORRECTED)
    assert isinstance(protocol, DictConfig)
    return tuple(_flat(OmegaConf.to_container(protocol), ""))


def _flat(values: Any, stem: str) -> Iterator[str]:
    for key, value in values.items() if isinstance(values, dict) else ():
        yield stem + str(key)
        yield from _flat(value, f"{stem}{key}.")


def annotation(key: str) -> Any:
    """Type of a dotted key of the configuration; nothing where there is no such key."""
    kind: Any = Config
    for part in key.split("."):
        kind = _bare(kind)
        if dataclasses.is_dataclass(kind):
            kind = typing.get_type_hints(kind).get(part)
        elif typing.get_origin(kind) is dict:
            kind = typing.get_args(kind)[1]
        elif kind is not Any:
            return None
    return kind


def _bare(kind: Any) -> Any:
    """The type without ``None``."""
    if isinstance(kind, types.UnionType):
        return next(each for each in typing.get_args(kind) if each is not type(None))
    return kind


@cache
def keys() -> tuple[str, ...]:
    """All keys of the configuration that have names of their own (those of ``runs`` and ``protocols`` have not)."""
    return tuple(_keys(Config, ""))


def _keys(kind: Any, stem: str) -> Iterator[str]:
    for name, hint in typing.get_type_hints(kind).items():
        bare = _bare(hint)
        if dataclasses.is_dataclass(bare):
            yield from _keys(bare, f"{stem}{name}.")
        else:
            yield stem + name


def closest_keys(key: str) -> str:
    """The keys most like one that there is not, those that end like it first."""
    known = [*keys(), *groups(), *(f"protocol.{each}" for each in _protocol_keys() if "_target_" not in each)]
    last = key.rpartition(".")[2]
    same = [each for each in known if each.rpartition(".")[2] == last]
    return ", ".join(dict.fromkeys([*same, *_close(key, known)][:4]))


def sweep_folder(command: Command) -> list[str]:
    """Where a sweep leaves the statuses of its jobs: a short name that the same command has again."""
    if not command.sweep or any("hydra.sweep" in each for each in command.overrides):
        return []
    passing = ("store=", "outputs=")
    decided = [each for each in command.overrides if not each.startswith(passing)]
    asked = next((each.partition("=")[2] for each in decided if each.startswith("experiment=")), "sweep")
    words = re.sub(r"\W+", "-", asked)[:40].strip("-")
    short = hashlib.sha256("\n".join(decided).encode()).hexdigest()[:8]
    return [f"hydra.sweep.dir='${{outputs}}/sweeps/{words}-{short}'"]


def one_sentence(error: BaseException) -> str:
    """What went wrong while the configuration was put together, and what to do."""
    for each in _chain(error):
        if isinstance(each, OmegaConfBaseException):
            return _configuration_error(each, str(error))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return str(EvoscopeError(f"the configuration cannot be read ({' '.join(lines[:2])})", "mend that setting"))


def _chain(error: BaseException) -> Iterable[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _configuration_error(error: OmegaConfBaseException, outer: str) -> str:
    what = " ".join(str(error.msg or error).splitlines()[0].split())
    key = str(error.full_key or "")
    given = re.search(r"Error merging override (?:\+\+|\+)?(?P<key>[^=\s]+)=(?P<value>.*)", outer)
    if given is not None:
        key = given["key"]
    if isinstance(error, MissingMandatoryValue):
        return str(EvoscopeError(f"{key} is not given", f"add {key}=..."))
    if isinstance(error, ConfigKeyError | ConfigAttributeError):
        return str(EvoscopeError(f"there is no setting {key}", "correct its name; --cfg job shows all"))
    if isinstance(error, InterpolationKeyError | InterpolationToMissingValueError | GrammarParseError):
        return str(
            EvoscopeError(
                f"{key or 'a setting'} refers to another that is not there ({what})",
                r"correct the name in ${...}, or write \${ where a path has these signs",
            )
        )
    if not key or annotation(key) is None:
        return str(EvoscopeError(f"{key}: {what}" if key else what, "correct that setting"))
    value = given["value"] if given is not None else None
    wanted = wanted_value(key)
    return str(EvoscopeError(f"{key} cannot be {value}" if value is not None else f"{key}: {what}", wanted))


def wanted_value(key: str) -> str:
    """What a key takes, in words."""
    kind = annotation(key)
    bare = _bare(kind)
    if isinstance(bare, type) and issubclass(bare, Enum):
        words = f"one of {', '.join(each.name for each in bare)}"
    else:
        name = (typing.get_origin(bare) or bare).__name__ if bare is not Any else "str"
        words = WANTED.get(name, "an option of that group")
        inner = typing.get_args(bare)
        if name == "list" and inner and inner[0] in (int, float):
            words = "a list of numbers in brackets, as in [0,1]"
    return f"give {words}" + (", or null" if bare is not kind else "")
