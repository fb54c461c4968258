"""A kernel's tree, unpacked into the build's folder from a package, a tarball or another tree."""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sockstates.virtual.errors import BuildFailed, SourceMissing
from sockstates.virtual.requirements import other_disk

INSTALLED = Path("/usr/src")
_OUTERMOST_MAKEFILE = re.compile(r"(?:\./)?[^/]+/Makefile")
NO_SPACE = "No space left on device"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a tree comes from: ``name`` tells one from another, ``unpack`` fills a folder."""

    place: str
    name: str
    unpack: Callable[[Path], None]


def version_given(path: Path) -> str:
    """The version of the tree or tarball that ``--source`` names. Raises SourceMissing."""
    if (path / "Makefile").is_file():
        return read_version((path / "Makefile").read_text(errors="replace")[:2000], path)
    if path.is_file():
        return read_version(makefile_in(path)[1], path)
    what = "a folder without the kernel's Makefile" if path.is_dir() else "not there"
    raise SourceMissing(f"{path} is {what}. Give a kernel's tarball, or the folder of its tree")


def read_version(makefile: str, where: Path) -> str:
    """The version that the head of a kernel's Makefile says, as in "6.12". Raises SourceMissing."""
    found = re.search(r"^VERSION = (\d+)\nPATCHLEVEL = (\d+)$", makefile, re.MULTILINE)
    if not found:
        raise SourceMissing(
            f"{where} is no Linux kernel: its Makefile names no version.\n"
            "Give a kernel's tarball, or the folder of its tree"
        )
    return f"{found[1]}.{found[2]}"


def installed_tarballs(folder: Path = INSTALLED) -> dict[str, Path]:
    """Version -> the tarball that an installed ``linux-source`` package has left."""
    found = {
        path.name.removeprefix("linux-source-").removesuffix(".tar.xz"): path
        for path in folder.glob("linux-source-*.tar.xz")
    }
    return {version: path for version, path in found.items() if path.is_file()}


def from_tarball(path: Path) -> Origin:
    """A tarball whose one top folder is the tree. Its time tells it from another of its name."""

    def unpack(folder: Path) -> None:
        levels = makefile_in(path)[0].count("/")
        _pipe(["tar", "-xf", str(path), f"--strip-components={levels}", "-C", str(folder)])

    return Origin(str(path), f"{path} of {path.stat().st_mtime_ns}", unpack)


def from_package(path: Path, version: str) -> Origin:
    """A Debian package that has the tarball; the tarball itself is never written to the disk."""
    inside = f"./usr/src/linux-source-{version}.tar.xz"

    def unpack(folder: Path) -> None:
        _pipe(
            ["dpkg-deb", "--fsys-tarfile", str(path)],
            ["tar", "-xOf", "-", inside],
            ["tar", "-xJf", "-", "--strip-components=1", "-C", str(folder)],
        )

    return Origin(path.name, path.name, unpack)


def from_tree(path: Path) -> Origin:
    """A tree that lies somewhere: it is copied, and not changed."""

    def unpack(folder: Path) -> None:
        _pipe(["cp", "-a", "--reflink=auto", f"{path}/.", str(folder)])

    written = (path / "Makefile").stat().st_mtime_ns
    return Origin(str(path), f"{path} of {written}", unpack)


def makefile_in(path: Path) -> tuple[str, str]:
    """The name and the head of the tree's own Makefile in a tarball. Raises SourceMissing."""
    try:
        # A stream: reading ends at the Makefile, long before the tarball does.
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                if _OUTERMOST_MAKEFILE.fullmatch(member.name) and member.isfile():
                    content = archive.extractfile(member)
                    return member.name, (content.read(2000) if content else b"").decode()
    except (tarfile.TarError, OSError, EOFError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise SourceMissing(f"{path} cannot be read as a tarball: {error}") from error
    raise SourceMissing(f"{path} is no kernel's tarball: its top folder has no Makefile")


def given(path: Path) -> Origin:
    """What ``--source`` names: see version_given, which has looked at it."""
    return from_tree(path) if path.is_dir() else from_tarball(path)


def unpacked(origin: Origin, build: Path, say: Callable[[str], None]) -> Path:
    """The tree in the build's folder; one that an interrupted build has left is used again.

    Raises BuildFailed when it cannot be unpacked.
    """
    tree, note = build / "tree", build / "source"
    if tree.is_dir() and note.exists() and note.read_text() == origin.name:
        say(f"going on in {tree}, where an earlier build was interrupted")
        return tree
    say(f"unpacking {origin.place} to {tree}")
    partial = build / "tree.partial"
    for old in (tree, partial):
        shutil.rmtree(old, ignore_errors=True)
    # The log tells what was made in a tree; this tree is a new one.
    (build / "log").unlink(missing_ok=True)
    partial.mkdir()
    origin.unpack(partial)
    partial.rename(tree)
    note.write_text(origin.name)
    return tree


def _pipe(*commands: list[str]) -> None:
    """Run commands, each reading what the one before it writes. Raises BuildFailed."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            running.append(
                subprocess.Popen(
                    command,
                    stdin=running[-1].stdout if running else subprocess.DEVNULL,
                    stdout=None if command is commands[-1] else subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
            if len(running) > 1 and (before := running[-2].stdout):
                before.close()
        words = [_words(process) for process in reversed(running)]
    finally:
        for process in running:
            process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()
    if any(process.returncode for process in running):
        said = "".join(words).strip()
        if NO_SPACE in said:
            raise BuildFailed(f"the disk is full.\n{other_disk()}")
        last = "\n".join(f"  {line}" for line in said.splitlines()[-5:])
        raise BuildFailed(f"`{' '.join(commands[-1])}` failed:\n{last}")


def _words(process: subprocess.Popen[bytes]) -> str:
    """What it complains of, when it has ended."""
    said = process.stderr.read().decode(errors="replace") if process.stderr else ""
    process.wait()
    return said
