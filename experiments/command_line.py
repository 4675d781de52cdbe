"""What is done to the command line before Hydra reads it."""

from evoscope.errors import EvoscopeError


def prepared(arguments: list[str]) -> list[str]:
    """Arguments with checkpoint patterns quoted for Hydra's grammar, in which ``{`` would begin a dictionary."""
    return [_quoted(_without_plus(argument)) for argument in arguments]


def _without_plus(argument: str) -> str:
    return argument.removeprefix("+") if argument.startswith("+experiment=") else argument


def _quoted(argument: str) -> str:
    key, equals, value = argument.partition("=")
    if not equals or "{epoch" not in value or value[:1] in "'\"":
        return argument
    if "'" in value:
        raise EvoscopeError(f"{key} has a quote in its path ({value})", "use a path without quotes")
    return f"{key}='{value}'"
