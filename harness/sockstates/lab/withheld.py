"""What a withheld verb gives: it is like the real thing, and nothing comes of it."""

from __future__ import annotations

import signal
from collections.abc import Callable

from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.lab.call import Call
from sockstates.lab.link import Link
from sockstates.lab.program import Found, Program
from sockstates.lab.rule import Counter, Rule
from sockstates.record.events import CallEnded


class WithheldCall(Call):
    """A call that was not made: it never ends, and who waits for it is told so at once."""

    def wait(self, seconds: float | None = None) -> CallEnded:
        """Fail as an expectation does, and at once: however long, it would never end."""
        del seconds
        raise ExpectationFailed(f"{self} does not end: it was withheld, so it has never begun")


class InertRule(Rule):
    """A rule that was not applied: it matches nothing, and taking it away changes nothing."""

    @property
    def counter(self) -> Counter:
        """Nothing at all."""
        return Counter(0, 0)

    def _change(self, request: Callable[[int], object], change: str) -> None:
        """Leave everything as it is; nothing is recorded either."""


class InertLink(Link):
    """A link that was not made: the cables are bare, and lose nothing."""

    @property
    def lost(self) -> int:
        """None at all."""
        return 0

    def delete(self) -> None:
        """Leave everything as it is; nothing is recorded either."""


class WithheldProgram(Program):
    """A program that was not started: it does nothing, and who waits for it is told so at once."""

    def _wait_for(self, find: Callable[[], Found | None], what: str) -> Found | None:
        del find
        raise ExpectationFailed(f"{self} was expected {what}: it was withheld, so it is not there")

    def ends(self, status: int | None = None, *, seconds: float | None = None) -> int:
        """Fail as an expectation does, and at once: what has not begun does not end."""
        del status, seconds
        raise ExpectationFailed(f"{self} does not end: it was withheld, so it has never begun")

    @property
    def processes(self) -> tuple[int, ...]:
        """None at all."""
        return ()

    def type(self, text: str | bytes) -> None:
        """Have nobody read it."""

    def close_input(self) -> None:
        """Have nobody read the end."""

    def kill(self) -> None:
        """Have nothing end."""

    def send_signal(self, number: signal.Signals) -> None:
        """Have nothing receive it."""
