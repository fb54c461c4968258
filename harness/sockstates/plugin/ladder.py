"""``--lab-ladder``: the ladder diagram of every scenario, as text.

A failed scenario has its whole diagram in its failure, instead of the last segments. Those of the
others stand at the run's end, in the order of their files: a worker draws, the process with the
terminal prints, at that terminal's width.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Protocol

import pytest

from sockstates.plugin.fixtures import LAB
from sockstates.plugin.terminal import COLUMNS
from sockstates.report.text import ladder
from sockstates.terminal import harmless, harmless_line

if TYPE_CHECKING:
    from collections.abc import Generator

SECTION = "lab ladder"
LEAST_COLUMNS, MOST_COLUMNS = 40, 160
"""Below, nothing fits on an arrow; beyond, an eye does not follow it."""


class NewWorker(Protocol):
    """What xdist gives to the hook for a new worker: what it will know, and this run's options."""

    workerinput: dict[str, object]
    config: pytest.Config


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of this room."""
    parser.getgroup("lab").addoption(
        "--lab-ladder",
        action="store_true",
        help="print each scenario's segments and states as a ladder diagram",
    )


def pytest_configure(config: pytest.Config) -> None:
    """How wide diagrams are: as the terminal, which a worker of pytest-xdist is told of."""
    columns = min(max(shutil.get_terminal_size().columns, LEAST_COLUMNS), MOST_COLUMNS)
    given = getattr(config, "workerinput", {})
    config.stash[COLUMNS] = given.get("lab_columns", columns)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: NewWorker) -> None:
    """Tell a new worker of xdist."""
    node.workerinput["lab_columns"] = node.config.stash[COLUMNS]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The diagram of a scenario that did not fail goes with its report."""
    report = yield
    asked = item.config.getoption("lab_ladder")
    if asked and LAB in item.stash and report.when == "call" and not report.failed:
        timeline = item.stash[LAB].timeline
        diagram = ladder(timeline, width=item.config.stash[COLUMNS], calls=True)
        report.sections.append((harmless_line(f"{SECTION}: {timeline.title}"), harmless(diagram)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the diagrams that the reports brought, in the order of the scenarios' files."""
    found = [
        (report, title, diagram)
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport)
        for title, diagram in report.sections
        if title.startswith(SECTION)
    ]
    found.sort(key=lambda each: (each[0].location[0], each[0].location[1] or 0, each[0].nodeid))
    if found:
        terminalreporter.section("ladders")
    for report, title, diagram in found:
        terminalreporter.line("")
        terminalreporter.line(report.nodeid, bold=True)
        terminalreporter.line(title.removeprefix(f"{SECTION}: "))
        terminalreporter.line("")
        terminalreporter.line(diagram)
