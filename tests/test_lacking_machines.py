"""What a machine can lack: a scenario works, or says by name what is missing; never a traceback."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from sockstates.commands.kernel import main
from sockstates.system import NO_IPV6, has_ipv6
from sockstates.virtual import kernels
from sockstates.virtual.errors import VirtualError
from tests.kernel_without import CALLS
from tests.scenario_runs import CONNECTED, HEAD, PROJECT, Runs, runs

__all__ = ["runs"]

pytest_plugins = ["pytester"]

WITHOUT = PROJECT / "tests" / "kernel_without.py"
BOTH_FAMILIES = HEAD.replace('"ipv4"', '"ipv4", "ipv6"')
filtered = pytest.mark.only_where(
    platform.machine() in CALLS, reason="the numbers of this processor's calls are known"
)


def without(lack: str, *command: str) -> list[str]:
    return [sys.executable, str(WITHOUT), lack, *command]


@filtered
def test_without_ipv6_the_rest_runs_and_ipv6_is_skipped_by_name(runs: Runs) -> None:
    runs.write(CONNECTED, head=BOTH_FAMILIES)
    result = runs.run_command(*without("ipv6", *runs.command("-rs")))
    result.assert_outcomes(passed=1, skipped=1)
    assert "this kernel has no IPv6" in " ".join(result.outlines)


@filtered
def test_without_ipv6_what_is_required_is_an_error(runs: Runs) -> None:
    runs.write(CONNECTED, head=BOTH_FAMILIES)
    result = runs.run_command(*without("ipv6", *runs.command("--lab-require")))
    result.assert_outcomes(passed=1, errors=1)
    assert "this kernel has no IPv6" in " ".join(result.outlines)


@filtered
def test_the_doctor_says_what_a_kernel_without_ipv6_can() -> None:
    told = subprocess.run(
        without("ipv6", sys.executable, "-m", "sockstates", "doctor"),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    words = " ".join(told.stdout.split())
    assert "over IPv4, in" in words
    assert NO_IPV6 in words
    assert "will run here" in words
    assert told.returncode == 0


def test_this_machine_has_ipv6_when_the_kernel_gives_such_a_socket() -> None:
    assert has_ipv6() == Path("/proc/net/if_inet6").exists()


def test_a_user_without_home_and_passwd_entry_is_told_to_name_a_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unknown(_path: str) -> str:
        return "~"

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", unknown)
    with pytest.raises(VirtualError, match="XDG_CACHE_HOME=/a/folder"):
        kernels.kernels_folder()
    assert main(["list"]) != 0
    assert "XDG_CACHE_HOME=/a/folder" in capsys.readouterr().err
