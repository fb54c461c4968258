"""This machine's side of ``--lab-virtual``: it collects, starts kernels, and tells what they found.

Their reports are handed to pytest as if it had run the tests itself, so that terminal, report,
JUnit file and exit status are what they always are.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sockstates.plugin.pages import CRASHED, RUN, write_index
from sockstates.plugin.reports import EVIDENCE
from sockstates.plugin.terminal import COLUMNS
from sockstates.report.folder import Folder
from sockstates.virtual.errors import GuestFailed
from sockstates.virtual.exchange import VARIABLE, Exchange, Told
from sockstates.virtual.guest import POLL, Guest
from sockstates.virtual.kernels import Kernel

LAST_LINES = 20


@dataclass(eq=False)
class _Worker:
    """One guest, as a report names who made it (``report.node`` of pytest-xdist)."""

    number: int
    guest: Guest
    told: Told
    current: str | None = None
    waiting: list[str] = field(default_factory=list)
    """Taken and not begun."""

    @property
    def gateway(self) -> _Worker:
        """Where a terminal looks for `id`."""
        return self

    @property
    def workerinfo(self) -> dict[str, object]:
        """What stands above a failure: who ran the test, and with which Python."""
        return {
            "id": f"{self.id}, Linux {self.guest.kernel.release}",
            "sysplatform": sys.platform,
            "version_info": sys.version_info,
            "executable": sys.executable,
        }

    @property
    def id(self) -> str:
        """What verbose output puts before each test."""
        return f"guest{self.number}"


class Host:
    """Runs the session's tests in guests."""

    def __init__(self, config: pytest.Config, kernels: Sequence[Kernel], count: int) -> None:
        self._config, self._kernels, self._count = config, kernels, count
        self._started = 0
        self._kernel_seconds = 0.0
        self._wall_seconds = 0.0
        self._first_after: float | None = None
        self._outcomes: dict[str, dict[str, dict[str, str]]] = {}
        """Test -> kernel -> what its reports say."""

    @property
    def _several(self) -> bool:
        return len(self._kernels) > 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run what was collected on each kernel."""
        if session.config.option.collectonly:
            return None
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            raise session.Interrupted("errors during collection")
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None and self._count > 1:
            terminal.showfspath = False
        session.testscollected *= len(self._kernels)
        for kernel in self._kernels if session.items else ():
            began = time.monotonic()
            try:
                self._run(session, kernel)
            finally:
                self._wall_seconds += time.monotonic() - began
            if self._several and self._config.option.lab_report:
                write_index(session, self._report_folder(kernel), kernel_text(kernel))
        return True

    def _run(self, session: pytest.Session, kernel: Kernel) -> None:
        exchange = Exchange(self._folder(kernel) / "exchange")
        tests = [item.nodeid for item in session.items]
        exchange.open(tests, self._worker_input() | {EVIDENCE: str(exchange.folder / "lab")})
        with ExitStack() as guests:
            count = min(self._count, len(tests))
            running = [self._start(exchange, kernel, guests) for _ in range(count)]
            while running:
                for worker in list(running):
                    alive = self._is_alive(worker)
                    self._take_in(session, kernel, worker)
                    if alive is True:
                        continue
                    running.remove(worker)
                    exchange.fetch(worker.number)
                    self._ended(session, exchange, kernel, worker, alive or None)
                    if exchange.left() and not running:
                        running.append(self._start(exchange, kernel, guests))
                    worker.guest.close()
                time.sleep(POLL)

    def _folder(self, kernel: Kernel) -> Path:
        factory: pytest.TempPathFactory = getattr(self._config, "_tmp_path_factory")  # noqa: B009
        return factory.mktemp(f"virtual-{kernel.version}")

    def _worker_input(self) -> dict[str, Any]:
        return {
            "lab_run": self._config.stash[RUN],
            "lab_columns": self._config.stash[COLUMNS],
            "testrunuid": self._config.stash[RUN],
            "workercount": self._count,
        }

    def _start(self, exchange: Exchange, kernel: Kernel, guests: ExitStack) -> _Worker:
        number, self._started = self._started, self._started + 1
        folder, shared = exchange.folder, [exchange.folder]
        arguments = [*self._config.invocation_params.args, f"--basetemp={exchange.kept(number)}"]
        if self._config.option.lab_report:
            report = self._report_folder(kernel)
            with Folder(report):
                pass  # there it is
            shared.append(report)
            arguments.append(f"--lab-report={report}")
        environment = dict(os.environ)
        environment[VARIABLE] = json.dumps([str(folder), number])
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        guest = Guest(
            kernel,
            [sys.executable, "-m", "pytest", *map(str, arguments)],
            directory=self._config.invocation_params.dir,
            shared=shared,
            environment=environment,
            limit=self._config.option.lab_virtual_limit,
            spins=self._config.option.lab_virtual_spins,
            number=number,
        )
        return _Worker(number, guests.enter_context(guest), exchange.told(number))

    def _report_folder(self, kernel: Kernel) -> Path:
        """A matrix has a report for each kernel."""
        base = Path(self._config.option.lab_report)
        return base / f"linux-{kernel.version}" if self._several else base

    @staticmethod
    def _is_alive(worker: _Worker) -> bool | GuestFailed:
        try:
            return worker.guest.running()
        except GuestFailed as error:
            return error

    def _take_in(self, session: pytest.Session, kernel: Kernel, worker: _Worker) -> None:
        hook = self._config.hook
        for what, value in worker.told.news():
            if what == "taken":
                worker.waiting.append(value)
            elif what == "missing":
                worker.waiting.remove(value)
                self._fail(kernel, worker, value, "the virtual kernel did not collect this test")
            elif what == "begins":
                nodeid, location = value
                worker.waiting.remove(nodeid)
                worker.current = nodeid
                if self._first_after is None:
                    self._first_after = worker.guest.seconds
                if self._count == 1:
                    hook.pytest_runtest_logstart(
                        nodeid=self._name(nodeid, kernel), location=tuple(location)
                    )
            elif what == "report":
                data = _with_tuples(value)
                report = hook.pytest_report_from_serializable(config=self._config, data=data)
                self._note(report, kernel)
                self._tell(report, kernel, worker)
            elif what == "ends":
                worker.current = None
            elif what == "seconds":
                self._kernel_seconds += value
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)

    def _name(self, nodeid: str, kernel: Kernel) -> str:
        return f"{nodeid}@{kernel.version}" if self._several else nodeid

    def _tell(self, report: pytest.TestReport, kernel: Kernel, worker: _Worker) -> None:
        report.nodeid = self._name(report.nodeid, kernel)
        if self._count > 1:
            setattr(report, "node", worker)  # noqa: B010 (as pytest-xdist does)
        self._config.hook.pytest_runtest_logreport(report=report)

    def _note(self, report: pytest.TestReport, kernel: Kernel) -> None:
        """What is to be the same on every kernel."""
        known = self._outcomes.setdefault(report.nodeid, {}).setdefault(kernel.version, {})
        if report.when == "call" or report.outcome != "passed":
            known["outcome"] = report.outcome
        states = [str(value) for name, value in report.user_properties if name == "state"]
        if states:
            known["states"] = ", ".join(dict.fromkeys(states))

    def _ended(
        self,
        session: pytest.Session,
        exchange: Exchange,
        kernel: Kernel,
        worker: _Worker,
        error: GuestFailed | None,
    ) -> None:
        """A guest is gone: what it had begun is an error, when it says why it went."""
        exchange.give_back(worker.waiting)
        why = "the guest's pytest ended before this test did"
        try:
            if error is not None:
                raise error
            status = worker.guest.status()
            if status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
                if worker.current is None:  # also of one that came when all was taken
                    return
            else:
                said = worker.guest.output().splitlines()[-LAST_LINES:]
                how = f"signal {status - 128}" if status > 128 else f"exit status {status}"
                why = "\n".join([f"{how} ended the guest's pytest. It wrote last:", *said])
        except GuestFailed as failed:
            why = str(failed)
        if worker.current is None:
            raise session.Interrupted(why)
        self._fail(kernel, worker, worker.current, f"{worker.id}: {why}")

    def _fail(self, kernel: Kernel, worker: _Worker, test: str, why: str) -> None:
        path, _, name = test.partition("::")
        report = pytest.TestReport(
            nodeid=test,
            location=(path, None, name),
            keywords={},
            outcome="failed",
            longrepr=why,
            when=CRASHED,  # type: ignore[arg-type]
        )
        self._note(report, kernel)
        self._tell(report, kernel, worker)

    def pytest_report_header(self) -> list[str]:
        """In which kernels the tests run."""
        return [f"virtual kernel: {kernel_text(each)}" for each in self._kernels]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """How much time was saved; and where the kernels differ."""
        if self._wall_seconds and self._kernel_seconds:
            rate = self._kernel_seconds / self._wall_seconds
            terminalreporter.write_line(
                f"virtual time: {self._kernel_seconds:,.0f} kernel seconds in "
                f"{self._wall_seconds:.1f} s, {rate:,.0f} a second; "
                f"the first test began after {self._first_after or 0.0:.1f} s"
            )
        if self._several:
            terminalreporter.section("where the kernels differ")
            lines = list(difference_lines(self._outcomes, [each.version for each in self._kernels]))
            for line in lines or ["nowhere: every test ended alike, through the same states"]:
                terminalreporter.write_line(line)


def _with_tuples(data: dict[str, Any]) -> dict[str, Any]:
    """A report's data as pytest made it: JSON has no tuples, and its plugins look for some."""
    found = dict(data)
    for name in ("location", "longrepr"):
        if isinstance(found.get(name), list):
            found[name] = tuple(found[name])
    for name in ("sections", "user_properties"):
        found[name] = [tuple(each) for each in found.get(name, ())]
    return found


def kernel_text(kernel: Kernel) -> str:
    """A kernel, and whose time it keeps."""
    return f"Linux {kernel.release}, virtual time, HZ {kernel.hz}"


def difference_lines(
    outcomes: dict[str, dict[str, dict[str, str]]], versions: Sequence[str]
) -> Iterator[str]:
    """What to print of each test that did not go alike on every kernel."""
    for test, found in outcomes.items():
        for what in ("outcome", "states"):
            told = {version: found.get(version, {}).get(what, "nothing") for version in versions}
            if len(set(told.values())) > 1:
                yield f"{test}: {what}"
                yield from (f"    {version:<6} {value}" for version, value in told.items())
