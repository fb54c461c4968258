"""Virtual kernels for tests: one that was built here, and programs in the place of one."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from sockstates.programs import not_installed
from sockstates.virtual import kernels
from sockstates.virtual.errors import KernelMissing
from sockstates.virtual.guest_folder import PREFIX
from sockstates.virtual.kernels import Kernel
from sockstates.virtual.requirements import missing_for_building

SOON = 240.0
"""Seconds after which what must happen hangs: on a busy machine all takes longer."""


def built_kernel() -> Kernel:
    """The newest kernel that lies in the cache; skips the test where none does."""
    try:
        return kernels.find(None)
    except KernelMissing as reason:
        _skip(str(reason))


def two_built_kernels() -> tuple[Kernel, Kernel]:
    """The oldest and the newest; skips the test where there are no two."""
    built = kernels.built()
    if len(built) < 2:
        _skip(f"two virtual kernels are needed, {len(built)} built: {kernels.KERNEL_BUILD}")
    return built[0], built[-1]


def _skip(reason: str) -> NoReturn:
    """Skip the test for want of a kernel, and of what building one takes."""
    missing = missing_for_building(fetching=False)
    pytest.skip(
        ". ".join([" ".join(reason.split()), *map(not_installed, missing, missing.values())])
    )


def fake_kernel(folder: Path, text: str, *, mode: int = 0o755) -> Kernel:
    """A program in the place of a kernel."""
    path = folder / "linux"
    path.write_text(text)
    path.chmod(mode)
    return Kernel("9.9", "9.9.9", 250, path, ())


def guest_folders(temporary: Path) -> list[Path]:
    """What guests have left in a folder for temporary files."""
    return sorted(temporary.glob(f"{PREFIX}*"))


def guests_using(temporary: Path) -> list[int]:
    """Processes whose command line names a guest's folder there; zombies have none."""
    mark = f"{temporary}/{PREFIX}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"uml_dir={temporary}/".encode() in (said := path.read_bytes()) and mark in said:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def group_of(pid: int) -> list[int]:
    """Every process of this process's group that is not a zombie."""
    group = os.getpgid(pid)
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group, *_ = path.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(of_group) == group and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def comes_true(fact: Callable[[], bool]) -> bool:
    """Whether it does, before it hangs."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.02)
    return False


def all_gone(pids: list[int]) -> bool:
    """Whether all of these end soon; a zombie has ended."""
    return comes_true(lambda: not any(map(_lives, pids)))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"


def processes_of_guest(temporary: Path) -> list[int]:
    """All processes of the guest there, once its command has written something."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        for pid in guests_using(temporary):
            folders = guest_folders(temporary)
            if any((folder / "output").stat().st_size for folder in folders):
                return group_of(pid)
        time.sleep(0.02)
    raise AssertionError(f"no virtual kernel ran its command within {SOON} s")
