"""Sequence numbers counted from each connection's own beginning, and segments in short.

Both sides' SYN have number 0 here, as in Wireshark; tcpdump shows the SYN's own number and counts
from there. What an expectation writes as J+1 is 1 in this notation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sockstates.report.tls_words import tls_words
from sockstates.tcp.following import Following
from sockstates.tcp.marks import SENT_AGAIN, Mark, mark_words
from sockstates.tcp.segment import Segment

REMARKED = ~(Mark.RETRANSMISSION | Mark.ZERO_WINDOW | Mark.REUSED_PORTS)
"""Marks that are said in their own words; "again" and "win 0" say the others."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A segment with its relative numbers, and what it is among those of its connection.

    again: its bytes had been sent before. remarks: what else there is to say, in words. tls: what
    of TLS ends in it, and with tls_details what is in that; empty for most.
    """

    segment: Segment
    sequence: int
    acknowledgement: int | None
    again: bool
    remarks: tuple[str, ...] = ()
    tls: str = ""
    tls_details: str = ""

    def words(self, *, remarks: bool = True) -> list[str]:
        """``[F.]``, ``seq 1``, ``ack 1``, and what else there is to tell; `remarks` last."""
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
        return words + list(self.remarks if remarks else ())


class RelativeNumbers:
    """Where the numbers of each direction begin. To be asked for every segment in turn."""

    def __init__(self) -> None:
        self._following = Following()

    def of(self, segment: Segment) -> Numbered:
        """`segment` with numbers relative to what was seen of its connection so far."""
        followed = self._following.of(segment)
        refused = segment.has("R") and segment.sequence == 0  # RFC 9293, 3.10.7.1: no number
        return Numbered(
            segment,
            0 if refused else followed.sequence,
            followed.acknowledgement,
            bool(followed.marks & SENT_AGAIN),
            tuple(mark_words(followed.marks & REMARKED, followed.duplicate)),
        )


def numbered(wire: Sequence[Segment]) -> list[Numbered]:
    """Every segment with its numbers, and with what it says in TLS."""
    numbers, spoken = RelativeNumbers(), tls_words(wire)
    found = [numbers.of(segment) for segment in wire]
    for place, said in spoken.items():
        found[place] = replace(found[place], tls=said.words, tls_details=said.details)
    return found
