"""What building a kernel needs of this machine: programs, a processor, disk space."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from sockstates.programs import install_commands
from sockstates.virtual.errors import BuildImpossible

COMPILING = {
    "gcc": "gcc",
    "make": "make",
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "ld": "binutils",
    "perl": "perl",
    "tar": "tar",
    "xz": "xz-utils",
}
"""Program -> Debian's package."""
FETCHING = {"apt-get": "apt", "apt-cache": "apt", "dpkg-deb": "dpkg"}
"""The same for a source that comes as a Debian package."""
STATIC_LIBRARY = ("libc.a", "libc6-dev")
PROCESSORS = ("x86_64", "amd64")

DISK = 2_500_000_000
"""Bytes at most while a kernel is built: 0.17 GB package, 1.5 GB tree, 0.5 GB of objects."""


def check_processor() -> None:
    """Raises BuildImpossible where User Mode Linux does not run."""
    if platform.machine() not in PROCESSORS:
        raise BuildImpossible(
            f"this machine's processor is {platform.machine()}; User Mode Linux is for x86_64 "
            "only. Everything that needs no virtual kernel works here all the same"
        )


def check_programs(fetching: bool) -> None:
    """Raises BuildImpossible with all that is missing, and the one command that installs it."""
    missing = missing_for_building(fetching)
    if missing:
        problem = f"a kernel cannot be built here: missing are {', '.join(missing)}."
        raise BuildImpossible("\n".join([problem, *install_commands(missing.values())]))


def missing_for_building(fetching: bool) -> dict[str, str]:
    """What is not here of what building takes, each with the Debian package that has it."""
    wanted = COMPILING | (FETCHING if fetching else {})
    missing = {name: package for name, package in wanted.items() if shutil.which(name) is None}
    if "gcc" not in missing and not _has_static_library():
        missing[STATIC_LIBRARY[0]] = STATIC_LIBRARY[1]
    return missing


def _has_static_library() -> bool:
    """Whether a program can be linked that needs no library of the machine when it runs."""
    name = STATIC_LIBRARY[0]
    asked = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=False
    )
    # gcc answers with the bare name when it knows no such file.
    return asked.returncode == 0 and asked.stdout.strip() != name


def check_disk(folder: Path, already: int, needed: int = DISK) -> None:
    """Raises BuildImpossible when the disk below ``folder`` is too full for a build.

    ``already`` is in bytes: what a build that was interrupted has left there.
    """
    free = shutil.disk_usage(folder).free
    if free + already < needed:
        raise BuildImpossible(
            f"the disk is too full: building takes {gigabytes(needed)} below {folder}, and "
            f"{gigabytes(free + already)} are free.\n{other_disk()}"
        )


def other_disk() -> str:
    """The way out of a disk that is too small."""
    return (
        "Make room (sockstates kernel remove VERSION), or let the cache lie on another "
        "disk: XDG_CACHE_HOME=/elsewhere sockstates kernel build\n"
        "(what then runs scenarios needs the same XDG_CACHE_HOME)"
    )


def gigabytes(size: int) -> str:
    """Bytes as people say them."""
    return f"{size / 1e9:.1f} GB"


def size_below(folder: Path) -> int:
    """Bytes of disk that the files below a folder take; a file with two names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.lstat(os.path.join(place, name))
            except OSError:
                continue
            seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(seen.values())
