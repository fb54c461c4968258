"""What holds for all of the harness's own tests: hypothesis's settings, and which are selected.

hypothesis judges results here, never how fast the machine makes them. A test that is for another
user, or for input that this run was not given, is deselected: it lacks nothing that could be
installed, which is what a skip here says. SIGINT is handled even where a shell that runs this in
its background has it ignored: what the tests start inherits that, and some is to be interrupted.
"""

import signal
from importlib.util import find_spec

import pytest

if find_spec("hypothesis"):  # pytest also loads this file where it runs scenarios alone
    from hypothesis import HealthCheck, settings

    too_slow = [HealthCheck.too_slow]
    settings.register_profile("any speed", deadline=None, suppress_health_check=too_slow)
    settings.load_profile("any speed")


def pytest_configure() -> None:
    """Handle SIGINT, in this process and in what it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests whose marker `only_where` has a condition that does not hold."""
    elsewhere = [
        item for item in items if not all(mark.args[0] for mark in item.iter_markers("only_where"))
    ]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]
