"""Configures and compiles a kernel's tree with make; what make says is kept in a log."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from sockstates.virtual import recipe
from sockstates.virtual.errors import BuildFailed
from sockstates.virtual.requirements import other_disk
from sockstates.virtual.trees import NO_SPACE

PROGRAM = "linux"
LAST_LINES = 12
_ERROR = re.compile(r"error:|undefined reference|\*\*\*.*Error \d+|: fatal|Killed|not found")
_FOREIGN = ("ARCH", "SUBARCH", "CROSS_COMPILE", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "CC", "LLVM")
"""What in the caller's environment would make it another kernel, or make's own business."""


class Make:
    """make in one tree; ``lock`` is held by make too, for as long as any of it runs."""

    def __init__(self, tree: Path, log: Path, lock: int) -> None:
        self._tree = tree
        self._log = log
        self._lock = lock

    def configure(self, version: str) -> str:
        """Give the tree our configuration; its ``.config``.

        Raises BuildFailed, also when an option of ours did not make it.
        """
        self._run(["make", "ARCH=um", "tinyconfig"])
        fragment = str(recipe.FRAGMENT)
        self._run(["scripts/kconfig/merge_config.sh", "-m", "-O", ".", ".config", fragment])
        self._run(["make", "ARCH=um", "olddefconfig"])
        configuration = (self._tree / ".config").read_text()
        lacking = recipe.lacking(recipe.options(), configuration, version)
        if lacking:
            names = "\n".join(f"  {each.name}={each.value}" for each in lacking)
            raise BuildFailed(
                f"Linux {version} cannot be configured as virtual kernels are: it lacks\n{names}\n"
                "An option that came later is marked so in harness/sockstates/virtual/kernel.config"
            )
        return configuration

    def compile(self, line_said: Callable[[str], None]) -> Path:
        """Compile the kernel, on as many processors as this process may use; the program."""
        processors = len(os.sched_getaffinity(0))
        self._run(["make", "ARCH=um", f"-j{processors}", PROGRAM], line_said)
        return self._tree / PROGRAM

    def _run(self, command: Sequence[str], line_said: Callable[[str], None] | None = None) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        ours = {"LC_ALL": "C", "KBUILD_BUILD_USER": "sockstates", "KBUILD_BUILD_HOST": "localhost"}
        kept: list[str] = []
        with (
            self._log.open("a", buffering=1) as log,
            subprocess.Popen(
                command,
                cwd=self._tree,
                env=environment | ours,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                pass_fds=(self._lock,),
            ) as process,
        ):
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    log.write(line)
                    kept.append(line)
                    if line_said:
                        line_said(line)
            except BaseException:
                # make takes away what it was writing, and ends what it has started.
                process.terminate()
                raise
        if process.returncode:
            raise BuildFailed(failure(command, kept, self._log))


def failure(command: Sequence[str], said: Sequence[str], log: Path) -> str:
    """Why make failed, out of what it said: the first error, the last lines, where all of it is."""
    if any(NO_SPACE in line for line in said):
        return f"the disk became full while the kernel was compiled.\n{other_disk()}"
    first = next((number for number, line in enumerate(said) if _ERROR.search(line)), None)
    last = max(0, len(said) - LAST_LINES)
    text = f"`{' '.join(command)}` failed."
    if first is not None and first < last:
        text += f"\nThe first error:\n{_indented(said[first : first + 3])}"
    text += f"\nThe last lines:\n{_indented(said[last:])}\nAll of it: {log}"
    if any("Killed" in line for line in said):
        text += "\nThe machine had no memory left for the compiler: end other programs, try again."
    return text


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line.rstrip()}" for line in lines)
