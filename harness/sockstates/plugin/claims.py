"""``--lab-claims``: what this run says of each claim in the ledger, and whether they agree.

Every process tells of its scenarios by properties of their reports, which pytest-xdist carries; the
one that has the terminal has the pure ledger judge them, prints, and is red where they disagree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from sockstates.ledger.judging import Judgement, Outcome, Showing, judge, strangers
from sockstates.ledger.table import count_line, ledger_lines, problem_lines
from sockstates.plugin.ledger import BESIDE, LEDGER, asked_for_all
from sockstates.plugin.markers import claims_of
from sockstates.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Generator

CLAIMS, FIGURE = "claims_named", "figure"
"""Properties of a scenario's reports: its claims as JSON; a figure that it kept."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option ``--lab-claims``."""
    parser.getgroup("lab").addoption(
        "--lab-claims",
        action="store_true",
        help="print the ledger: each claim with the verdict that this run gave, the figure that "
        "proves it, and its scenarios; exit with status 1 where ledger and run disagree",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect only when asked to, and when there is something to compare with."""
    if not config.getoption("lab_claims"):
        return
    if config.getoption("lab_without_cause"):
        raise pytest.UsageError(
            "--lab-claims and --lab-without-cause: without their causes scenarios prove no claim; "
            "ask for one of the two"
        )
    if not config.stash[LEDGER].articles:
        raise pytest.UsageError(
            f"--lab-claims: there is no ledger: no {BESIDE}/*.toml beside what is run "
            f"({', '.join(config.args)}); write one there, or name its folder with --lab-ledger DIR"
        )
    config.pluginmanager.register(_Claims(config), "lab-claims")


@dataclass(slots=True)
class _Scenario:
    """What the reports of one scenario say so far."""

    claims: dict[str, bool]
    outcome: Outcome = "skipped"
    figures: tuple[str, ...] = ()


class _Claims:
    """Collects what scenarios show, and says at the end what that makes of the ledger."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._scenarios: dict[str, _Scenario] = {}
        self._judgements: list[Judgement] = []
        self._problems: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """The first report of a scenario says which claims it is about."""
        report = yield
        if call.when == "setup":
            named = json.dumps(claims_of(item.iter_markers()))
            report.user_properties.append((CLAIMS, named))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what a scenario has shown; this also gets the reports of all workers."""
        told = [(name, str(value)) for name, value in report.user_properties]
        if report.when == "setup":
            named = next((value for name, value in told if name == CLAIMS), "{}")
            self._scenarios[report.nodeid] = _Scenario(json.loads(named))
        scenario = self._scenarios.get(report.nodeid)
        if scenario is None:
            return
        if report.when == "call" and report.passed and scenario.outcome == "skipped":
            scenario.outcome = "passed"
        if report.failed:
            scenario.outcome = "failed"
        if report.when == "teardown":
            scenario.figures = tuple(value for name, value in told if name == FIGURE)

    def _showings(self) -> list[Showing]:
        return [
            Showing(claim, nodeid, holds, scenario.outcome, scenario.figures)
            for nodeid, scenario in self._scenarios.items()
            for claim, holds in scenario.claims.items()
        ]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A ledger that this run contradicts makes it red."""
        if hasattr(self._config, "workerinput") or self._config.option.collectonly:
            return
        ledger, showings = self._config.stash[LEDGER], self._showings()
        self._judgements = judge(ledger, showings, whole=asked_for_all(session))
        self._problems = [
            *strangers(ledger, showings),
            *(problem for each in self._judgements for problem in each.problems),
        ]
        if self._problems and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table, and below it what is wrong."""
        if not self._judgements:
            return
        terminalreporter.ensure_newline()
        terminalreporter.section("what is claimed, and what this run says of it")
        _write(terminalreporter, ledger_lines(self._config.stash[LEDGER], self._judgements))
        terminalreporter.write_line("")
        terminalreporter.write_line(count_line(self._judgements))
        if self._problems:
            terminalreporter.section("ledger and run disagree", red=True)
            _write(terminalreporter, problem_lines(self._problems), red=True)


def _write(
    terminalreporter: pytest.TerminalReporter, lines: Iterable[str], *, red: bool = False
) -> None:
    for line in lines:
        terminalreporter.write_line(harmless(line), red=red)
