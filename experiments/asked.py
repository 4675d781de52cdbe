"""Which results a job that is made of other experiments still wants drawn."""

from collections.abc import Sequence

from experiments.plan import Plan
from results import registry


class NotAsked(Exception):
    """Nothing that an experiment draws is wanted: it is left before it computes anything."""


class Asked:
    """Results that are wanted, each once: of two experiments that draw the same, the first has it.

    Parameters
    ----------
    only : names of results; all there are where ``None``.

    Raises
    ------
    EvoscopeError : there is no result of a name.
    """

    def __init__(self, only: Sequence[str] | None) -> None:
        self._only = None if only is None else {registry.entry(name).id for name in only}
        self._had: set[str] = set()

    @property
    def missing(self) -> set[str] | None:
        """Those asked for by name that no experiment has had yet; ``None`` where all are wanted."""
        return None if self._only is None else self._only - self._had

    def narrowed(self, plan: Plan) -> Plan:
        """The part of a plan that is wanted: some results and the exhibits that they read.

        Raises
        ------
        NotAsked : there is none.
        """
        missing = self.missing
        ids = [name for name in plan.drawn if name not in self._had and (missing is None or name in missing)]
        if not ids:
            raise NotAsked
        self._had.update(ids)
        reads = dict.fromkeys(name for each in ids for name in registry.entry(each).reads)
        return Plan({name: plan.exhibits[name] for name in reads}, ids)
