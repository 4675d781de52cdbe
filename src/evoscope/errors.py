"""The one exception that users see: what is wrong, where, and how to fix it."""


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
