"""Says how far a build is: a line that is rewritten on a terminal, now and then one elsewhere."""

from __future__ import annotations

import re
import time
from typing import TextIO

OBJECTS = {"6.1": 827, "6.12": 862, "7.3": 870}
"""Version -> how many objects a whole build has compiled, counted in its tree."""
SECONDS_BETWEEN_LINES = 30.0
_OBJECT = re.compile(r"  (?:CC|AS)\s+(\S+\.o)$", re.MULTILINE)


def objects_of(version: str) -> int:
    """About how many objects a build of this version compiles: those of the nearest one known."""
    number = _as_number(version)
    nearest = min(OBJECTS, key=lambda each: abs(_as_number(each) - number))
    return OBJECTS[nearest]


def _as_number(version: str) -> int:
    major, minor = version.split(".")
    return int(major) * 20 + int(minor)


class Progress:
    """Counts the objects in make's output, and shows the count and the time."""

    def __init__(self, version: str, shown_on: TextIO) -> None:
        self._expected = objects_of(version)
        self._to = shown_on
        self._rewritten = shown_on.isatty()
        self._begun = time.monotonic()
        self._shown = self._begun
        self._made: set[str] = set()

    def before(self, log: str) -> None:
        """Count what builds that were interrupted have made already, by their log."""
        for line in log.splitlines():
            self._count(line)

    def line(self, text: str) -> None:
        """Take in one line of make's output."""
        if not self._count(text):
            return
        now = time.monotonic()
        if now - self._shown >= (0.2 if self._rewritten else SECONDS_BETWEEN_LINES):
            self._shown = now
            self._write(self.words())

    def end(self) -> None:
        """Show the last count."""
        self._write(self.words())
        if self._rewritten:
            self._to.write("\n")
            self._to.flush()

    def words(self) -> str:
        """The count and the time, as people read them."""
        made, elapsed = len(self._made), int(time.monotonic() - self._begun)
        # More than were ever counted: then there is no telling how many are left.
        of = f" of about {self._expected}" if made <= self._expected else ""
        return f"  {made}{of} objects, {elapsed // 60}:{elapsed % 60:02} min"

    def _count(self, text: str) -> bool:
        match = _OBJECT.match(text)
        if match:
            self._made.add(match[1])
        return match is not None

    def _write(self, text: str) -> None:
        self._to.write(f"\r{text}\x1b[K" if self._rewritten else f"{text}\n")
        self._to.flush()
