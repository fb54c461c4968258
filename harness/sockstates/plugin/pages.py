"""``--lab-report``: a page for each scenario, and the index of all when the run is over.

Each process writes the pages and results of its own scenarios; the one that has the terminal
makes the index of what lies there. Nothing here draws or judges.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from sockstates.evidence.bars import states_reached
from sockstates.evidence.verdicts import Inconclusive
from sockstates.ledger.judging import judge
from sockstates.plugin.entries import facts_of
from sockstates.plugin.fixtures import LAB, UNSAID
from sockstates.plugin.ledger import LEDGER, asked_for_all
from sockstates.plugin.markers import claims_of
from sockstates.plugin.reports import UNWRITTEN, folder_name
from sockstates.report.claims_file import LEDGER_FILE, ledger_json
from sockstates.report.folder import Folder
from sockstates.report.html.claims import CLAIMS_FILE, claims_page, showings
from sockstates.report.html.index import index_page
from sockstates.report.html.page import scenario_page
from sockstates.report.html.results import (
    INDEX_FILE,
    PAGE_FILE,
    RESULT_FILE,
    Result,
    Verdict,
    mark_stale,
    read_results,
    write_result,
)
from sockstates.system import system_text
from sockstates.terminal import harmless_line

if TYPE_CHECKING:
    from collections.abc import Generator

UNWRITTEN_OF_REPORT = "lab_unwritten"
RUN = pytest.StashKey[str]()
"""Which run this is; the same in all its processes."""
ELSEWHERE = pytest.StashKey[str]()
"""The kernel that the tests run on, when it is not this process's own."""
PHASES = pytest.StashKey[list["Phase"]]()
PACKAGES = ("pytest", "pyroute2", "psutil", "scapy")
CRASHED = "???"
"""What xdist says instead of a phase when the process died in which a scenario ran."""
PAGE_PROPERTY = "report"


class WorkerNode(Protocol):
    """What xdist gives to the hook for a new worker."""

    config: pytest.Config
    workerinput: dict[str, object]


@contextmanager
def unwritten_noted(config: pytest.Config) -> Iterator[None]:
    """Inside, a file that cannot be written is noted; verdicts come whatever the disk does."""
    try:
        yield
    except OSError as error:
        config.stash[UNWRITTEN].append(told(error))


@dataclass(frozen=True, slots=True)
class Phase:
    """How setup, call or teardown of a scenario went."""

    when: str
    outcome: str
    seconds: float = 0.0
    message: str = ""
    inconclusive: bool = False


def pytest_configure(config: pytest.Config) -> None:
    """Every process of a run knows the run's name."""
    given = getattr(config, "workerinput", {})
    config.stash[RUN] = str(given.get("lab_run", f"{time.time_ns()}-{os.getpid()}"))
    base = _base(config)
    config.stash[UNWRITTEN] = []
    if base is not None and not given and not config.option.collectonly:
        _check(base)
        config.pluginmanager.register(Crashes(config, base.absolute()))


def _check(base: Path) -> None:
    """A report that cannot be written is told before anything runs."""
    try:
        with Folder(base) as folder:
            folder.check()
    except OSError as error:
        raise pytest.UsageError(
            f"--lab-report {base}: nothing can be written there: {harmless_line(told(error))}"
        ) from None


def told(error: OSError) -> str:
    """What went wrong, and with which file."""
    reason = error.strerror or str(error)
    return f"{reason}: {error.filename}" if error.filename else reason


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerNode) -> None:
    """Tell a new worker of xdist which run it belongs to."""
    node.workerinput["lab_run"] = node.config.stash[RUN]


def _base(config: pytest.Config) -> Path | None:
    """The report's folder, when one is asked for."""
    chosen: str | None = config.getoption("lab_report")
    return Path(chosen) if chosen else None


def _is_scenario(item: pytest.Item) -> bool:
    return "lab" in getattr(item, "fixturenames", ())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember how each phase went; the page's path is a property of the report."""
    base = _base(item.config)
    if call.when == "teardown" and base is not None and LAB in item.stash:
        path = base / folder_name(item.nodeid) / PAGE_FILE
        item.user_properties.append((PAGE_PROPERTY, str(path)))
    report = yield
    if base is not None and _is_scenario(item):
        unsaid = item.stash.get(UNSAID, None) if call.when == "call" else None
        error = call.excinfo.value if call.excinfo else None
        phase = Phase(
            call.when,
            report.outcome,
            report.duration,
            _message(error) if report.outcome != "passed" else "",
            isinstance(error, Inconclusive) or isinstance(unsaid, Inconclusive),
        )
        item.stash.setdefault(PHASES, []).append(phase)
    if item.config.stash[UNWRITTEN]:
        setattr(report, UNWRITTEN_OF_REPORT, [*item.config.stash[UNWRITTEN]])
        item.config.stash[UNWRITTEN].clear()
    return report


