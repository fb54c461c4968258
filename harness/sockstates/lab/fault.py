"""A fault of the wire as the scenario holds it: what it has met so far, and taking it away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.evidence.waited import waited_text
from sockstates.evidence.wire_acts import segments_of_fault
from sockstates.lab.words import HasWords
from sockstates.record.events import RuleChanged
from sockstates.tcp.segment import Segment

if TYPE_CHECKING:
    from sockstates.lab.wire import Wire


class Fault(HasWords):
    """A fault of the wire: what it has met so far, and taking it away."""

    def __init__(self, wire: Wire, number: int, text: str) -> None:
        self.host = wire
        self.number = number
        self.text = text

    def __repr__(self) -> str:
        return f"<fault of the wire: {self.text}>"

    @property
    def count(self) -> int:
        """How many segments it has chosen so far; all of them are in the evidence then."""
        return self.host.agent.faults.counter(self.number)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments that it has chosen so far, as their senders sent them."""
        self.host.lab.settle()
        return segments_of_fault(self.host.lab.timeline, self.number)

    def meets(self, number: int = 1, *, seconds: float | None = None) -> tuple[Segment, ...]:
        """Expect it to have chosen at least so many segments, now or by a deadline; they come back.

        The deadline is that of a next segment, or `seconds` from now.
        """
        lab = self.host.lab
        limit = lab.deadlines.next_segment() if seconds is None else seconds

        def met() -> bool:
            return len(segments_of_fault(lab.timeline, self.number)) >= number

        if not lab.wait_until(met, f"{self!r} to meet {_segments(number)}", limit):
            seen = segments_of_fault(lab.timeline, self.number)
            raise ExpectationFailed(
                f"the wire did not see the segments that this fault is for: {self.text}\n\n"
                f"  expected  {_segments(number)} within {waited_text(limit)}\n"
                f"  seen      {len(seen)}"
            )
        lab.settle()  # it is told before it is done, and is done when the wire has answered
        return segments_of_fault(lab.timeline, self.number)

    def delete(self) -> None:
        """Take the fault away: what it holds goes on now, and what it delays when that is due."""
        self._end("deleted")

    def release(self) -> None:
        """Let what a hold holds go on, in the order in which it came; it holds no more then."""
        self._end("released")

    def _end(self, change: str) -> None:
        self.record(change, self.count)
        self.host.agent.faults.delete(self.number)

    def record(self, change: str, count: int) -> None:
        """Put a change of the fault into the evidence; `count`: segments chosen so far."""
        event = RuleChanged(time.time_ns(), self.host.name, self.text, change, count)
        self.host.lab.timeline.add(event)


def _segments(number: int) -> str:
    return f"{number} segment{'' if number == 1 else 's'}"
