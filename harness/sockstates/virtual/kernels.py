"""The virtual kernels that lie in the user's cache folder: found and described, never built."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sockstates.virtual.errors import KernelMissing, VirtualError

PROGRAM = "linux"
DESCRIPTION = "kernel.json"
CONFIGURATION = "config"
FILES = (CONFIGURATION, PROGRAM, DESCRIPTION)
"""What lies in a kernel's folder; the description comes last, and makes it a kernel."""
VERSION = re.compile(r"\d+\.\d+")
"""How a version is written: as in the name of Debian's ``linux-source-6.12``."""
KERNEL_BUILD = "sockstates kernel build"


@dataclass(frozen=True, slots=True)
class Kernel:
    """A User Mode Linux that was built, and that has booted with a clock of its own.

    ``version`` is what people choose it by ("6.12"), ``release`` what its ``uname -r`` says, ``hz``
    its ticks per second, ``path`` the program, and ``arguments`` what its command line needs
    because of its version.
    """

    version: str
    release: str
    hz: int
    path: Path
    arguments: tuple[str, ...]


def kernels_folder() -> Path:
    """Where kernels lie: ``sockstates/kernels`` in the user's cache (XDG_CACHE_HOME).

    Errors: VirtualError, where neither that nor HOME names a folder and the user has no entry in
    passwd(5), as somebody in a container often has not.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG Base Directory Specification: a relative path is to be ignored.
    try:
        base = Path(cache) if cache.startswith("/") else Path.home() / ".cache"
    except RuntimeError as error:
        raise VirtualError(
            f"user {os.geteuid()} has no home folder, and virtual kernels are kept in one. Name a "
            "folder: XDG_CACHE_HOME=/a/folder in front of the command"
        ) from error
    return base / "sockstates" / "kernels"


def version_order(version: str) -> tuple[int, ...]:
    """A key that sorts versions as numbers: 6.1 before 6.12."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def described(folder: Path) -> dict[str, Any] | None:
    """What ``kernel.json`` says in a kernel's folder; None where no whole kernel lies."""
    try:
        found = json.loads((folder / DESCRIPTION).read_text())
    except (OSError, ValueError):
        return None
    whole = isinstance(found, dict) and os.access(folder / PROGRAM, os.X_OK)
    return found if whole and found.get("version") == folder.name else None


def built() -> list[Kernel]:
    """Every kernel that was built here, the oldest version first."""
    folder = kernels_folder()
    folders = folder.iterdir() if folder.is_dir() else ()
    known = sorted(
        (each for each in folders if VERSION.fullmatch(each.name)),
        key=lambda each: version_order(each.name),
    )
    return [kernel for each in known if (kernel := _kernel(each)) is not None]


def _kernel(folder: Path) -> Kernel | None:
    found = described(folder)
    if found is None:
        return None
    try:
        return Kernel(
            version=folder.name,
            release=str(found["release"]),
            hz=int(found["hz"]),
            path=folder / PROGRAM,
            arguments=tuple(map(str, found["arguments"])),
        )
    except (KeyError, TypeError, ValueError):
        return None


def find(version: str | None = None) -> Kernel:
    """The kernel of this version that was built here; None: the newest one.

    Raises KernelMissing when there is none, with the command that builds it.
    """
    known = built()
    for kernel in reversed(known):
        if version in (None, kernel.version):
            return kernel
    raise KernelMissing(_missing(version, known))


def _missing(version: str | None, known: list[Kernel]) -> str:
    where = f"in {kernels_folder()}"
    if version is None:
        return (
            f"no virtual kernel has been built: none lies {where}.\n"
            f"Build one (some minutes, no root): {KERNEL_BUILD}"
        )
    others = ", ".join(kernel.version for kernel in known) or "none"
    if VERSION.fullmatch(version):
        way_out = f"Build it (some minutes, no root): {KERNEL_BUILD} --version {version}"
    else:
        way_out = (
            "A version is written as in 6.12. "
            "What is built and what could be: sockstates kernel list --available"
        )
    return (
        f"the virtual kernel {version} has not been built; built are {where}: {others}.\n{way_out}"
    )
