"""A virtual kernel that does not do what it is to do: one message for each, and the way out."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sockstates.virtual import guest, guest_folder, init
from sockstates.virtual.errors import GuestFailed
from sockstates.virtual.guest import Guest
from sockstates.virtual.kernels import Kernel
from tests.virtual_kernels import built_kernel, fake_kernel, guest_folders

PROJECT = Path(__file__).parents[1]
ANEW = "To build it anew: sockstates kernel build --version 9.9 --force"
LIMIT = 240.0
"""Seconds after which a guest hangs: it boots in some, on a busy machine in more."""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where guests have their files; nothing of them may be left there after a test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    use(folder, monkeypatch)
    return folder


def use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)


def outcome(kernel: Kernel, *command: str, directory: Path) -> str:
    """The exit status and the output of a command in a guest."""
    with Guest(
        kernel, command, directory=directory, environment=dict(os.environ), limit=LIMIT
    ) as started:
        return f"{started.wait()} {started.output()}"


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("#!/bin/sh\n", 0o755, "ended before its command did, with exit status 0.\nIt said noth"),
        ("#!/bin/sh\necho hi; exit 3", 0o755, "with exit status 3.\nIt said last:\n  hi\n"),
        ("#!/bin/sh\nkill -ABRT $$", 0o755, "by signal 6.\nIt said nothing.\n"),
        ("#!/bin/sh\necho Kernel mode signal 7; exit 134", 0o755, "{memory} is full.\nFree"),
        ("no program", 0o755, "linux cannot be started: Exec format error\n"),
        ("#!/bin/sh\n", 0o644, "linux cannot be started: Permission denied\n"),
    ],
)
def test_what_is_no_kernel_is_said(
    tmp_path: Path, temporary: Path, text: str, mode: int, said: str
) -> None:
    with pytest.raises(GuestFailed) as caught:
        outcome(fake_kernel(tmp_path, text, mode=mode), "true", directory=tmp_path)
    memory, _ = guest_folder.memory_folder()  # a container's /dev/shm may be too small for it
    assert said.format(memory=memory) in str(caught.value)
    assert ("is full" in said) != str(caught.value).endswith(ANEW)
    assert not guest_folders(temporary)


def test_a_clock_that_does_not_jump_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = tmp_path / "current_clocksource"
    monkeypatch.setattr(init, "CLOCK", str(clock))
    clock.write_text("time-travel\n")
    init.check_clock()
    clock.write_text("um_clocksource\n")
    with pytest.raises(RuntimeError, match="has no time travel: its clock is um_clocksource"):
        init.check_clock()


def test_a_kernel_without_time_travel_runs_nothing(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = built_kernel()
    monkeypatch.setattr(guest, "TIME", {False: "loglevel=4"})
    with pytest.raises(GuestFailed, match="the kernel has no time travel: its clock is ") as caught:
        outcome(kernel, "true", directory=tmp_path)
    assert f"kernel build --version {kernel.version} --force" in str(caught.value)
    assert not guest_folders(temporary)


def test_folders_of_the_dead_are_swept_and_those_of_the_living_are_not(temporary: Path) -> None:
    dead = temporary / f"{guest_folder.PREFIX}dead"
    (dead / "memory").mkdir(parents=True)
    first = guest_folder.GuestFolder()
    second = guest_folder.GuestFolder()
    assert guest_folders(temporary) == sorted([first.path, second.path])
    first.remove()
    first.remove()
    second.remove()
    assert not guest_folders(temporary)


@pytest.mark.parametrize(("name", "said"), [("a b", "a space"), ("a,b", "a ,"), ("a:b", "a :")])
def test_a_temporary_folder_that_cannot_be_named_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    (tmp_path / name).mkdir()
    use(tmp_path / name, monkeypatch)
    with pytest.raises(GuestFailed, match=f"temporary folder has {said} in its name.*\n.*TMPDIR"):
        guest_folder.GuestFolder()


def test_a_guest_with_its_files_in_the_machines_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below /dev a guest has files of its own, and the machine's where it needs them."""
    kernel = built_kernel()
    memory = Path(guest_folder.MEMORY_FOLDER)
    if not os.access(memory, os.W_OK):
        pytest.skip(f"{memory} cannot be written to")
    with tempfile.TemporaryDirectory(dir=memory, prefix="sockstates-") as name:
        use(Path(name), monkeypatch)
        (Path(name) / "here").write_text("it")
        script = "cat here; echo other >here; cat here"
        assert outcome(kernel, "sh", "-c", script, directory=Path(name)) == "0 itother\n"
        assert (Path(name) / "here").read_text() == "it"


MOUNTED = """
mkdir "$TMPDIR" && mount -t tmpfs -o noexec none "$TMPDIR" &&
mount -t tmpfs -o size=2m none /dev/shm && exec "$@"
"""


def test_folders_for_memory_that_do_not_serve_are_named(tmp_path: Path) -> None:
    built_kernel()
    own = ["unshare", "--mount", *(["--map-root-user"] if os.getuid() else [])]
    if subprocess.run([*own, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this process may not make a mount namespace")
    virtual = [sys.executable, "-m", "sockstates", "virtual", "--write-nothing", "--", "true"]
    folder = tmp_path / "mounted"
    ended = subprocess.run(
        [*own, "sh", "-c", MOUNTED, "sh", *virtual],
        cwd=PROJECT,
        env=os.environ | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert ended.returncode == 125, ended.stderr
    first, *lacks, remedy = ended.stderr.splitlines()
    assert first.startswith("virtual: a guest's memory is a file, and no folder serves for it")
    assert lacks == ["  /dev/shm has 2 MiB free", f"  {folder} is mounted noexec"]
    assert remedy.startswith("Make room, or set TMPDIR to")
