"""What a person at a terminal gets: labs kept open, pdb in an open lab, progress of long waits."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.scenario_runs import CONNECTED, FAILING, Runs, runs
from tests.terminal import Terminal, screen

pytest_plugins = ["pytester"]
__all__ = ["runs"]

LIMIT = 240.0
"""Seconds after which a run that was interrupted hangs."""

WAITING = """
import os

def test_before(lab):
    pass

def test_waits(lab):
    lab.wait_until(lambda: os.path.exists("enough"), "what ends it", 3600)

def test_after(lab):
    pass
"""
WAITS_A_MOMENT = """
def test_waits(lab):
    lab.stays_quiet(seconds=2.5)
"""


def enter_commands(written: str) -> dict[str, str]:
    """What --lab-keep says to type, by host."""
    return dict(re.findall(r"^ +(\w+) +(nsenter .*?)\s*$", written, re.MULTILINE))


def on_host(command: str, script: str) -> list[str]:
    words = [*command.split(), "sh", "-c", script]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\n")


@pytest.mark.programs("nsenter", "sh")
class TestKeep:
    def test_each_host_can_be_entered_until_enter_is_pressed(self, runs: Runs) -> None:
        runs.write(CONNECTED + FAILING)
        terminal = Terminal(runs.command("--lab-keep", "-n", "2"), runs.folder)
        written = terminal.wait_for("To end it: Enter")
        assert "2 workers" not in written, "a kept lab belongs to the process with the terminal"
        assert "test_established" not in written, "only what failed is kept"
        commands = enter_commands(written)
        assert list(commands) == ["client", "server"]
        name, state, *_ = on_host(commands["server"], "hostname; cat /proc/net/tcp | tail -n 1")
        assert name == "server"
        assert state.split()[3] == "04", "FIN_WAIT1, as proc_pid_net(5) writes it"
        interfaces = on_host(commands["client"], "ls /sys/class/net; id -u")
        assert interfaces[:3] == ["eth0", "lo", "0"]
        agent = int(commands["server"].split()[2])
        assert Path(f"/proc/{agent}").exists()
        terminal.type("\n")
        assert terminal.ends() == pytest.ExitCode.TESTS_FAILED
        assert not Path(f"/proc/{agent}").exists()

    @pytest.mark.parametrize("in_background", [False, True])
    def test_without_a_terminal_until_interrupted(self, runs: Runs, in_background: bool) -> None:
        """Also as a shell's background job, which is born ignoring SIGINT."""
        runs.write(FAILING)
        command = runs.command("--lab-keep")
        if in_background:
            command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
        with subprocess.Popen(
            command, cwd=runs.folder, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            written = ""
            for line in process.stdout:
                written += line
                if line.startswith("To end it:"):
                    break
            assert f"kill -INT {process.pid}" in written
            hosts = enter_commands(written)
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=LIMIT)
            finally:
                process.kill()
        assert process.returncode == pytest.ExitCode.TESTS_FAILED
        assert len(hosts) == 2
        assert not any(os.path.exists(f"/proc/{each.split()[2]}") for each in hosts.values())

    def test_what_passes_is_not_kept(self, runs: Runs) -> None:
        runs.write(CONNECTED)
        result = runs.run("--lab-keep")
        result.assert_outcomes(passed=1)
        result.stdout.no_fnmatch_line("*nsenter*")


class TestPdb:
    def test_the_lab_is_open_at_the_prompt(self, runs: Runs) -> None:
        runs.write(FAILING)
        questions = b"""p "in pdb", connection.server.state.name
p server.sysctl("net.ipv4.tcp_retries2"), client.sysctl("net.ipv4.tcp_retries2")
q
"""
        result = runs.run("--pdb", stdin=questions)
        result.stdout.fnmatch_lines(
            [
                "> *test_it.py(*)test_never_closing()",
                "-> connection.server.reaches(CLOSING, seconds=0.3)",
                "*('in pdb', 'FIN_WAIT1')",
                "*('15', '8')",
            ]
        )


class TestProgress:
    @pytest.mark.parametrize("options", [(), ("-v",), ("-q", "-s")])
    def test_a_long_wait_is_shown_and_taken_away(
        self, runs: Runs, options: tuple[str, ...]
    ) -> None:
        runs.write(WAITING)
        terminal = Terminal(runs.command(*options), runs.folder)
        during = terminal.wait_for("what ends it", times=2)
        assert re.search(r"waiting \d+ s, until \d\d:\d\d:\d\d at most, for what ends it", during)
        (runs.folder / "enough").touch()
        assert terminal.ends() == 0
        lines = screen(terminal.written)
        assert not any("waiting" in line or "ends it" in line for line in lines)
        if "-v" in options:
            passed = [line.split()[:2] for line in lines if "::" in line]
            names = ("before", "waits", "after")
            assert passed == [[f"test_it.py::test_{name}[ipv4]", "PASSED"] for name in names]
        else:
            assert any(re.match(r"(test_it\.py )?\.\.\. +\[100%\]|test_it\.py \.\.\.$|\.\.\.", line)
                       for line in lines)  # fmt: skip

    def test_workers_and_pipes_are_told_nothing(self, runs: Runs) -> None:
        runs.write(WAITS_A_MOMENT)
        terminal = Terminal(runs.command("-n", "2"), runs.folder)
        assert terminal.ends() == 0
        assert "waiting" not in terminal.written
        result = runs.run("-v")
        result.assert_outcomes(passed=1)
        result.stdout.no_fnmatch_line("*waiting*")
        assert "\x1b" not in str(result.stdout)


def test_the_screen_of_these_tests_does_what_a_terminal_does() -> None:
    assert screen("ab\r\ncd\x1b[A\x1b[2GX\r\n\x1b[K\rz") == ["aX", "z"]
