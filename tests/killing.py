"""Process 1 of a machine of its own: runs scenarios there, kills parts of the run, looks around.

``python -m tests.killing SEED SERIES EARLY FOLDER COMMAND…`` runs COMMAND (pytest on
`victim_scenarios`) again and again, and prints what was killed and what was wrong afterwards, as
JSON. FOLDER holds a FIFO ``reports`` and a folder ``tmp``. It has to be started in a PID, mount and
network namespace of its own, which stand in for the machine: nothing is there but what the runs
made, so that nothing can be overlooked or mistaken.
"""

import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.survey import differences, other_processes, survey

LIMIT = 240.0
"""Seconds after which what must happen hangs, on a machine that is busy with other work."""
RUN, WORKER, GUARD, SANDBOX, AGENT = range(5)
KINDS = ("pytest", "worker", "guard", "sandbox", "agent")
"""What there is to kill, each the parent of the next."""
BEGINNING = 2.0
"""Seconds in which a run has begun its scenarios, more or less: the time for early kills."""
LONGEST_PAUSE = 0.3
BASE = "base"
"""Where pytest has its own temporary files, below the folder ``tmp``."""


def opened(pids: list[int]) -> list[int]:
    """A descriptor for each of these processes that is alive; pidfd_open(2)."""
    found = []
    for pid in pids:
        with suppress(ProcessLookupError):
            found.append(os.pidfd_open(pid))
    return found


def ended_in_time(descriptors: list[int], seconds: float) -> bool:
    """Wait until all of these processes have ended; closes the descriptors."""
    deadline = time.monotonic() + seconds
    waiting = set(descriptors)
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    while waiting and (left := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            poll.unregister(descriptor)
            waiting.discard(descriptor)
    for descriptor in descriptors:
        os.close(descriptor)
    return not waiting


def reap() -> None:
    """Collect every process that has ended: as process 1 we inherit the orphans."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


@dataclass
class Killing:
    """The runs of one seed, their victims, and what was wrong afterwards."""

    chance: random.Random
    folder: Path
    command: list[str]
    killed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def early(self) -> None:
        """Kill the whole run at any moment of its beginning."""
        with self._run() as (run, _):
            self._let_pass(run, BEGINNING)
            self._kill(run, RUN)

    def one_after_another(self) -> None:
        """Kill parts of one run, each at some moment of some scenario; the whole run at last."""
        parts = [GUARD, SANDBOX, AGENT]
        self.chance.shuffle(parts)
        with self._run() as (run, reports):
            for kind in parts:
                worker, victim = self._victim(run, kind, reports)
                self._kill(victim, kind)
                if kind != AGENT:  # without a sandbox the worker has nothing more to run
                    self._let_pass(run, LONGEST_PAUSE)
                    self._kill(worker, WORKER)
            self._victim(run, AGENT, reports)  # all is there once more
            self._kill(run, RUN)

    @contextmanager
    def _run(self) -> Iterator[tuple[int, int]]:
        """The whole run and the FIFO on which its scenarios report; nothing is left after it."""
        before = survey(self.folder / "tmp")
        reports = os.open(self.folder / "reports", os.O_RDWR | os.O_NONBLOCK)
        with open(self.folder / "output", "wb") as output:
            run = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        yield run.pid, reports
        if not self._all_end():
            self.wrong.append(f"after {self.killed[-1]}: processes were still there")
        run.returncode = -signal.SIGKILL  # reaped with all the others
        os.close(reports)
        shutil.rmtree(self.folder / "tmp" / BASE, ignore_errors=True)
        after = survey(self.folder / "tmp")
        self.wrong += [f"after {self.killed[-1]}: {text}" for text in differences(before, after)]

    def _let_pass(self, run: int, longest: float) -> None:
        """Any moment from now on; the run must not end meanwhile."""
        if ended_in_time(opened([run]), self.chance.uniform(0, longest)):
            raise RuntimeError(f"the run ended by itself; {self._output()}")

    def _output(self) -> str:
        text = (self.folder / "output").read_text(errors="replace")
        return f"what it wrote last:\n{text[-2000:]}"

    def _victim(self, run: int, kind: int, reports: int) -> tuple[int, int]:
        """A worker and a process of that kind below it, at some moment after a report."""
        while True:
            while select.select([reports], [], [], 0)[0]:
                os.read(reports, 4096)
            if not select.select([reports], [], [], LIMIT)[0]:
                raise RuntimeError(f"no scenario reported, after {self.killed}; {self._output()}")
            self._let_pass(run, LONGEST_PAUSE)
            found = [(worker, worker) for worker in _children(run)]
            for _ in range(kind - WORKER):
                found = [(worker, child) for worker, each in found for child in _children(each)]
            if found:
                return self.chance.choice(found)

    def _kill(self, victim: int, kind: int) -> None:
        """SIGKILL; whoever depends on the victim must end by itself."""
        self.killed.append(KINDS[kind])
        dependants = opened(_descendants(victim)) if kind != RUN else []
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        if not ended_in_time(dependants, LIMIT):
            self.wrong.append(f"{KINDS[kind]} was killed, and what depends on it lived on")
        reap()

    @staticmethod
    def _all_end() -> bool:
        """Wait until every other process on the machine has ended; those also that come late."""
        deadline = time.monotonic() + LIMIT
        while others := other_processes():
            if not ended_in_time(opened(others), deadline - time.monotonic()):
                return False
            reap()
        return True


def _children(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def _descendants(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def main(seed: str, series: str, early: str, folder: str, *command: str) -> None:
    """`series` runs whose parts are killed one after another, then `early` short ones."""
    killing = Killing(random.Random(seed), Path(folder), list(command))
    for _ in range(int(series)):
        killing.one_after_another()
    for _ in range(int(early)):
        killing.early()
    print(json.dumps({"killed": killing.killed, "wrong": killing.wrong}))


if __name__ == "__main__":
    main(*sys.argv[1:])
