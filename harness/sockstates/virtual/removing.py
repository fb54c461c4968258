"""Removes kernels, and what unfinished builds have left: only what is ours."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sockstates.virtual import kernels
from sockstates.virtual.building import BUILDING, build_folder, lock_file
from sockstates.virtual.choosing import apt_folder
from sockstates.virtual.errors import KernelMissing, VirtualError
from sockstates.virtual.lock import only_one
from sockstates.virtual.requirements import gigabytes, size_below


def unfinished() -> list[tuple[str, Path]]:
    """Version and folder of each build that was interrupted, goes on just now, or was kept."""
    found = {
        path.name.removeprefix(BUILDING): path
        for path in kernels.kernels_folder().glob(f"{BUILDING}*")
    }
    known = [each for each in found.items() if kernels.VERSION.fullmatch(each[0])]
    return sorted(known, key=lambda each: kernels.version_order(each[0]))


def present() -> list[str]:
    """Every version of which anything lies here."""
    versions = {version for version, _ in unfinished()}
    folder = kernels.kernels_folder()
    for path in folder.iterdir() if folder.is_dir() else ():
        if kernels.VERSION.fullmatch(path.name) and path.is_dir():
            versions.add(path.name)
    return sorted(versions, key=kernels.version_order)


def remove(versions: Sequence[str], everything: bool) -> Iterator[str]:
    """Remove these kernels, or everything; a line for each thing removed.

    Raises KernelMissing before anything is removed when one of them is not there, and
    BuildImpossible when one is being built just now.
    """
    known = present()
    if not versions and not everything:
        raise KernelMissing(f"which one? Give versions or --all; here are: {_names(known)}")
    for version in versions:
        if version not in known:
            raise KernelMissing(
                f"{version} does not lie in {kernels.kernels_folder()}; here are: {_names(known)}"
            )
    for version in known if everything else dict.fromkeys(versions):
        with only_one(lock_file(version), f"building Linux {version}"):
            yield from _remove(version)
    apt = apt_folder()
    if everything and apt.is_dir():
        shutil.rmtree(apt)
        yield f"removed {apt}"
    if everything and not known:
        yield f"nothing lies in {kernels.kernels_folder()}"


def _names(versions: Sequence[str]) -> str:
    return ", ".join(versions) or "none"


def _remove(version: str) -> Iterator[str]:
    folder, build = kernels.kernels_folder() / version, build_folder(version)
    if folder.is_dir():
        # The description goes first: without it nobody takes this for a kernel.
        for name in reversed(kernels.FILES):
            (folder / name).unlink(missing_ok=True)
            (folder / f"{name}.new").unlink(missing_ok=True)
        try:
            folder.rmdir()
        except OSError as error:
            raise VirtualError(
                f"Linux {version} is removed, but {folder} has files that are not ours: it stays"
            ) from error
        yield f"removed Linux {version} from {folder}"
    if build.is_dir():
        size = size_below(build)
        shutil.rmtree(build)
        yield f"removed {build}, where Linux {version} was built ({gigabytes(size)})"
