"""``--lab-transitions``: the arcs of RFC 9293's state diagram that the kernel was seen taking.

Each scenario's timeline is judged where the scenario ran; what was found goes to the process with
the terminal as a property of the scenario's report, which pytest-xdist carries. Nothing here judges
evidence itself.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sockstates.evidence.coverage import arcs_seen
from sockstates.plugin.fixtures import LAB
from sockstates.tcp.transitions import ARCS, Arc

if TYPE_CHECKING:
    from collections.abc import Generator

PROPERTY, SEPARATOR = "transitions", "; "
NAMED = 2
"""Scenarios that are named for an arc; of more it is said how many there are."""
WIDTH = 80
SELECTIONS = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "last_failed")
"""pytest's options that leave scenarios out."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option ``--lab-transitions``."""
    parser.getgroup("lab").addoption(
        "--lab-transitions",
        action="store_true",
        help="print which transitions of RFC 9293's state diagram the kernel was seen taking, with "
        "the scenarios; when all scenarios ran and one of Linux's was not seen, exit with status 1",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Watch only when asked to."""
    if config.getoption("lab_transitions"):
        config.pluginmanager.register(_Transitions(config), "lab-transitions")


class _Transitions:
    """Collects what the scenarios' timelines show, and says it at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seen: dict[str, list[str]] = defaultdict(list)
        self._labs = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge the scenario's timeline; of one that failed nothing counts."""
        report = yield
        if report.when == "call" and report.passed and LAB in item.stash:
            names = sorted(arc.name for arc in arcs_seen(item.stash[LAB].timeline))
            report.user_properties.append((PROPERTY, SEPARATOR.join(names)))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what a scenario has shown; this also gets the reports of all workers."""
        if report.when != "call":
            return
        for key, value in report.user_properties:
            if key == PROPERTY:
                self._labs += 1
                for name in filter(None, str(value).split(SEPARATOR)):
                    self._seen[name].append(report.nodeid)

    @property
    def _missing(self) -> list[Arc]:
        return [arc for arc in ARCS if arc.exists and arc.name not in self._seen]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """An arc that nobody saw makes a whole run red."""
        worker = hasattr(self._config, "workerinput")
        if worker or session.exitstatus != pytest.ExitCode.OK or not self._labs:
            return
        if self._missing and ran_all(self._config):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The arcs, by the state that they leave."""
        terminalreporter.section("transitions of RFC 9293's state diagram")
        for line in transition_lines(ARCS, self._seen):
            terminalreporter.write_line(line)
        linux = sum(arc.exists for arc in ARCS)
        missing = len(self._missing)
        verdict = f"{linux - missing} of Linux's {linux} transitions seen in {self._labs} scenarios"
        if missing and ran_all(self._config):
            verdict += f"; {missing} missing, although all scenarios ran"
        terminalreporter.write_line(verdict)


def ran_all(config: pytest.Config, folders: Iterable[Path] = ()) -> bool:
    """Whether every scenario of these folders was asked for, and no selection made.

    Without folders it is the project's, as its configuration says (testpaths).
    """
    if any(getattr(config.option, name, None) for name in SELECTIONS):
        return False
    started = config.invocation_params.dir
    asked = [(started / argument).resolve() for argument in config.args]
    testpaths = [Path(config.rootpath, each).resolve() for each in config.getini("testpaths")]
    wanted = [*folders] or testpaths
    return bool(wanted) and all(
        any(folder == each or each in folder.parents for each in asked) for folder in wanted
    )


def transition_lines(arcs: Iterable[Arc], seen: Mapping[str, list[str]]) -> Iterator[str]:
    """What to print of each arc: two lines or more, at most 80 columns."""
    for arc in arcs:
        title = f"{arc.before} -> {arc.after}  {arc.event} / {arc.action}"
        yield f"{title:<{WIDTH - len(arc.source) - 3}} ({arc.source})"
        scenarios = sorted({_function(nodeid) for nodeid in seen.get(arc.name, [])})
        if scenarios:
            yield from (f"    {name}" for name in scenarios[:NAMED])
            if len(scenarios) > NAMED:
                yield f"    and {len(scenarios) - NAMED} more"
        else:
            why = f"NOT SEEN. On Linux: {arc.linux}" if arc.exists else f"not on Linux: {arc.linux}"
            yield from textwrap.wrap(why, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _function(nodeid: str) -> str:
    """A scenario's name as ``pytest -k`` takes it; both address families are one scenario."""
    return nodeid.rpartition("::")[2].partition("[")[0][: WIDTH - 4]
