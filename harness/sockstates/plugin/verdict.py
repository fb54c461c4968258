"""A run that proves nothing is red, and says why: once, and before the first scenario.

Every process that runs scenarios opens a lab before the first one, where the run cannot be green
without it: with ``--lab-require``, in a pipeline (the environment variable CI), and where nothing
but scenarios was asked for. What forbids it is one error in place of an equal one for each
scenario. What is skipped for other reasons is summed up at the end of the run.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import pytest

from sockstates.lab.opening import open_lab
from sockstates.plugin.fixtures import SANDBOX
from sockstates.plugin.markers import declared_programs
from sockstates.plugin.pages import ELSEWHERE, told
from sockstates.plugin.programs import packages_lines
from sockstates.programs import PACKAGES_BY_PROGRAM, install_commands, missing_program
from sockstates.sandbox.client.errors import LabError
from sockstates.sandbox.client.sandbox import Sandbox
from sockstates.terminal import harmless, harmless_line

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

REFUSAL = pytest.StashKey["Refusal"]()
WHERE = "every scenario"
"""What the one error is an error of."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no scenario of this run is to begin."""

    title: str
    """In a few words."""
    reason: str
    no_lab: bool
    """A lab could not be made, as opposed to what some scenarios need besides."""


def is_scenario(item: pytest.Item) -> bool:
    """Whether this test asks for a lab."""
    return "lab" in getattr(item, "fixturenames", ())


def in_a_pipeline() -> bool:
    """Whether the environment variable CI says so, as pipelines have it say."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false", "no")


@pytest.hookimpl(tryfirst=True, wrapper=True)
def pytest_load_initial_conftests() -> Generator[None, None, None]:
    """Tell, before pytest captures output into a temporary file, that there can be none."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise pytest.UsageError(
            f"{error.strerror}.\nGive TMPDIR a folder that you may write to; in a container with a "
            "read-only root, --tmpfs /tmp makes one."
        ) from None
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """The process that has the terminal gives the verdict on the whole run."""
    if not hasattr(config, "workerinput"):
        _check_junitxml(config)
        config.pluginmanager.register(_Verdict(config), "lab-verdict")