def _message(error: BaseException | None) -> str:
    """What pytest says of it, without its traceback."""
    if error is None:
        return ""
    name = type(error).__name__
    words = str(getattr(error, "msg", None) or error)
    return (
        words
        if isinstance(error, pytest.fail.Exception | pytest.skip.Exception)
        else (f"{name}: {words}" if words else name)
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """When the lab is gone and its evidence saved: write page and result, whatever has happened."""
    try:
        yield
    finally:
        base = _base(item.config)
        if base is not None and _is_scenario(item):
            with unwritten_noted(item.config):
                _write(item, base, sys.exc_info()[1])


def _write(item: pytest.Item, base: Path, problem: BaseException | None) -> None:
    phases = [*item.stash.get(PHASES, list[Phase]())]
    if problem is not None:
        phases.append(Phase("teardown", "failed", 0.0, _message(problem)))
    lab = item.stash.get(LAB, None)
    claims = claims_of(item.iter_markers())
    entries = facts_of(item.iter_markers())
    sentences = item.config.stash[LEDGER].sentences
    result = Result(
        run=item.config.stash[RUN],
        name=item.nodeid,
        title=lab.timeline.title if lab else _title(item),
        folder=folder_name(item.nodeid),
        verdict=verdict(phases),
        seconds=sum(phase.seconds for phase in phases),
        when=time.time_ns(),
        family=_family(item),
        claims=tuple(claims),
        refutes=tuple(claim for claim, holds in claims.items() if not holds),
        figures=tuple(each.text for each in lab.timeline.figures()) if lab else (),
        states=tuple(states_reached(lab.timeline)) if lab else (),
        phenomena=tuple(str(number) for entry in entries for number in entry.numbers),
        symptom=entries[0].symptom if entries else "",
        message="\n\n".join(phase.message for phase in phases if phase.message),
        page=lab is not None,
    )
    write_result(result, base)
    with Folder(base) as report, report.below(result.folder) as folder:
        if lab is not None:
            text = scenario_page(lab.timeline, result, versions(), _evidence(folder), sentences)
            folder.write_text(PAGE_FILE, text)
        else:
            folder.remove(PAGE_FILE)  # an earlier run's


def verdict(phases: list[Phase]) -> Verdict:
    """One word for all phases of a scenario."""
    if any(phase.inconclusive for phase in phases):
        return "inconclusive"
    failed = [phase.when for phase in phases if phase.outcome == "failed"]
    if failed:
        return "failed" if failed == ["call"] else "error"
    return "skipped" if any(phase.outcome == "skipped" for phase in phases) else "passed"


def _title(item: pytest.Item) -> str:
    told = [getattr(getattr(item, name, None), "__doc__", "") for name in ("function", "module")]
    documented = next((text for text in told if text), item.name)
    return str(documented).strip().splitlines()[0]


def _family(item: pytest.Item) -> str:
    """Over which address family it ran."""
    call = getattr(item, "callspec", None)
    return str(call.params.get("lab_family", "")) if call else ""


def _evidence(folder: Folder) -> list[str]:
    """The files beside the page."""
    return [name for name in folder.names() if name not in (PAGE_FILE, RESULT_FILE)]


def versions(kernel: str = "") -> dict[str, str]:
    """What the evidence depends on, by name; `kernel` if it is not this process's own."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    kernel = kernel or f"{system_text()} ({platform.machine()})"
    return {"kernel": kernel, "python": python} | {name: version(name) for name in PACKAGES}


class Crashes:
    """Writes down the scenarios in which a process died, which could not do so itself."""

    def __init__(self, config: pytest.Config, base: Path) -> None:
        self._config, self._base, self._run = config, base, config.stash[RUN]
        self._unwritten: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Told of every report, those of workers too."""
        self._unwritten += getattr(report, UNWRITTEN_OF_REPORT, ())
        if report.when != CRASHED:
            return
        result = Result(
            run=self._run,
            name=report.nodeid,
            title=report.nodeid.rpartition("::")[2],
            folder=folder_name(report.nodeid),
            verdict="error",
            when=time.time_ns(),
            message=report.longreprtext,
        )
        with unwritten_noted(self._config):
            with Folder(self._base) as base, base.below(result.folder) as folder:
                folder.remove(PAGE_FILE)
            write_result(result, self._base)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A report that was asked for and is not whole makes a run red."""
        own = self._config.stash[UNWRITTEN]
        self._unwritten += own
        if self._unwritten and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say in one line what is missing."""
        if self._unwritten:
            count, first = len(self._unwritten), harmless_line(self._unwritten[0])
            terminalreporter.write_line(
                f"lab report: not whole, {count} times something could not be written: {first}",
                red=True,
            )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the index, in the process that has the terminal."""
    config = session.config
    base = _base(config)
    if base is None or hasattr(config, "workerinput") or config.option.collectonly:
        return
    with unwritten_noted(config):
        write_index(session, base, config.stash.get(ELSEWHERE, ""))


def write_index(session: pytest.Session, base: Path, kernel: str = "") -> None:
    """Write the index of what this run left in a folder, on `kernel` if that is not our own."""
    config = session.config
    run = config.stash[RUN]
    results = read_results(base)
    mark_stale(base, [result for result in results if result.run != run])
    sentences = config.stash[LEDGER].sentences
    index = index_page(results, run, versions(kernel), sentences)
    with Folder(base) as folder:
        folder.write_text(INDEX_FILE, index)
    _write_claims(session, base, [result for result in results if result.run == run], kernel)


def _write_claims(session: pytest.Session, base: Path, results: list[Result], kernel: str) -> None:
    """The ledger's page and file; those of an earlier run go where there is no ledger."""
    ledger = session.config.stash[LEDGER]
    if not ledger.articles:
        with Folder(base) as folder:
            for name in (CLAIMS_FILE, LEDGER_FILE):
                folder.remove(name)
        return
    judgements = judge(ledger, showings(results), whole=asked_for_all(session))
    text = claims_page(ledger, judgements, versions(kernel))
    with Folder(base) as folder:
        folder.write_text(CLAIMS_FILE, text)
        folder.write_text(LEDGER_FILE, ledger_json(ledger, judgements))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say where the report is."""
    base = _base(config)
    if base is not None and (base / INDEX_FILE).exists():
        terminalreporter.write_line(f"lab report: {base / INDEX_FILE}")
