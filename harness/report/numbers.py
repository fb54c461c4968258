"""Sequence numbers counted from each connection's own beginning, and segments in short.

Both sides' SYN have number 0 here, as in Wireshark; tcpdump shows the SYN's own number and counts
from there. What an expectation writes as J+1 is 1 in this notation.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.tcp.segment import Address, Segment, add

Direction = tuple[Address, Address]


@dataclass(frozen=True, slots=True)
class Numbered:
    """A segment with its relative numbers, and whether its octets had been sent before."""

    segment: Segment
    sequence: int
    acknowledgement: int | None
    again: bool

    def words(self) -> list[str]:
        """``[F.]``, ``seq 1``, ``ack 1``, and what else there is to tell."""
        segment = self.segment
        words = [f"[{segment.flags}]"]
        if segment.length:
            words.append(f"seq {self.sequence}:{self.sequence + segment.length}")
        elif any(map(segment.has, "SFR")):
            words.append(f"seq {self.sequence}")
        if self.acknowledgement is not None:
            words.append(f"ack {self.acknowledgement}")
        if segment.length:
            words.append(f"length {segment.length}")
        if segment.window == 0 and not segment.has("R"):
            words.append("win 0")
        if self.again:
            words.append("again")
        return words


class RelativeNumbers:
    """Where the numbers of each direction begin. To be asked for every segment in turn."""

    def __init__(self) -> None:
        self._bases: dict[Direction, int] = {}
        self._farthest: dict[Direction, int] = {}

    def of(self, segment: Segment) -> Numbered:
        """`segment` with numbers relative to what was seen of its connection so far."""
        there = segment.source, segment.destination
        back = segment.destination, segment.source
        if segment.has("S") and self._bases.get(there) != segment.sequence:
            self._begin(there, back, segment)
        self._bases.setdefault(there, segment.sequence)
        refused = segment.has("R") and segment.sequence == 0  # RFC 9293, 3.10.7.1: no number
        sequence = 0 if refused else add(segment.sequence, -self._bases[there])
        acknowledgement = None
        if segment.acknowledgement is not None:
            base = self._bases.setdefault(back, add(segment.acknowledgement, -1))
            acknowledgement = add(segment.acknowledgement, -base)
        return Numbered(segment, sequence, acknowledgement, self._was_sent(there, segment))

    def _begin(self, there: Direction, back: Direction, segment: Segment) -> None:
        """A SYN with a new number: a new connection, perhaps with the ports of an old one."""
        self._bases[there] = segment.sequence
        self._farthest.pop(there, None)
        if not segment.has("."):
            self._bases.pop(back, None)
            self._farthest.pop(back, None)

    def _was_sent(self, there: Direction, segment: Segment) -> bool:
        """Whether this direction carried all of these octets, or this SYN or FIN, before."""
        end = add(segment.end, -self._bases[there])
        if end == add(segment.sequence, -self._bases[there]):
            return False
        farthest = self._farthest.get(there, 0)
        self._farthest[there] = max(farthest, end)
        return end <= farthest
