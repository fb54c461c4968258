"""What a test run and its virtual kernels tell one another: files in a folder that both see.

Nobody waits for anybody inside a virtual kernel, whose clock would race: what is to be done lies
there beforehand, a guest takes the next test by making a folder (mkdir(2) succeeds once), and
appends what it has found to a file of its own, which the other side reads as it grows.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

VARIABLE: Final = "SOCKSTATES_EXCHANGE"
"""Environment variable that tells a guest's pytest where the exchange is, and its own number."""
_ORDER, _TAKEN = "order.json", "taken"


class Exchange:
    """The folder, from either side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, tests: Sequence[str], worker: dict[str, Any]) -> None:
        """Lay down what is to be done, and what every guest must know of the run."""
        (self.folder / _TAKEN).mkdir(parents=True)
        text = json.dumps({"tests": list(tests), "worker": worker})
        (self.folder / _ORDER).write_text(text)

    def order(self) -> tuple[list[str], dict[str, Any]]:
        """The tests in their order, and what is to be known of the run."""
        found = json.loads((self.folder / _ORDER).read_text())
        return found["tests"], found["worker"]

    def take(self) -> Iterator[str]:
        """Take the next test that nobody has taken, again and again until there is none."""
        for position, test in enumerate(self.order()[0]):
            with suppress(FileExistsError):
                (self.folder / _TAKEN / str(position)).mkdir()
                yield test

    def kept(self, number: int) -> Path:
        """Where guest `number` has its temporary files, under the same name inside and outside.

        Inside they lie in memory while it runs, because only there can it give a file to another
        user, as many a server does.
        """
        return self.folder.parent / f"guest-{number}"

    def keep(self, number: int) -> None:
        """Inside, at the end: hand the temporary files over. What is no file stays behind."""
        with suppress(OSError, shutil.Error):
            shutil.copytree(self.kept(number), self._handed(number), symlinks=True)

    def fetch(self, number: int) -> None:
        """Outside, when the guest has ended: put them where they are looked for."""
        with suppress(OSError):
            self._handed(number).rename(self.kept(number))

    def _handed(self, number: int) -> Path:
        return self.folder / f"kept-{number}"

    def give_back(self, tests: Sequence[str]) -> None:
        """Let somebody else take what was taken and not begun."""
        order = self.order()[0]
        for test in tests:
            (self.folder / _TAKEN / str(order.index(test))).rmdir()

    def left(self) -> list[str]:
        """The tests that nobody has taken."""
        taken = {int(name) for name in os.listdir(self.folder / _TAKEN)}
        return [test for at, test in enumerate(self.order()[0]) if at not in taken]

    def told(self, number: int) -> Told:
        """What guest `number` tells."""
        path = self.folder / f"told-{number}.jsonl"
        path.touch()
        return Told(path)


class Told:
    """What one guest tells, as lines of JSON."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def tell(self, what: str, value: object) -> None:
        """Append a word and its value; it is on the host when this returns."""
        line = json.dumps([what, value], default=str).encode() + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def news(self) -> Iterator[tuple[str, Any]]:
        """What was told since the last time, whole lines only."""
        with self._path.open("rb") as told:
            told.seek(self._offset)
            text = told.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            what, value = json.loads(line)
            yield what, value
