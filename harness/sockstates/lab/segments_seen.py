"""What a scenario expects on the wire: waits until the captured segments show it, or cannot.

A match is judged twice: as soon as it seems to be there, and again when every host has recorded
all that it captured until then, so that no segment that was only read late is overlooked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.record.events import NANOSECONDS
from sockstates.tcp.explanation import explain
from sockstates.tcp.matching import Match, Mismatch, match
from sockstates.tcp.notation import format_segment, parse_pattern
from sockstates.tcp.pattern import Pattern
from sockstates.tcp.segment import Segment

if TYPE_CHECKING:
    from sockstates.lab.lab import Lab

SHOWN = 5
"""Segments that an explanation shows of those that nobody expected."""


class SegmentsSeen:
    """The segments of one lab, and how far the scenario has followed them."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._after = 0
        """Segments later than this (ns) are still to be matched."""
        self.bindings: dict[str, int] = {}
        """What the letters of the notation stand for."""

    def segments(self) -> list[Segment]:
        """The segments that no expectation has covered yet."""
        return [each for each in self._lab.timeline.wire if each.time > self._after]

    def sees(self, text: str) -> tuple[Segment, ...]:
        """See :meth:`Lab.sees`."""
        lines = parse_pattern(text)
        found = self._wait_for(lines)
        if isinstance(found, Mismatch):
            raise ExpectationFailed("the wire did not show what was expected\n\n" + explain(found))
        return self._follow(found)

    def sees_only(self, text: str) -> tuple[Segment, ...]:
        """See :meth:`Lab.sees_only`."""
        lines = parse_pattern(text)
        found = self._wait_for(lines)
        segments = self.segments()
        if isinstance(found, Match) and (found.first, found.last) == (0, len(segments)):
            return self._follow(found)
        if isinstance(found, Match):
            raise ExpectationFailed(
                f"the wire showed more than was expected: {len(segments)} segments, of which the "
                f"{found.last - found.first} expected ones begin at number {found.first + 1}. "
                "Not expected:\n\n" + self._shown(segments[: found.first] + segments[found.last :])
            )
        raise ExpectationFailed("the wire did not show what was expected\n\n" + explain(found))

    def never_sees(self, text: str, since: Segment | None) -> None:
        """See :meth:`Lab.never_sees`."""
        lab = self._lab
        lab.settle()
        doubt = lab.doubt()
        if doubt is not None:
            raise Inconclusive(f"that a segment was never sent cannot be known: {doubt}")
        after = since.time if since is not None else 0
        segments = [each for each in lab.timeline.wire if each.time > after]
        found = self._match(parse_pattern(text), segments)
        if isinstance(found, Match):
            when = segments[found.first].time
            raise ExpectationFailed(
                "the wire showed what should never have been there, at "
                f"{(when - lab.origin) / NANOSECONDS:.3f} s\n\n"
                f"  expected  never {text.strip()}\n  seen\n"
                + self._shown(segments[found.first : found.last])
            )

    def _shown(self, segments: list[Segment]) -> str:
        """The first five of some segments, as tcpdump prints them."""
        names = self._lab.names
        lines = [
            f"  {format_segment(each, lambda end: names.host(end.ip))}" for each in segments[:SHOWN]
        ]
        if len(segments) > SHOWN:
            lines.append(f"  and {len(segments) - SHOWN} more")
        return "\n".join(lines)

    def _follow(self, found: Match) -> tuple[Segment, ...]:
        segments = self.segments()
        self.bindings = dict(found.bindings)
        self._after = segments[found.last - 1].time
        return tuple(segments[found.first : found.last])

    def _judge(self, lines: Pattern) -> Match | Mismatch:
        return self._match(lines, self.segments())

    def _match(self, lines: Pattern, segments: list[Segment]) -> Match | Mismatch:
        """Where the segments match, called by either end's names for both."""
        lab = self._lab
        others = lab.timeline.rewritings.others
        return match(lines, segments, self.bindings, lab.names.addresses, others=others)

    def _more_than_now(self) -> Callable[[], bool]:
        """Says, each time it is asked, whether more is known of segments than at this moment."""
        known = self._lab.timeline.known_of_wire
        return lambda: self._lab.timeline.known_of_wire != known

    def _wait_for(self, lines: Pattern) -> Match | Mismatch:
        """Wait for a match as long as the evidence comes nearer to it."""
        lab = self._lab
        found = self._judge(lines)
        deadline = time.monotonic() + lab.deadlines.next_segment()
        nearest = -1
        while isinstance(found, Mismatch):
            if found.matched > nearest:
                nearest = found.matched
                deadline = time.monotonic() + lab.deadlines.next_segment()
            awaiting = f"line {found.failed + 1} of the expected segments: {lines[found.failed]}"
            left = max(0.0, deadline - time.monotonic())
            if not lab.wait_until(self._more_than_now(), awaiting, left):
                break
            found = self._judge(lines)
        lab.settle()
        return self._judge(lines)

    def stays_quiet(self, seconds: float) -> None:
        """See :meth:`Lab.stays_quiet`."""
        lab = self._lab
        lab.settle()
        known, awaiting = len(lab.timeline.wire), f"silence for {seconds:g} s"
        lab.wait_until(lambda: len(lab.timeline.wire) > known, awaiting, seconds)
        if len(lab.timeline.wire) > known:
            extra = lab.timeline.wire[known:]
            raise ExpectationFailed(
                f"silence was expected for {seconds:g} s, but {len(extra)} segments were sent\n\n"
                + self._shown(extra)
            )
