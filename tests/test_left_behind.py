"""SIGKILL at any moment, of any part of a run, leaves nothing behind on the machine.

Runs are killed inside a machine of their own: PID, mount and network namespaces in which
`tests.killing` is process 1 and sees whatever remains. 25 kills as root and 25 as an unprivileged
user, for whom labs begin with a user namespace. The moments are seeded; what they hit is not.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.killing import BASE, KINDS

PROJECT = Path(__file__).parents[1]
Machine: TypeAlias = "subprocess.Popen[str]"
SERIES, EARLY = (1, 1), (7, 6)
"""For each of two machines side by side: runs with six kills each, and runs with one."""
LIMIT = 900
"""Seconds after which a machine hangs; each of its runs begins with an interpreter's start."""
UNPRIVILEGED = 65534
"""The user nobody."""
NEEDED = "import psutil, pyroute2, pytest, scapy, xdist"
OTHER_PYTHON = "SOCKSTATES_UNPRIVILEGED_PYTHON"
"""An environment variable: an interpreter that nobody may run, where this one lies in a home."""


def _machine(*, unprivileged: bool) -> list[str]:
    """The command that makes a machine of its own; a private one in the rootless case too."""
    command = ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--mount", "--net"]
    return command + ["--user", "--map-root-user"] * unprivileged


def _lower(*, own_user_namespace: bool) -> list[str]:
    """What makes root an ordinary user: by name, or seen from a further user namespace."""
    user = str(UNPRIVILEGED)
    if own_user_namespace:
        return ["unshare", "--user", f"--map-user={user}", f"--map-group={user}"]
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all"]


def _interpreter_of_nobody() -> str | None:
    """An interpreter with all that a lab needs, which the user nobody may run."""
    candidates = [os.environ.get(OTHER_PYTHON), sys.executable, shutil.which("python3")]
    for python in filter(None, candidates):
        # setpriv(1) itself still reaches what only root may; what it starts does not.
        command = [*_lower(own_user_namespace=False), "env", python, "-B", "-c", NEEDED]
        if not subprocess.run(command, cwd="/", capture_output=True, check=False).returncode:
            return str(python)
    return None


@pytest.fixture
def folder() -> Iterator[Path]:
    """Below the folder for temporary files, which the user nobody reaches; pytest's is closed."""
    with tempfile.TemporaryDirectory(prefix="killed-") as name:
        made = Path(name)
        made.chmod(0o755)
        yield made


def _prepare(folder: Path) -> Path:
    """Where the runs of one machine have their files."""
    temporary, reports = folder / "tmp", folder / "reports"
    temporary.mkdir(parents=True)
    temporary.chmod(0o1777)
    os.mkfifo(reports)
    reports.chmod(0o666)
    return folder


def _start(number: int, folder: Path, machine: list[str], run: list[str]) -> Machine:
    """A machine of its own in which runs are killed."""
    own = _prepare(folder / str(number))
    pytest_run = [
        *(*run, "-B", "-m", "pytest", "tests/victim_scenarios.py", "--numprocesses=2"),
        *("--max-worker-restart=99", "-pno:cacheprovider", f"--basetemp={own / 'tmp' / BASE}"),
    ]
    count = (str(SERIES[number]), str(EARLY[number]))
    return subprocess.Popen(
        [
            *(*machine, sys.executable, "-B", "-m", "tests.killing"),
            *(f"machine {number}", *count, str(own), *pytest_run),
        ],
        cwd=PROJECT,
        env=os.environ | {"TMPDIR": str(own / "tmp"), "VICTIM_REPORTS": str(own / "reports")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _kill_runs(folder: Path, machine: list[str], run: list[str]) -> Counter[str]:
    """Two machines at once; what was killed there. Whatever was left behind fails the test."""
    killed: Counter[str] = Counter()
    with ExitStack() as stack:
        machines = [
            stack.enter_context(_start(number, folder, machine, run))
            for number in range(len(SERIES))
        ]
        for each in machines:
            stack.callback(each.kill)  # whatever happens, no machine outlives the test
        for each in machines:
            answer, errors = each.communicate(timeout=LIMIT)
            assert each.returncode == 0, errors
            told = json.loads(answer)
            assert not told["wrong"], "\n".join(told["wrong"])
            killed.update(told["killed"])
    return killed


@pytest.mark.only_where(os.getuid() == 0, reason="the half for root")
def test_killed_runs_of_root_leave_nothing_behind(folder: Path) -> None:
    killed = _kill_runs(folder, _machine(unprivileged=False), [sys.executable])
    assert killed.total() == 25
    assert set(killed) == set(KINDS)


def test_killed_runs_of_an_unprivileged_user_leave_nothing_behind(folder: Path) -> None:
    """Where root's interpreter lies in a home that is closed, root does as any other user does."""
    python = _interpreter_of_nobody() if os.getuid() == 0 else None
    run = [*_lower(own_user_namespace=python is None), python or sys.executable]
    killed = _kill_runs(folder, _machine(unprivileged=python is None), run)
    assert killed.total() == 25
    assert set(killed) == set(KINDS)
