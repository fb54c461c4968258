"""What holds for all of the harness's own tests: hypothesis's settings, and which are selected.

hypothesis judges results here, never how fast the machine makes them. A test that is for another
user, or for input that this run was not given, is deselected: it lacks nothing that could be
installed, which is what a skip here says.
"""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests whose marker `only_where` has a condition that does not hold."""
    elsewhere = [
        item for item in items if not all(mark.args[0] for mark in item.iter_markers("only_where"))
    ]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]
