"""Builds one virtual kernel: source, changes, configuration, compiler, a first boot, its place.

Nothing half is ever found by ``kernels.built()``: the description comes last. A build that is
interrupted leaves its folder, and the next one goes on in it.
"""

from __future__ import annotations

import datetime
import errno
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sockstates.virtual import kernels, recipe, requirements, trees
from sockstates.virtual.boot_check import boot_check
from sockstates.virtual.choosing import Choice, apt_folder, choose
from sockstates.virtual.errors import BuildFailed
from sockstates.virtual.lock import only_one
from sockstates.virtual.make import Make
from sockstates.virtual.progress import Progress

BUILDING = ".building-"
SECCOMP = "seccomp=on"
"""Lets the guest's processes be watched without ptrace: many times faster, where it is known."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for."""

    version: str | None = None
    source: Path | None = None
    force: bool = False
    keep_tree: bool = False


def build_folder(version: str) -> Path:
    """Where a kernel of this version is built; gone when it is done."""
    return kernels.kernels_folder() / f"{BUILDING}{version}"


def lock_file(version: str) -> Path:
    """Held by whoever builds or removes this version."""
    return kernels.kernels_folder() / f".lock-{version}"


def build(wish: Wish, say: Callable[[str], None]) -> kernels.Kernel:
    """Build what is wished for; each thing done is said in a line.

    Raises BuildImpossible, BuildFailed or KernelUnusable, each with the way out.
    """
    requirements.check_processor()
    kernels.kernels_folder().mkdir(parents=True, exist_ok=True)
    # Before anything is asked of the archive, and again when it has told what is newest.
    if wish.source is None and (known := _built_already(wish, wish.version, say)):
        return known
    requirements.check_programs(fetching=wish.source is None)
    choice = choose(wish.version, wish.source, say)
    version = choice.version
    if known := _built_already(wish, version, say):
        return known
    with only_one(lock_file(version), f"building Linux {version}") as lock:
        try:
            return _build(choice, lock, wish.keep_tree, say)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                text = f"the disk is full.\n{requirements.other_disk()}"
                raise BuildFailed(text) from error
            raise


def _built_already(
    wish: Wish, version: str | None, say: Callable[[str], None]
) -> kernels.Kernel | None:
    """The kernel of this version, if it was built by the recipe of today from what is wished."""
    for kernel in [] if wish.force else kernels.built():
        said = kernels.described(kernel.path.parent) or {}
        same = wish.source is None or said.get("source") == trees.given(wish.source).name
        if kernel.version == version and said.get("recipe") == recipe.digest() and same:
            say(
                f"Linux {kernel.release} is built already: {kernel.path}\n"
                "(--force builds it again, with the newest package of that version)"
            )
            return kernel
    return None


def _build(
    choice: Choice, lock: int, keep_tree: bool, say: Callable[[str], None]
) -> kernels.Kernel:
    version, folder = choice.version, build_folder(choice.version)
    folder.mkdir(exist_ok=True)
    say(announcement(version, folder))
    requirements.check_disk(folder, requirements.size_below(folder))
    origin = choice.origin(folder)
    tree = trees.unpacked(origin, folder, say)
    recipe.apply_changes(tree)
    make = Make(tree, folder / "log", lock)
    say("configuring")
    configuration = make.configure(version)
    program = _compiled(make, version, folder / "log", say)
    arguments = arguments_of(tree)
    say("booting it, to see two hours of its own time pass")
    release = boot_check(program, arguments).release
    description = {
        "version": version,
        "release": release,
        "hz": int(_value(configuration, "CONFIG_HZ")),
        "arguments": list(arguments),
        "source": origin.name,
        "built": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "compiler": _value(configuration, "CONFIG_CC_VERSION_TEXT").strip('"'),
        "recipe": recipe.digest(),
    }
    _put_into_place(program, configuration, description, kernels.kernels_folder() / version)
    if not keep_tree:
        shutil.rmtree(folder)
    if not any(kernels.kernels_folder().glob(f"{BUILDING}*")):
        # No other build is left that would ask the archive again.
        shutil.rmtree(apt_folder(), ignore_errors=True)
    kernel = kernels.find(version)
    say(f"Linux {release} is built, and has booted: {kernel.path}")
    return kernel


def announcement(version: str, folder: Path) -> str:
    """What is about to happen, said before it does."""
    return (
        f"Linux {version} will lie in {folder.parent / version} (about 10 MB).\n"
        f"Building takes {requirements.gigabytes(requirements.DISK)} in {folder}, which is "
        "removed afterwards,\nand some minutes of all processors; Ctrl-C interrupts it, and the "
        "same command goes on."
    )


def _compiled(make: Make, version: str, log: Path, say: Callable[[str], None]) -> Path:
    say(f"compiling; what the compiler says is kept in {log}")
    progress = Progress(version, sys.stdout)
    progress.before(log.read_text(errors="replace"))
    try:
        return make.compile(progress.line)
    finally:
        progress.end()


def arguments_of(tree: Path) -> tuple[str, ...]:
    """What a kernel of this tree needs on its command line because of its version."""
    for path in sorted((tree / "arch" / "um" / "os-Linux").glob("*.c")):
        if '"seccomp=' in path.read_text(errors="replace"):
            return (SECCOMP,)
    return ()


def _value(configuration: str, name: str) -> str:
    found = re.search(rf"^{name}=(.*)$", configuration, re.MULTILINE)
    if found is None:
        raise BuildFailed(f"the configuration lacks {name}")
    return found[1]


def _put_into_place(
    program: Path, configuration: str, description: dict[str, object], folder: Path
) -> None:
    """Each file under a temporary name first; the description, which makes it known, comes last."""
    folder.mkdir(exist_ok=True)
    new = {name: folder / f"{name}.new" for name in kernels.FILES}
    shutil.copyfile(program, new[kernels.PROGRAM])
    new[kernels.PROGRAM].chmod(0o755)
    new[kernels.CONFIGURATION].write_text(configuration)
    new[kernels.DESCRIPTION].write_text(json.dumps(description, indent=2) + "\n")
    for name in kernels.FILES:
        os.replace(new[name], folder / name)
