"""What is known of a connection that is followed: plain numbers, kept for each of its directions.

Only data; `following_rules` keeps it and `following` gives it out.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from sockstates.tcp.marks import Mark
from sockstates.tcp.segment import Address


class Said(NamedTuple):
    """What following takes of a segment. `acknowledgement`: None without ACK; bits: its flags.

    time: nanoseconds. window: as on the wire. length: bytes of payload.
    """

    time: int
    sequence: int
    acknowledgement: int | None
    bits: int
    window: int
    length: int


class Direction:
    """What one end of a connection has sent so far. Sequence numbers are absolute."""

    __slots__ = (
        "acknowledged",
        "acknowledged_at",
        "base",
        "contiguous",
        "duplicates",
        "flags",
        "fresh",
        "latest",
        "latest_data",
        "marks",
        "next",
        "next_at",
        "octets",
        "renumbered",
        "scale",
        "segments",
        "shift",
        "unanswered",
        "window",
    )

    def __init__(self) -> None:
        self.base: int | None = None
        """Its initial sequence number, or what stands for it."""
        self.next: int | None = None
        """The number after the farthest that was seen, and when that was (ns)."""
        self.next_at = 0
        self.contiguous: int | None = None
        """The number up to which nothing is missing: what can be acknowledged."""
        self.acknowledged: int | None = None
        """What its last segment acknowledged, and when (ns)."""
        self.acknowledged_at = 0
        self.duplicates = 0
        """How often it has repeated that."""
        self.window = -1
        """As its last segment had it on the wire; before that, like none."""
        self.scale: int | None = None
        """The shift it offered (RFC 7323); None: not known."""
        self.shift: int | None = None
        """How far its last window is to be shifted; None: not known."""
        self.marks = 0
        """Those of its last segment."""
        self.flags = 0
        """Every flag that one of its segments had, of SYN, FIN and RST."""
        self.fresh = False
        """Whether its last SYN has not been followed by an ACK."""
        self.unanswered: int | None = None
        """What acknowledges its SYN or FIN, as long as nothing has."""
        self.latest: Said | None = None
        """Its last segment."""
        self.latest_data: Said | None = None
        """Its last segment with data."""
        self.segments = 0
        self.octets = 0
        self.renumbered = False
        """Whether its SYN-ACK had another number than what it had sent before."""

    def renumber(self, sequence: int) -> None:
        """Begin to count at its SYN-ACK: what it sent before has nothing to do with this number.

        Before it there was an RST that refused the same SYN (its number is 0 where there is no
        connection, RFC 9293, 3.10.7.1), or a connection whose successor's SYN was not captured.
        """
        self.base = sequence
        self.next = self.contiguous = self.unanswered = None
        self.duplicates = 0
        self.renumbered = True


class Connection:
    """One connection: who spoke first to whom, and what both have sent."""

    __slots__ = (
        "began",
        "destination",
        "ended",
        "first",
        "marked",
        "number",
        "reused",
        "round_trip",
        "second",
        "source",
        "syn_at",
        "telling",
        "watched",
    )

    def __init__(self, number: int, source: Address, destination: Address, time: int) -> None:
        self.number = number
        """Counted from 0, in the order of first segments; tshark's tcp.stream."""
        self.source = source
        self.destination = destination
        self.first = Direction()
        """What `source` sends."""
        self.second = Direction()
        self.began = self.ended = time
        """When its first and its last segment were captured (ns)."""
        self.reused = False
        """Whether an earlier connection had the same addresses and ports."""
        self.watched = True
        """Whether a segment without SYN, FIN and RST may tell something of its ends' states."""
        self.syn_at = 0
        self.round_trip = 0
        """Nanoseconds from the SYN to the first ACK after it; 0 while not known."""
        self.marked: Counter[int] = Counter()
        """How many segments had which marks."""
        self.telling: list[tuple[bool, Said]] = []
        """The segments that tell of its ends' states, in order; True for what `source` sent."""

    def count(self, marks: Mark) -> int:
        """How many segments had one of these marks."""
        wanted = int(marks)
        return sum(count for each, count in self.marked.items() if each & wanted)

    @property
    def segments(self) -> int:
        """How many segments were captured of it."""
        return self.first.segments + self.second.segments


Place = tuple[Connection, Direction, Direction]
"""A connection, and its directions: the one a segment goes, and the other."""
