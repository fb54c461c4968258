"""SIGTERM, SIGHUP and SIGINT end a run within two seconds, whole, with a summary of what it did.

pytest as the first process of a container ignores SIGTERM and SIGHUP, because the kernel has no
default action for process 1 (pid_namespaces(7)); elsewhere these end pytest without a word. Here
they do what Ctrl-C does. pytest-xdist would wait for its workers for ten seconds and more; here
they have a moment for what they must still tear down. What does not end in time is killed: a
lab then dies with its process.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

from sockstates.sandbox.network.namespaces import die_with_parent

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
WORKERS_HAVE = 0.8
"""Seconds until workers that have not ended are killed."""
RUN_HAS = 1.5
"""Seconds until the run ends, whatever it still does."""
SHELL_ADDS = 128
"""What a shell adds to a signal's number to make an exit status of it."""


class RunEnded(KeyboardInterrupt):
    """A signal has ended the run: pytest tears down, reports and exits, as at Ctrl-C."""


def pytest_configure(config: pytest.Config) -> None:
    """Only in the process that was started by whoever sends the signal."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        die_with_parent(signal.SIGKILL)
    elif (
        not hasattr(config, "workerinput") and threading.current_thread() is threading.main_thread()
    ):
        config.pluginmanager.register(_Ending(config), "lab-signals")


class _Ending:
    """Handles the first signal, and sees to it that the run ends."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._received: signal.Signals | None = None
        self._finishing = self._told = False
        self._workers: list[int] = []
        self._collected: int | None = None
        self._run: set[str] = set()
        usual = (signal.SIG_DFL, signal.default_int_handler)
        # Not where it is ignored, as with nohup(1), and not where somebody else handles it.
        self._previous = {
            each: before for each in SIGNALS if (before := signal.getsignal(each)) in usual
        }
        for each in self._previous:
            signal.signal(each, self._handle)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._received is not None:  # asked twice
            self._kill_workers()
            os._exit(SHELL_ADDS + number)
        self._received = signal.Signals(number)
        if self._received is not signal.SIGINT:  # a terminal sends that to workers too
            self._signal_workers(signal.SIGINT)
        self._later(WORKERS_HAVE, self._kill_workers)
        # A person may have pressed Ctrl-C, and may want fixtures to take their time.
        if self._received is not signal.SIGINT or self._workers or not os.isatty(0):
            self._later(RUN_HAS, self._end_now)
        if not self._finishing:
            raise RunEnded(f"{self._received.name} ended this run")

    @staticmethod
    def _later(seconds: float, what: Any) -> None:
        timer = threading.Timer(seconds, what)
        timer.daemon = True
        timer.start()

    def _signal_workers(self, number: int) -> None:
        for pid in self._workers:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _kill_workers(self) -> None:
        self._signal_workers(signal.SIGKILL)

    def _end_now(self) -> None:
        """Exit from another thread, because the main one is still held up."""
        assert self._received is not None
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        with suppress(Exception):  # whatever state it is in, the process ends
            if not self._told:
                terminal.ensure_newline()
                terminal.short_test_summary()
                terminal.write_line(self._outcome)
            terminal.summary_stats()
            terminal.flush()
        os._exit(SHELL_ADDS + self._received)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_newgateway(self, gateway: Any) -> None:
        """A worker was started; pytest-xdist asks it the same at once, and has it remembered."""
        self._workers.append(gateway._rinfo().pid)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """How many tests there are."""
        self._collected = len(session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """How many tests there are."""
        self._collected = len(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test has been run when its teardown is over."""
        if report.when == "teardown":
            self._run.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Do not have pytest format a whole traceback, which takes a second and shows nothing."""
        if isinstance(excinfo.value, RunEnded) and not self._config.option.fulltrace:
            excinfo.traceback = excinfo.traceback[-1:]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """From here on the run ends by itself; its exit status says which signal it was."""
        self._finishing = True
        if self._received is not None:
            session.exitstatus = SHELL_ADDS + self._received

    @property
    def _outcome(self) -> str:
        assert self._received is not None
        done = f"{len(self._run)} of {self._collected} tests had been run"
        if self._collected is None:
            done = "its tests had not been collected yet"
        return f"{self._received.name} ended this run: {done}."

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how far it came."""
        if self._received is not None:
            self._told = True
            terminalreporter.ensure_newline()
            terminalreporter.write_line(self._outcome, red=True)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Everything is over, a kept lab included."""
        for each, before in self._previous.items():
            signal.signal(each, before)
