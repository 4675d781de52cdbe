"""The one exception that users see: what is wrong, where, and how to fix it."""

import linecache
import sysconfig
import traceback
import typing
from pathlib import Path


class EvoscopeError(Exception):
    """A problem the user can fix; its message is one sentence or a short list, never a traceback.

    Parameters
    ----------
    problem : what is wrong and where, for instance ``"'run/ep3.pt' is not a checkpoint"``.
    mend : how to put it right, for instance ``"give model.checkpoints a pattern such as 'run/ep{epoch}.pt'"``.
    """

    def __init__(self, problem: str, mend: str) -> None:
        self.problem = problem.rstrip(". ")
        self.mend = mend.rstrip(". ")
        super().__init__(f"{self.problem}: {self.mend}.")

    def __reduce__(self) -> tuple[type["EvoscopeError"], tuple[str, str]]:
        """Survive the trip between processes (workers, cluster jobs)."""
        return type(self), (self.problem, self.mend)


def check_choices(options: object, where: str) -> None:
    """Refuse values that the ``Literal`` annotations of a dataclass do not list.

    Raises
    ------
    EvoscopeError : names the first such field and its choices.
    """
    hints = typing.get_type_hints(type(options))
    for name, hint in hints.items():
        choices = typing.get_args(hint)
        if typing.get_origin(hint) is typing.Literal and getattr(options, name) not in choices:
            raise EvoscopeError(
                f"{name} in {where} cannot be {getattr(options, name)!r}",
                f"choose one of {', '.join(map(str, choices))}",
            )


# Packages of this project, in whose code a user has nothing to mend.
OURS = ("evoscope", "experiments", "human_eval", "results")


def users_line(problem: BaseException) -> str | None:
    """The deepest line of a traceback that is neither ours nor a library's: ``nets.py, line 7, in build: ...``."""
    libraries = [Path(path).resolve() for path in sysconfig.get_paths().values()]
    theirs = None
    for frame, number in traceback.walk_tb(problem.__traceback__):
        path = Path(frame.f_code.co_filename).resolve()
        ours = str(frame.f_globals.get("__name__")).partition(".")[0] in (*OURS, "run", "__main__")
        if path.is_file() and not ours and not any(path.is_relative_to(each) for each in libraries):
            text = linecache.getline(str(path), number).strip()
            theirs = f"{path}, line {number}, in {frame.f_code.co_name}: `{text}`"
    return theirs
