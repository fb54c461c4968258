"""A socket call of a built-in endpoint, as the scenario holds it: pending, returned or failed.

A call that fails and that the scenario says nothing about fails the scenario when it ends: an
error is never passed over in silence.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from sockstates.evidence.durations import Decision, Lasted, Limits, decide
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.lab.words import HasWords
from sockstates.record.events import NANOSECONDS, CallBegan, CallEnded
from sockstates.sandbox.client.errors import LabError
from sockstates.tcp.nearest import nearest
from sockstates.tcp.timers import late

if TYPE_CHECKING:
    from sockstates.lab.addressed_host import AddressedHost


def error_name(number: int) -> str:
    """``ECONNREFUSED (Connection refused)``."""
    return f"{errno.errorcode.get(number, number)} ({os.strerror(number)})"


class Call(HasWords):
    """One call; `name` is the system call's."""

    def __init__(self, host: AddressedHost, number: int, name: str) -> None:
        self.host = host
        self.number = number
        self.name = name
        self.began = host.lab.now()
        self.judged = False
        self.may_wait = 0.0
        """Seconds for which an option of its socket lets it wait, such as SO_RCVTIMEO."""
        host.lab.calls.append(self)

    def __str__(self) -> str:
        return f"{self.name} on {self.host.name}"

    @property
    def ended(self) -> CallEnded | None:
        """How it ended; None while it waits."""
        return self.host.lab.timeline.call(self.number)

    @property
    def unjudged_failure(self) -> str | None:
        """With what it failed, as long as the scenario has said nothing about it; else None."""
        ended = self.ended
        if ended is None or not ended.error or self.judged:
            return None
        return f"{self} failed with {error_name(ended.error)}"

    @property
    def was_judged_a_failure(self) -> bool:
        """Whether it has failed, and the scenario has said so."""
        ended = self.ended
        return self.judged and ended is not None and bool(ended.error)

    def wait(self, seconds: float | None = None) -> CallEnded:
        """Wait until the call has ended, either way; the deadline is the kernel's, or `seconds`."""
        lab = self.host.lab
        limit = lab.deadlines.call(self) if seconds is None else seconds
        lab.wait_until(lambda: self.ended is not None, f"{self} to end", limit)
        if self.ended is None:
            waited = (lab.now() - self.began) / NANOSECONDS
            raise ExpectationFailed(f"{self} has not ended: it has been waiting for {waited:.1f} s")
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

    def fails(
        self, expected: int, *, after: float | None = None, seconds: float | None = None
    ) -> float:
        """Expect failure with this errno (``errno.ECONNRESET``); seconds from call to failure.

        `after`: and to have failed when a timer of the kernel of so many seconds had run out, early
        or late by no more than `early` and `late` in `sockstates.tcp.timers` say.
        """
        if not isinstance(expected, int):
            near = nearest(str(expected), errno.errorcode.values())
            raise LabError(
                f"{self}: fails with a number of errno, not {expected!r}"
                + (f": write fails(errno.{near[0]})" if near else "")
            )
        if after is not None and seconds is None:
            seconds = late(after) + self.host.lab.deadlines.call(self)
        ended = self.wait(seconds)
        self.judged = True
        if ended.error != expected:
            seen = error_name(ended.error) if ended.error else f"success, {ended.result!r}"
            raise ExpectationFailed(
                f"{self} ended differently\n\n"
                f"  expected  {error_name(expected)}\n  seen      {seen}"
            )
        if after is not None:
            self._judge_time(Limits.timer(after), ended)
        return self._took(ended)

    def ends(self, *expected: int) -> int:
        """Expect the call to end, whichever way: 0 for success, or its errno, comes back.

        With numbers, in one of these ways: ``ends(0, errno.ECONNRESET)``.
        """
        ended = self.wait()
        self.judged = True
        if expected and ended.error not in expected:
            wanted = " or ".join(error_name(each) if each else "success" for each in expected)
            seen = error_name(ended.error) if ended.error else f"success, {ended.result!r}"
            raise ExpectationFailed(
                f"{self} ended differently\n\n  expected  {wanted}\n  seen      {seen}"
            )
        return ended.error

    def lasts(
        self,
        seconds: float | None = None,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> float:
        """Expect the call to take so long, however it ends; seconds that it took.

        `seconds`: as a timer of that length of the kernel's; `at_least` and `at_most` are bounds on
        the wall's clock, on the side of the program. Says nothing about result or errno.
        """
        if seconds is None:
            limits = Limits(at_least or 0.0, float("inf") if at_most is None else at_most)
        else:
            limits = Limits.timer(seconds)
        longest = limits.least if limits.most == float("inf") else limits.most
        ended = self.wait(longest + self.host.lab.deadlines.call(self))
        self._judge_time(limits, ended)
        return self._took(ended)

    def _took(self, ended: CallEnded) -> float:
        """Seconds from the call to its end, as the program's side recorded both."""
        began = next(
            (
                event.time
                for event in self.host.lab.timeline.events
                if isinstance(event, CallBegan) and event.call == self.number
            ),
            self.began,
        )
        return (ended.time - began) / NANOSECONDS

    def _judge_time(self, limits: Limits, ended: CallEnded) -> None:
        took = self._took(ended)
        if decide(Lasted(took, took), limits) is not Decision.HOLDS:
            how = error_name(ended.error) if ended.error else "success"
            raise ExpectationFailed(
                f"{self} did not take as long as expected\n\n"
                f"  expected  {limits}\n  seen      {took:.3f} s, then {how}"
            )

    @property
    def pending(self) -> bool:
        """Whether it still waits, after all that has been recorded by now."""
        self.host.lab.settle()
        return self.ended is None
