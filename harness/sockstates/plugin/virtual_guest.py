"""pytest inside a virtual kernel: it runs the tests that it takes, and tells the outer pytest.

To every other plugin it is what a worker of pytest-xdist is: a process without a terminal, with
`workerinput`. Nothing of this is in force on the host.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockstates.virtual.exchange import VARIABLE, Exchange


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Be a guest where the environment says so."""
    given = os.environ.pop(VARIABLE, None)  # a pytest that a test starts is none
    if given:
        folder, number = json.loads(given)
        exchange = Exchange(Path(folder))
        known = exchange.order()[1]
        setattr(config, "workerinput", {**known, "workerid": f"guest{number}"})  # noqa: B010
        config.pluginmanager.register(_Guest(config, exchange, int(number)))


class _Guest:
    """Takes tests and tells what came of them."""

    def __init__(self, config: pytest.Config, exchange: Exchange, number: int) -> None:
        self._config, self._exchange = config, exchange
        self._told, self._number = exchange.told(number), number

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run what nobody else has taken yet, in the order of the run."""
        items = {item.nodeid: item for item in session.items}
        taken = self._taken(items)
        item = next(taken, None)
        while item is not None:
            following = next(taken, None)
            self._config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
            item = following
        return True

    def _taken(self, items: dict[str, pytest.Item]) -> Iterator[pytest.Item]:
        for test in self._exchange.take():
            self._told.tell("taken", test)
            if test in items:
                yield items[test]
            else:
                self._told.tell("missing", test)

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """A test begins."""
        self._told.tell("begins", [nodeid, location])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One of its phases is over."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._told.tell("report", data)

    def pytest_runtest_logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """A test is over."""
        self._told.tell("ends", [nodeid, location])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """The whole of it took so many of the kernel's own seconds."""
        self._exchange.keep(self._number)
        self._told.tell("seconds", time.clock_gettime(time.CLOCK_MONOTONIC))
