"""What a machine can lack: a scenario works, or says by name what is missing; never a traceback."""

import os
import platform
import shutil
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


RULE = '''
def test_a_rule(lab, client, server):
    """A rule is applied."""
    client.iptables("-A INPUT -s server -j DROP")
'''
COMMANDS = [
    ["--help"],
    ["predict", "syn"],
    ["explain", "131s"],
    ["show", "--help"],
    ["kernel", "list"],
]


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


@filtered
def test_without_nf_tables_a_rule_says_what_is_missing(runs: Runs) -> None:
    runs.write(RULE)
    result = runs.run_command(*without("nf_tables", *runs.command()))
    result.assert_outcomes(failed=1)
    words = " ".join(result.outlines)
    assert (
        "KernelLacks: client: '-A INPUT -s server -j DROP': this kernel has no nf_tables" in words
    )
    assert "modprobe nf_tables" in words
    assert "site-packages" not in words
    assert "/harness/sockstates/" not in words


@filtered
@pytest.mark.parametrize(
    ("lack", "named"),
    [
        (
            "packet_sockets",
            "this kernel has no packet sockets (AF_PACKET). Try `modprobe af_packet`",
        ),
        ("sock_diag", "this kernel has no sock_diag for TCP. Try `modprobe -a inet_diag tcp_diag`"),
    ],
)
def test_what_every_lab_needs_of_the_kernel_is_missing_by_name(
    runs: Runs, lack: str, named: str
) -> None:
    runs.write(CONNECTED)
    result = runs.run_command(*without(lack, *runs.command()))
    result.assert_outcomes(errors=1)
    assert named in " ".join(result.outlines)
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def told(words: list[str], output: str) -> tuple[int, str]:
    """A command's exit status and standard error, its output redirected by a shell."""
    line = f'"$@" {output}'
    command = ["sh", "-c", line, "sh", sys.executable, "-m", "sockstates", *words]
    done = subprocess.run(
        command, cwd=PROJECT / "harness", stderr=subprocess.PIPE, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_whose_output_is_full_or_closed_says_so_in_one_line(words: list[str]) -> None:
    cannot = "sockstates: standard output cannot be written: "
    assert told(words, ">/dev/full") == (1, f"{cannot}No space left on device\n")
    assert told(words, ">&-") == (1, f"{cannot}Bad file descriptor\n")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_whose_reader_has_gone_is_quiet(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "sockstates", *words],
            cwd=PROJECT / "harness",
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_no_temporary_folder_at_all(runs: Runs) -> None:
    runs.write("def test_it(): pass\n")
    (runs.folder / "nowhere.py").write_text(
        "import tempfile\n"
        "def gettempdir():\n"
        "    raise FileNotFoundError(2, 'No usable temporary directory found in [...]')\n"
        "tempfile.gettempdir = gettempdir\n"
    )
    result = runs.run("-p", "nowhere")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = "*No usable temporary directory found in [[]...[]]."
    result.stderr.fnmatch_lines([told, "Give TMPDIR a folder that you may write to; *"])
    assert "Traceback" not in result.stderr.str()


def test_results_that_cannot_be_written_are_told_before_anything_runs(runs: Runs) -> None:
    runs.write(CONNECTED)
    result = runs.run("--junitxml", "/proc/nowhere/results.xml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--junitxml /proc/nowhere/results.xml: nothing can be written" in result.stderr.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_results_in_a_folder_that_is_not_there_yet_are_written(runs: Runs) -> None:
    runs.write(CONNECTED)
    runs.run("--junitxml", "new/results.xml").assert_outcomes(passed=1)
    assert (runs.folder / "new" / "results.xml").is_file()


def test_a_read_only_checkout_runs_with_this_projects_own_settings(runs: Runs) -> None:
    runs.write(CONNECTED)
    (runs.folder / "pytest.ini").unlink()
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(PROJECT / name, runs.folder)
    read_only = (
        'mount --bind "$PWD" "$PWD" && mount -o remount,bind,ro "$PWD" && cd "$PWD" && '
        '! touch written 2>/dev/null && exec "$@"'
    )
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    result = runs.run_command(
        *namespace, "sh", "-c", read_only, "sh", *runs.command("test_it.py", "-p", "cacheprovider")
    )
    result.assert_outcomes(passed=1)
    assert not (runs.folder / ".pytest_cache").exists()


def test_scenarios_alone_need_no_package_of_the_tests() -> None:
    """pytest loads tests/conftest.py, too, where an option's value comes before any path."""
    load = "import runpy, sys; sys.modules['hypothesis'] = None; runpy.run_path(sys.argv[1])"
    conftest = str(PROJECT / "tests" / "conftest.py")
    subprocess.run([sys.executable, "-c", load, conftest], check=True)
