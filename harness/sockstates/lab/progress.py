"""Who is told of long waits: what the lab knows of a terminal."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Who is told of long waits."""

    def waiting(self, awaiting: str, waited: float, limit: float) -> None:
        """Told every second: what is awaited, seconds waited, seconds at most."""

    def over(self) -> None:
        """The wait has ended, however it ended."""
