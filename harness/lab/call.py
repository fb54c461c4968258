"""A socket call of a built-in endpoint, as the scenario holds it: pending, returned or failed.

A call that fails and that the scenario says nothing about fails the scenario when it ends: an
error is never passed over in silence.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from harness.evidence.events import NANOSECONDS, CallEnded
from harness.evidence.verdicts import ExpectationFailed

if TYPE_CHECKING:
    from harness.lab.host import Host


def error_name(number: int) -> str:
    """``ECONNREFUSED (Connection refused)``."""
    return f"{errno.errorcode.get(number, number)} ({os.strerror(number)})"


class Call:
    """One call; `name` is the system call's."""

    def __init__(self, host: Host, number: int, name: str) -> None:
        self.host = host
        self.number = number
        self.name = name
        self.began = host.lab.now()
        self.judged = False
        host.lab.calls.append(self)

    def __str__(self) -> str:
        return f"{self.name} on {self.host.name}"

    @property
    def ended(self) -> CallEnded | None:
        """How it ended; None while it waits."""
        return self.host.lab.timeline.call(self.number)

    def wait(self, seconds: float | None = None) -> CallEnded:
        """Wait until the call has ended, either way; the deadline is the kernel's, or `seconds`."""
        lab = self.host.lab
        limit = lab.deadlines.call(self) if seconds is None else seconds
        lab.wait_until(lambda: self.ended is not None, f"{self} to end", limit)
        if self.ended is None:
            waited = (lab.now() - self.began) / NANOSECONDS
            raise ExpectationFailed(f"{self} did not end: it waits since {waited:.1f} s")
        return self.ended

    def returns(self, expected: object = ..., *, seconds: float | None = None) -> object:
        """Expect success (and this result, when one is given); the result."""
        ended = self.wait(seconds)
        self.judged = True
        if ended.error:
            raise ExpectationFailed(
                f"{self} failed\n\n  expected  success\n  seen      {error_name(ended.error)}"
            )
        if expected is not ... and ended.result != expected:
            raise ExpectationFailed(
                f"{self} returned something else\n\n"
                f"  expected  {expected!r}\n  seen      {ended.result!r}"
            )
        return ended.result

    def fails(self, expected: int, *, seconds: float | None = None) -> float:
        """Expect failure with this errno (``errno.ECONNRESET``); seconds from call to failure."""
        ended = self.wait(seconds)
        self.judged = True
        if ended.error != expected:
            seen = error_name(ended.error) if ended.error else f"success, {ended.result!r}"
            raise ExpectationFailed(
                f"{self} ended differently\n\n"
                f"  expected  {error_name(expected)}\n  seen      {seen}"
            )
        return (ended.time - self.began) / NANOSECONDS

    @property
    def pending(self) -> bool:
        """Whether it still waits, after all that has been recorded by now."""
        self.host.lab.settle()
        return self.ended is None
