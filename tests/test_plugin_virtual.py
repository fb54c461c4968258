"""``--lab-virtual``: what pytest tells of tests that ran inside a virtual kernel, and what is left.

Tests with a guest are skipped where no kernel has been built: a boot costs some seconds.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.scenario_runs import FAILING, Runs, runs
from tests.virtual_kernels import (
    all_gone,
    built_kernel,
    guest_folders,
    processes_of_guest,
    two_built_kernels,
)

pytest_plugins = ["pytester"]
__all__ = ["runs"]

LIMIT = 240
"""Seconds after which a run that was ended hangs."""
OF_EVERY_KIND = """
import os, time
def test_passes(record_property):
    print("printed")
    record_property("a", ("b", 1))
    time.sleep(3600)
def test_fails(): assert os.uname().release == "another"
@pytest.mark.skip(reason="not today")
def test_skipped(): pass
@pytest.mark.xfail(strict=True)
def test_expected(): assert False
def test_exits(): os._exit(3)
def test_next(tmp_path): (tmp_path / "file").write_text("text")
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where guests have their files; nothing of them may be left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert not guest_folders(folder)


@pytest.mark.usefixtures("temporary")
def test_every_kind_of_test_is_told_as_ever(runs: Runs) -> None:
    kernel = built_kernel()
    runs.write(OF_EVERY_KIND)
    result = runs.run("--lab-virtual", "-n", "2", "-v", "--junitxml=junit.xml")
    result.assert_outcomes(passed=2, failed=2, skipped=1, xfailed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines_random(
        [
            f"virtual kernel: Linux {kernel.release}, virtual time, HZ {kernel.hz}",
            "[[]guest?[]]*PASSED test_it.py::test_passes*",
            "[[]guest?[]]*PASSED test_it.py::test_next*",
            f"[[]guest?, Linux {kernel.release}[]] linux -- Python *",
            f"E*{kernel.release}*",
            "guest?: exit status 3 ended the guest's pytest. It wrote last:",
        ]
    )
    suite = ElementTree.parse(runs.folder / "junit.xml").getroot()[0]
    kinds = {case.get("name"): [each.tag for each in case] for case in suite}
    assert kinds["test_passes"][0] == "properties"
    assert kinds["test_skipped"] == ["skipped"]
    assert kinds["test_fails"] == ["failure"]
    assert "test_exits" in kinds


@pytest.mark.usefixtures("temporary")
def test_the_evidence_of_a_failed_scenario_is_readable_here(runs: Runs) -> None:
    kernel = built_kernel()
    runs.write(FAILING + "\ndef test_after(lab): pass\n")
    result = runs.run("--lab-virtual", "-x", "--lab-report=report")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*did not reach CLOSING*", "The wire:", "*stopping after 1*"])
    index = (runs.folder / "report" / "index.html").read_text()
    assert kernel.release in index
    assert "virtual time" in index
    assert len(list((runs.folder / "report").glob("*/timeline.jsonl"))) == 1


@pytest.mark.usefixtures("temporary")
def test_where_kernels_differ_is_said(runs: Runs) -> None:
    old, new = two_built_kernels()
    runs.write(
        "import platform\n"
        f"def test_differs(): assert platform.release() == '{new.release}'\n"
        "def test_does_not(): pass\n"
    )
    result = runs.run(f"--lab-virtual={old.version},{new.version}")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*[[]100%[]]*",
            "*where the kernels differ*",
            "test_it.py::test_differs: outcome",
            f"    {old.version} * failed",
            f"    {new.version} * passed",
        ]
    )
    assert "test_does_not: outcome" not in result.stdout.str()


HANGING = "def test_hangs():\n    print('begins')\n    while True: pass\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_runs_on_when_pytest_is_ended(
    runs: Runs, temporary: Path, number: signal.Signals
) -> None:
    built_kernel()
    runs.write(HANGING)
    command = runs.command("--lab-virtual", "-s")
    with subprocess.Popen(command, cwd=runs.folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            processes = processes_of_guest(temporary)
            assert len(processes) > 1
        finally:
            process.send_signal(number)
        said, _ = process.communicate(timeout=LIMIT)
    assert all_gone(processes)
    if number == signal.SIGINT:
        assert process.returncode == 128 + signal.SIGINT
        assert "SIGINT ended this run" in said
    else:
        assert len(guest_folders(temporary)) == 1
        runs.write("def test_passes(): pass\n", name="test_next")
        runs.run("test_next.py", "--lab-virtual").assert_outcomes(passed=1)


@pytest.mark.usefixtures("temporary")
def test_what_cannot_be_collected_needs_no_kernel_started(runs: Runs) -> None:
    built_kernel()
    runs.write("import nothing_of_that_name\n")
    result = runs.run("--lab-virtual")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*ModuleNotFoundError*", "*rrors during collection*"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lab-virtual", "--lab-keep"], "*--lab-keep and --lab-virtual:*no terminal*"),
        (["--lab-virtual", "--pdb"], "*--pdb and --lab-virtual:*leave one of the two out"),
        (["--lab-virtual", "test_it.py"], "*--lab-virtual=test_it.py: write the version like*"),
        (["--lab-virtual=1.1"], "*the virtual kernel 1.1 has not been built*"),
    ],
)
def test_what_cannot_be_is_refused(runs: Runs, arguments: list[str], said: str) -> None:
    runs.write("def test_passes(): pass\n")
    result = runs.run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_in_a_virtual_kernel_there_is_no_other(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKSTATES_VIRTUAL", "virtual time, HZ 250")
    result = runs.run("--lab-virtual")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*this is a virtual kernel already; leave it out"])
    assert "SOCKSTATES_EXCHANGE" not in os.environ