def _check_junitxml(config: pytest.Config) -> None:
    """Tell before anything runs that the results cannot be written; pytest makes the folder too."""
    given = getattr(config.option, "xmlpath", None)
    if not given or config.option.collectonly:
        return
    path = Path(given).absolute()
    reason = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = told(error)
    else:
        if path.is_dir():
            reason = "it is a folder"
        elif not os.access(path if path.exists() else path.parent, os.W_OK):
            reason = f"{path if path.exists() else path.parent} is not writable"
    if reason:
        problem = f"--junitxml {given}: nothing can be written there: {harmless_line(reason)}"
        raise pytest.UsageError(problem)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Try once, in the process that is to run these tests, what every scenario needs."""
    config = session.config
    scenarios = [item for item in session.items if is_scenario(item)]
    if config.option.collectonly or ELSEWHERE in config.stash:
        return
    required = bool(config.getoption("lab_require"))
    refusal = None
    if scenarios and (required or in_a_pipeline() or len(scenarios) == len(session.items)):
        refusal = _refused_lab(config)
    if required and refusal is None:
        refusal = _missing_programs(session.items)
    if refusal is not None:
        config.stash[REFUSAL] = refusal


def _refused_lab(config: pytest.Config) -> Refusal | None:
    try:
        sandbox = Sandbox()
        config.stash[SANDBOX] = sandbox
        with open_lab(sandbox):
            return None
    except (LabError, OSError) as error:
        reason = str(error).partition("\nRun ")[0]  # the doctor's answer stands below it
        return Refusal("no lab can be made here", reason, no_lab=True)


def _missing_programs(items: Sequence[pytest.Item]) -> Refusal | None:
    counts = Counter(name for item in items for name in declared_programs(item.iter_markers()))
    missing = {name: advice for name in counts if (advice := missing_program(name))}
    if not missing:
        return None
    told = [f"{advice} (tests: {counts[name]})" for name, advice in missing.items()]
    reason = "\n  ".join(["--lab-require, and programs are missing:", *told])
    packages = {PACKAGES_BY_PROGRAM[name] for name in missing if name in PACKAGES_BY_PROGRAM}
    for command in install_commands(packages):
        reason += f"\nTo install them:\n  {command}"
    return Refusal("programs are missing", reason, no_lab=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Report the refusal in place of the first test; whoever has the terminal then ends the run."""
    refusal = item.config.stash.get(REFUSAL, None)
    if refusal is None:
        return None
    report = pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome="failed",
        longrepr=harmless(refusal.reason),
        when="setup",
        lab_refused=[refusal.title, refusal.no_lab],
    )
    item.ihook.pytest_runtest_logreport(report=report)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Have reports of scenarios say that they are; pytest-xdist carries it along."""
    report = yield
    if is_scenario(item) or item.get_closest_marker("programs"):
        setattr(report, "lab_scenario", True)  # noqa: B010 (reports take further attributes)
    return report


def pytest_unconfigure(config: pytest.Config) -> None:
    """A sandbox that no scenario took is not needed any more."""
    if SANDBOX in config.stash:
        config.stash[SANDBOX].close()


class _Verdict:
    """Ends a run that cannot be green, and tells what was skipped."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._skipped: Counter[str] = Counter()
        self._others = 0
        """Tests that ran, to whatever end."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Take in a report; the first refusal is the run's only error."""
        refused = getattr(report, "lab_refused", None)
        if refused is None:
            self._count(report)
            return (yield)
        title, no_lab = refused
        report.nodeid, report.location = WHERE, (WHERE, None, WHERE)
        if no_lab:
            page = harmless(_doctors_page())
            report.longrepr = f"{report.longrepr}\n\n{page}".rstrip()
        yield
        raise pytest.Session.Failed(title)

    def _count(self, report: pytest.TestReport) -> None:
        skipped = report.skipped and not hasattr(report, "wasxfail")
        if skipped and hasattr(report, "lab_scenario"):
            self._skipped[_reason(report)] += 1
        elif report.when == "call" or report.failed:
            self._others += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A run in which every scenario was skipped, and no other test ran, has shown nothing."""
        if self._nothing_ran and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @property
    def _nothing_ran(self) -> bool:
        return bool(self._skipped) and not self._others

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Each reason once, with the number of its scenarios."""
        if not self._skipped:
            return
        terminalreporter.ensure_newline()
        terminalreporter.section(f"skipped scenarios ({self._skipped.total()})")
        width = self._config.get_terminal_writer().fullwidth
        for line in summary_lines(self._skipped.items(), width):
            terminalreporter.write_line(harmless_line(line))
        for line in packages_lines(terminalreporter, width):
            terminalreporter.write_line(harmless(line))
        if self._nothing_ran:
            terminalreporter.write_line(
                "Every scenario was skipped: this run shows nothing, so it counts as failed.",
                red=True,
            )


def summary_lines(skipped: Iterable[tuple[str, int]], width: int) -> list[str]:
    """Reasons and how many scenarios each of them skipped; the most frequent first."""
    return [
        line
        for reason, count in sorted(skipped, key=lambda each: (-each[1], each[0]))
        for line in wrap(
            reason,
            width,
            initial_indent=f"{count:>4}  ",
            subsequent_indent=" " * 6,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def _reason(report: pytest.TestReport) -> str:
    """Why a test was skipped: pytest has file, line and the words."""
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return " ".join(told.removeprefix("Skipped: ").split())


def _doctors_page() -> str:
    from sockstates.commands.doctor.findings import examine
    from sockstates.commands.doctor.page import draw
    from sockstates.commands.doctor.survey import look

    return draw(examine(look()))
