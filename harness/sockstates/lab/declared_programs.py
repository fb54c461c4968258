"""The programs that a scenario's markers name: it can start these, and no other.

On a machine that lacks a program, a scenario that declares it is skipped by name; one that starts
it undeclared is red there and green elsewhere. So it fails everywhere. What a command line shows
is refused before it starts. What programs start in their turn is found on PATH: the first folder
there has a script in the place of each known program that is not declared.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sockstates.programs import EVERYWHERE, PACKAGES_BY_PROGRAM, commands_of, search_path
from sockstates.sandbox.client.errors import NotDeclared
from sockstates.sandbox.program_texts import command_text

STARTED = "undeclared"
"""The file in the folder of scripts that names those that were run."""
_SCRIPT = f"""\
#!/bin/sh
echo "${{0##*/}}" >>"${{0%/*}}/{STARTED}"
echo "${{0##*/}} is not declared: write @pytest.mark.programs(\\"${{0##*/}}\\")" >&2
exit 127
"""


class DeclaredPrograms:
    """What one scenario may start: these names, what every machine has, and files of its own."""

    def __init__(self, names: frozenset[str], make_folder: Callable[[], Path]) -> None:
        self._names = names
        self._make_folder = make_folder
        self._folder: Path | None = None

    def check(self, host: str, words: Sequence[str], path: str | None = None) -> None:
        """Raises NotDeclared for a command line that starts what is not declared.

        path: the PATH that the scenario sets for it, where it sets one.
        """
        missing = [name for name in commands_of(words) if not self._may_start(name, path)]
        if missing:
            raise NotDeclared(
                f"{host} runs {command_text(words)!r}, but the scenario does not declare "
                f"{' and '.join(dict.fromkeys(map(os.path.basename, missing)))}. "
                f"{self._advice(missing)}"
            )

    def _advice(self, missing: Sequence[str]) -> str:
        names = sorted({*self._names, *map(os.path.basename, missing)})
        words = ", ".join(f'"{name}"' for name in names)
        return (
            f"Write above it: @pytest.mark.programs({words}). It is then skipped, and says why, "
            "on a machine that lacks one of them."
        )

    def _may_start(self, command: str, path: str | None) -> bool:
        """Whether a command is declared, or a file of the scenario's own."""
        name = os.path.basename(command)
        if command == sys.executable or name in EVERYWHERE:
            return True
        if name in self._names or name.partition(".")[0] in self._names:  # Debian's nc.openbsd
            return True
        of_the_machine = search_path(os.environ.get("PATH"))
        found = command if "/" in command else shutil.which(command, path=path or of_the_machine)
        folders = [*of_the_machine.split(os.pathsep), *os.defpath.split(os.pathsep)]
        return found is not None and os.path.dirname(found) not in folders

    def environment(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """The environment that a scenario wants for a program, with the scripts first on PATH."""
        if self._folder is None:
            self._folder = self._make_folder()
            script = self._folder / ".undeclared"
            script.write_text(_SCRIPT)
            script.chmod(0o755)
            for name in PACKAGES_BY_PROGRAM.keys() - self._names:
                (self._folder / name).symlink_to(script)
        path = wanted.get("PATH") or search_path(os.environ.get("PATH"))
        return {**wanted, "PATH": f"{self._folder}{os.pathsep}{path}"}

    def check_started(self) -> None:
        """Raises NotDeclared where programs have started by now what is not declared."""
        if self._folder is None or not (self._folder / STARTED).exists():
            return
        started = list(dict.fromkeys((self._folder / STARTED).read_text().split()))
        raise NotDeclared(
            f"a program of this scenario started {' and '.join(started)}, which it does not "
            f"declare. {self._advice(started)}"
        )
