"""Which worker runs which test."""

import pytest

# They look at every result, which a worker draws once for all of them.
NAMES = ("animation", "importance", "page_style", "registry", "reversal")
DRAWN = tuple(f"tests/results/test_{name}.py" for name in NAMES)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give the tests of `DRAWN` to one worker, first, and every other test to whoever is free."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return "drawn" if nodeid.partition("::")[0] in DRAWN else nodeid

    return Scheduling(config, log)
