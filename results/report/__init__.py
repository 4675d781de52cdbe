"""The report: one HTML page that needs nothing else, and a Markdown index, from folders of drawn results."""

from results.report.write import write_report

__all__ = ["write_report"]
