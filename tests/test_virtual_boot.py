"""The first boot of a kernel: what it proves, and what is said when it proves nothing."""

import subprocess
from pathlib import Path

import pytest

from sockstates.virtual.boot_check import Booted, boot_check, judge
from sockstates.virtual.errors import KernelUnusable
from tests.virtual_kernels import all_gone, built_kernel, comes_true

RELEASE, CLOCK, SLEPT = (
    f"sockstates-guest {text}\n" for text in ("release 6.12.1", "clock time-travel", "slept 7200")
)


def fake(folder: Path, text: str) -> Path:
    """A program in the place of a kernel."""
    path = folder / "linux"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_kernel_that_was_built_boots_within_seconds() -> None:
    """The only test here that needs a kernel: the newest that lies in the cache."""
    kernel = built_kernel()
    assert boot_check(kernel.path, kernel.arguments) == Booted(kernel.release)


def test_a_boot_that_proves_all_tells_the_release(tmp_path: Path) -> None:
    assert boot_check(fake(tmp_path, f"echo '{RELEASE}{CLOCK}{SLEPT}'"), ()) == Booted("6.12.1")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "does not boot: no process of the guest has said anything.\nIt said nothing at all."),
        ("Kernel panic", r"does not boot: .*\nIts last words:\n  Kernel panic"),
        (f"{RELEASE}sockstates-guest clock jiffies", "has no time travel: its clock is jiffies"),
        (RELEASE, "has no time travel: its clock is not told"),
        (RELEASE + CLOCK, "7200 s of its own time did not pass"),
        (f"{RELEASE}{CLOCK}sockstates-guest slept 3", "woke after 3 s of its own time, not 7200 s"),
    ],
)
def test_what_a_boot_does_not_prove_is_said(tmp_path: Path, said: str, reason: str) -> None:
    with pytest.raises(KernelUnusable, match=reason):
        boot_check(fake(tmp_path, f"echo '{said}'" if said else ":"), ())


def test_a_kernel_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid, said = tmp_path / "pid", tmp_path / "said"
    program = fake(
        tmp_path,
        f"sleep 1000 & echo $! > {pid}; echo '{RELEASE}{CLOCK}{SLEPT}'; touch {said}; wait",
    )

    class Patient(subprocess.Popen[bytes]):
        """Its second begins when all is said: a shell may take longer to start."""

        def wait(self, timeout: float | None = None) -> int:
            assert timeout is None or comes_true(said.exists)
            return super().wait(timeout)

    monkeypatch.setattr(subprocess, "Popen", Patient)
    with pytest.raises(KernelUnusable, match=r"boots, but does not power off within 1 s\."):
        boot_check(program, (), longest=1)
    assert all_gone([int(pid.read_text())])


def test_what_is_no_program_is_said(tmp_path: Path) -> None:
    with pytest.raises(KernelUnusable, match="does not run: No such file"):
        boot_check(tmp_path / "linux", ())


def test_its_arguments_and_its_environment_are_as_documented(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    program = fake(tmp_path, f'echo "$GLIBC_TUNABLES" "$@" > {seen}')
    with pytest.raises(KernelUnusable):
        boot_check(program, ("seccomp=on",))
    words = seen.read_text().split()
    assert words[:2] == ["glibc.pthread.rseq=0", "seccomp=on"]
    assert {"rootfstype=hostfs", "time-travel=inf-cpu", "con0=null,fd:1"} <= set(words)


def test_a_noexec_folder_for_its_memory_is_named() -> None:
    said = "Checking PROT_EXEC mmap in /dev/shm...Operation not permitted\n"
    with pytest.raises(KernelUnusable, match="mounted noexec: set TMPDIR"):
        judge(Path("linux"), said, ended=True, longest=30)
    with pytest.raises(KernelUnusable) as caught:
        judge(Path("linux"), "Checking PROT_EXEC mmap in /dev/shm...OK\n", ended=True, longest=30)
    assert "noexec" not in str(caught.value)
