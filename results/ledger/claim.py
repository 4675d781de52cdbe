"""One claim of a paper: what was published for it, and how it is checked here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from results.ledger.checks import Check, summary, verdict
from results.ledger.evidence import Evidence

PROTOCOLS = ("corrected", "as_released")
Checks = Callable[[Evidence, str], Sequence[Check]]
DRAWN = "concept_scenes"
ROOTED = "data.root=PATH"  # images that are not drawn lie somewhere


def none(evidence: Evidence, protocol: str) -> Sequence[Check]:
    """No check: what only people, or other data, can tell."""
    return []


@dataclass(frozen=True)
class Claim:
    """``id`` (E: ConceptEvo, C: CDISCO), the ``text``, the ``published`` evidence, the ``rule``.

    ``checks`` gives the checks of a data set under a protocol; ``experiment`` is what measures them; ``untested``: why
    there are none, where it is not that the experiment was not run; ``truth``: whether it takes images whose concepts
    are known.
    """

    id: str
    text: str
    published: str
    rule: str
    experiment: str
    checks: Checks = none
    untested: str = ""
    truth: bool = False

    @property
    def paper(self) -> str:
        """Which paper makes it."""
        return "ConceptEvo" if self.id.startswith("E") else "CDISCO"

    def row(self, evidence: Evidence) -> dict[str, str]:
        """The claim's row of the ledger for a data set and scale; no cell is empty."""
        found = {name: self.checks(evidence, name) for name in PROTOCOLS}
        return {
            "claim": self.id,
            "paper": self.paper,
            "text": self.text,
            "published": self.published,
            "data": evidence.data,
            "scale": evidence.scale,
            **{f"measured, {name}": self._measured(evidence, checks) for name, checks in found.items()},
            "verdict": verdict(found[PROTOCOLS[0]]).value,
            "verdict as released": verdict(found[PROTOCOLS[1]]).value,
            "rule": self.rule,
            "command": command(self.experiment, evidence),
        }

    def _measured(self, evidence: Evidence, checks: Sequence[Check]) -> str:
        unknown = "no concept is known of these images" if self.truth and evidence.data != DRAWN else ""
        return self.untested or unknown or summary(checks)


def command(experiment: str, evidence: Evidence) -> str:
    """The command that measures it."""
    if experiment.startswith("python"):
        return experiment
    options = [] if evidence.data == DRAWN else [f"data={evidence.data}", ROOTED]
    if evidence.scale != "laptop":
        options.append(f"scale={evidence.scale}")
    return " ".join(["python run.py", f"experiment={experiment}", *options])
