"""``sockstates virtual``: any command in a virtual kernel, and what is left of it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.virtual_kernels import (
    all_gone,
    built_kernel,
    guest_folders,
    processes_of_guest,
)

SOURCES = Path(__file__).parents[1] / "harness"
LIMIT = 240
"""Seconds after which a run hangs, also one of two hours of the guest's time."""


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where guests have their files, and nobody else has any."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "sockstates", "virtual", *words]


def environment(temporary: Path) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(SOURCES),
        "TMPDIR": str(temporary),
        "COLUMNS": "80",
    }


def run(folder: Path, temporary: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*words),
        cwd=folder,
        env=environment(temporary),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


class TestRuns:
    def test_two_hours_take_seconds_and_what_is_written_is_kept(
        self, tmp_path: Path, temporary: Path
    ) -> None:
        kernel = built_kernel()
        other, folder = tmp_path / "not shared", tmp_path / "a folder, with: odd=letters"
        other.mkdir()
        folder.mkdir()
        script = f"sleep 7200; echo out; echo err >&2; echo it >here; echo it >'{other}/x'; exit 7"
        ended = run(folder, temporary, "--", "sh", "-c", script)
        assert ended.returncode == 7, ended.stderr
        assert ended.stdout == "out\n"
        error, figures = ended.stderr.splitlines()
        assert error == "err"
        # A guest lets its clock's first second go by before it begins.
        assert re.match(rf"virtual: Linux {kernel.release}, 7,20[0-2]\.", figures), figures
        assert (folder / "here").read_text() == "it\n"
        assert not list(other.iterdir())
        assert not guest_folders(temporary)

    def test_folders_to_write_to_are_named_and_the_current_one_can_be_left_out(
        self, tmp_path: Path, temporary: Path
    ) -> None:
        kernel = built_kernel()
        results = tmp_path / "results"
        results.mkdir()
        script = "uname -r >results/x; echo it >here; ls here; kill -9 $$"
        options = ("--kernel", kernel.version, "--write-nothing", "--write", "results")
        ended = run(tmp_path, temporary, *options, "--", "sh", "-c", script)
        assert ended.returncode == 128 + signal.SIGKILL
        assert ended.stdout == "here\n"
        assert (results / "x").read_text() == f"{kernel.release}\n"
        assert not (tmp_path / "here").exists()

    def test_a_command_that_is_none_has_the_shells_exit_status(
        self, tmp_path: Path, temporary: Path
    ) -> None:
        built_kernel()
        (tmp_path / "text").write_text("text")
        for name, status in (("./nothing", 127), ("./text", 126)):
            ended = run(tmp_path, temporary, "--", name)
            assert ended.returncode == status
            assert ended.stderr.startswith(f"{name}: ")

    def test_one_that_hangs_is_ended_and_the_way_out_is_said(
        self, tmp_path: Path, temporary: Path
    ) -> None:
        built_kernel()
        spinning = "while :; do :; done"
        ended = run(tmp_path, temporary, "--limit", "2", "--", "sh", "-c", spinning)
        assert ended.returncode == 125
        assert "had not come to an end after 2 s" in ended.stderr
        assert "--spins" in ended.stderr
        assert not guest_folders(temporary)

    def test_looking_at_the_clock_moves_it(self, tmp_path: Path, temporary: Path) -> None:
        built_kernel()
        code = "import time; end = time.monotonic() + 0.01\nwhile time.monotonic() < end: pass"
        ended = run(tmp_path, temporary, "--", sys.executable, "-c", code)
        assert ended.returncode == 0, ended.stderr

    def test_with_time_for_computing_one_that_computes_for_ever_keeps_nobody_from_waking(
        self, tmp_path: Path, temporary: Path
    ) -> None:
        built_kernel()
        script = "while :; do :; done & sleep 0.2"
        ended = run(tmp_path, temporary, "--spins", "--", "sh", "-c", script)
        assert ended.returncode == 0, ended.stderr
        ended = run(tmp_path, temporary, "--limit", "2", "--", "sh", "-c", script)
        assert ended.returncode == 125

    def test_output_appears_while_it_runs(self, tmp_path: Path, temporary: Path) -> None:
        built_kernel()
        words = command("--", "sh", "-c", "echo first; while :; do :; done")
        with subprocess.Popen(
            words, cwd=tmp_path, env=environment(temporary), stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"first\n"
            processes = processes_of_guest(temporary)
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT) == 128 + signal.SIGINT
        assert all_gone(processes)
        assert not guest_folders(temporary)


class TestEnds:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
    def test_nothing_of_it_runs_on(
        self, tmp_path: Path, temporary: Path, number: signal.Signals
    ) -> None:
        built_kernel()
        words = command("--", "sh", "-c", "echo it; sleep 1 & while :; do :; done")
        with subprocess.Popen(
            words, cwd=tmp_path, env=environment(temporary), stdout=subprocess.DEVNULL
        ) as process:
            try:
                processes = processes_of_guest(temporary)
                assert len(processes) > 1
            finally:
                process.send_signal(number)
            status = process.wait(LIMIT)
        assert all_gone(processes)
        if number == signal.SIGKILL:
            assert len(guest_folders(temporary)) == 1
            assert run(tmp_path, temporary, "--", "true").returncode == 0
        else:
            assert status == 128 + number
        assert not guest_folders(temporary)

    def test_whoever_reads_its_output_may_have_enough(
        self, tmp_path: Path, temporary: Path
    ) -> None:
        built_kernel()
        words = " ".join(command("--", "yes"))
        ended = subprocess.run(
            ["bash", "-c", f"{words} | head -n 1; exit ${{PIPESTATUS[0]}}"],
            cwd=tmp_path,
            env=environment(temporary),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert (ended.stdout, ended.stderr) == ("y\n", "")
        assert ended.returncode == 128 + signal.SIGPIPE


class TestUsage:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "no command is given: write it after --"),
            (("--",), "no command is given: write it after --"),
            (("sleep", "5"), "a command is written after --, as in -- sleep 5"),
            (("--kernel", "newest", "--", "true"), "'newest': write the version like 6.12"),
            (("--limit", "0", "--", "true"), "'0' is not a number of seconds above 0"),
            (("--limit", "x", "--", "true"), "'x' is not a number of seconds above 0"),
            (("--write", "nowhere", "--", "true"), "--write nowhere: no such folder; make it"),
            (("--write", "/proc/self", "--", "true"), "cannot be shared with a virtual kernel"),
            (("--write", "/", "--", "true"), "/ cannot be shared with a virtual kernel"),
            (("--nothing", "--", "true"), "unrecognized arguments: --nothing"),
        ],
    )
    def test_wrong_usage_is_said(
        self, tmp_path: Path, temporary: Path, words: tuple[str, ...], said: str
    ) -> None:
        ended = run(tmp_path, temporary, *words)
        assert ended.returncode == 2
        assert said in " ".join(ended.stderr.split())

    def test_a_kernel_that_was_never_built_is_said(self, tmp_path: Path, temporary: Path) -> None:
        ended = run(tmp_path, temporary, "--kernel", "1.1", "--", "true")
        assert ended.returncode == 125
        assert ended.stderr.startswith("virtual: the virtual kernel 1.1 has not been built")
        assert "sockstates kernel build --version 1.1" in ended.stderr

    def test_inside_a_virtual_kernel_there_is_no_other(
        self, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SOCKSTATES_VIRTUAL", "virtual time, HZ 250")
        ended = run(tmp_path, temporary, "--", "true")
        assert ended.returncode == 2
        assert "this is a virtual kernel already" in ended.stderr
