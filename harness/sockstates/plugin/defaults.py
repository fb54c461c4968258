"""``--lab-defaults``: scenarios with the kernel's default timers, not the shortened ones.

Settings that only make a scenario shorter are its marker's (pytest.mark.shortened), and are written
when its lab opens. With the option they are not; how long that takes is said here, before the first
scenario runs. Nothing here touches the kernel.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence

import pytest

from sockstates.plugin.markers import shortened_by
from sockstates.sandbox.network.settings import PINNED
from sockstates.system import VIRTUAL
from sockstates.tcp.limits import LONGEST_BY
from sockstates.tcp.timers import late

MINUTE, HOUR, DAY = 60, 3600, 86400


class LongWaits(UserWarning):
    """Default timers let scenarios wait; workers hand it to the process with the terminal."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of this room."""
    parser.getgroup("lab", "TCP socket state labs").addoption(
        "--lab-defaults",
        action="store_true",
        help="leave out the settings that only make a scenario shorter (pytest.mark.shortened): "
        "every timer is the kernel's default one; says first how long that can take",
    )


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say so: what a run shows depends on it."""
    return "lab: default timers" if config.getoption("lab_defaults") else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Warn of long waits, once: of several workers the first one does."""
    config = session.config
    worker = getattr(config, "workerinput", {"workerid": "gw0"})["workerid"]
    virtual = os.environ.get(VIRTUAL) or config.getoption("lab_virtual") is not None
    if not config.getoption("lab_defaults") or virtual or worker != "gw0":
        return
    waits = {item.nodeid: longest_wait(item.iter_markers()) for item in session.items}
    text = advance_notice({name: seconds for name, seconds in waits.items() if seconds})
    if text:
        message = warnings.WarningMessage(LongWaits(text), LongWaits, __file__, 1, line="")
        # Not warnings.warn: filters that make errors of warnings would end the collection.
        config.hook.pytest_warning_recorded.call_historic(
            kwargs={"warning_message": message, "when": "collect", "nodeid": "", "location": None}
        )


class Announcer:
    """Prints the warning when it comes, before the first scenario, not only at the run's end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Print it, where there is a terminal to print to."""
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None and isinstance(warning_message.message, LongWaits):
            reporter.ensure_newline()
            reporter.write_line(f"warning: {warning_message.message}", yellow=True)


def pytest_configure(config: pytest.Config) -> None:
    """Listen for the warning only where there can be one."""
    if config.getoption("lab_defaults"):
        config.pluginmanager.register(Announcer(config), "lab-defaults-announcer")


def longest_wait(marks: Iterable[pytest.Mark]) -> float:
    """For how long a scenario waits at most for the default timers of its shortened settings.

    Seconds, for each host and timer once: several settings of one timer are one wait.
    """
    defaults = {name: str(value) for name, value in PINNED.items()}
    waits = 0.0
    for settings in shortened_by(marks).values():
        timers: Sequence[float] = sorted({LONGEST_BY[name](defaults) for name in settings})
        waits += sum(late(seconds) for seconds in timers)
    return waits


def advance_notice(waits: Mapping[str, float]) -> str:
    """What to say before scenarios wait for so many seconds each; nothing of none."""
    if not waits:
        return ""
    longest = max(waits, key=lambda name: waits[name])
    some = "1 scenario waits" if len(waits) == 1 else f"{len(waits)} scenarios wait"
    return (
        f"default timers: {some} for them, {span(sum(waits.values()))} at most, one after the "
        f"other; the longest, {longest}, for {span(waits[longest])}"
    )


def span(seconds: float) -> str:
    """A time as people say it, rounded up: ``131 s``, ``20 min``, ``1 h 05 min``, ``5 d 1 h``."""
    whole = int(-(-seconds // 1))
    if whole < 3 * MINUTE:
        return f"{whole} s"
    minutes = -(-whole // MINUTE)
    if minutes * MINUTE < HOUR:
        return f"{minutes} min"
    if minutes * MINUTE < DAY:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = -(-whole // HOUR)
    return f"{hours // 24} d {hours % 24} h"
