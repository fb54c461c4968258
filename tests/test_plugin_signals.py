"""A signal ends a run whole, with a summary: process 1 of a PID namespace, workers, whoever."""

import os
import re
import select
import signal
import subprocess
from collections.abc import Sequence

import psutil
import pytest

from tests.killing import ended_in_time, opened
from tests.scenario_runs import CONNECTED, LONGEST, Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
FIRST_PROCESS = ("unshare", "--user", "--map-root-user", "--fork", "--pid", "--mount-proc")
"""As in a container: pytest is process 1, for which no signal has a default action."""
WAITING = """
@pytest.mark.parametrize("number", range(3))
def test_waiting(lab, client, server, number):
    with open("began", "w") as began:
        began.write("x")
    client.connect(server.listen(port=80)).client.reaches(CLOSING, seconds=3600)
"""
"""It would hold the run up for an hour."""


def wait_for_a_line(fifo: int) -> None:
    assert select.select([fifo], [], [], LONGEST)[0], "no scenario began"
    os.read(fifo, 1)


def pytest_below(process: psutil.Process) -> psutil.Process:
    """The first process in a chain of single children that is pytest itself."""
    while "unshare" in process.name():
        (process,) = process.children()
    return process


def run_and_signal(
    runs: Runs, number: int, arguments: Sequence[str], before: Sequence[str] = ()
) -> tuple[int, str]:
    """The exit status and output of a run that got this signal in the middle of a scenario."""
    os.mkfifo(runs.folder / "began")
    fifo = os.open(runs.folder / "began", os.O_RDWR | os.O_NONBLOCK)
    output = runs.folder / "output"
    with output.open("wb") as written:
        started = subprocess.Popen(
            [*before, *runs.command(*arguments)],
            cwd=runs.folder,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for_a_line(fifo)
        run = pytest_below(psutil.Process(started.pid))
        everything = opened([run.pid, *(child.pid for child in run.children(recursive=True))])
        assert len(everything) >= len(("pytest", "guard", "sandbox", "client", "server"))
        run.send_signal(number)
        status = started.wait(LONGEST)
        assert ended_in_time(everything, LONGEST), "processes of the run were still there"
    finally:
        started.kill()
        started.wait()
        os.close(fifo)
    return status, output.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_first_process_of_a_container(runs: Runs, number: int) -> None:
    runs.write(CONNECTED + WAITING)
    status, output = run_and_signal(runs, number, ["--lab-require"], FIRST_PROCESS)
    name = signal.Signals(number).name
    assert status == 128 + number, output
    assert f"{name} ended this run: 1 of 4 tests had been run." in output
    assert re.search(r"=+ 1 passed in ", output), output


@pytest.mark.parametrize("before", [(), FIRST_PROCESS])
def test_a_run_with_workers_ends_whole(runs: Runs, before: tuple[str, ...]) -> None:
    runs.write(WAITING)
    status, output = run_and_signal(runs, signal.SIGTERM, ["-n", "2"], before)
    assert status == 128 + signal.SIGTERM, output
    assert "SIGTERM ended this run: 0 of 3 tests had been run." in output
    assert "replacing crashed worker" not in output


def test_what_does_not_end_in_time_is_ended(runs: Runs) -> None:
    runs.write(
        CONNECTED
        + """
@pytest.fixture
def slow():
    yield
    import time
    time.sleep(3600)

def test_waiting(slow, lab, client, server):
    with open("began", "w") as began:
        began.write("x")
    client.connect(server.listen(port=80)).client.reaches(CLOSING, seconds=3600)
"""
    )
    status, output = run_and_signal(runs, signal.SIGTERM, [], FIRST_PROCESS)
    assert status == 128 + signal.SIGTERM, output
    assert "SIGTERM ended this run: 1 of 2 tests had been run." in output
    assert re.search(r"=+ 1 passed in ", output), output


def test_a_signal_that_is_ignored_stays_so(runs: Runs) -> None:
    """As nohup(1) has it."""
    runs.write(
        """
        import os, signal
        def test_it(lab):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
        """
    )
    result = runs.run_command("sh", "-c", 'trap "" HUP; exec "$@"', "sh", *runs.command())
    result.assert_outcomes(passed=1)
