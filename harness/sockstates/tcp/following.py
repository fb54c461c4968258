"""Follows the connections in what one capture point saw, and says of each segment what it is.

Beside the marks (`marks.Mark`: sent again, out of order, keep-alive, ...) these are the numbers
counted from each connection's beginning, and which connection it is: the same addresses and ports
with a SYN of another number are another one. A connection that began before the capture is
followed from its first segment on. Pure: segments in, findings out; nothing is judged.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from sockstates.tcp.connection import Connection, Place, Said
from sockstates.tcp.following_rules import DUPLICATE_ACK, mark
from sockstates.tcp.headers import ACK, FIN, RST, SYN
from sockstates.tcp.marks import Mark, mark_words
from sockstates.tcp.options import WINDOW_SCALE
from sockstates.tcp.segment import FLAG_LETTERS, NO_FLAGS, Address, Segment, add, flags_from_bits
from sockstates.tcp.watching import tell_latest, watch

Ends = tuple[Hashable, Hashable, Address, Address]
"""What names a segment's direction and the other one, and the addresses from and to."""
_BITS: Final = {letter: 1 << bit for bit, letter in enumerate(FLAG_LETTERS)}
_REUSED: Final = int(Mark.REUSED_PORTS)


@dataclass(frozen=True, slots=True)
class Followed:
    """A segment among those of its connection.

    sequence, acknowledgement: counted from the initial numbers, as Wireshark does: a SYN has 0.
    duplicate: the how manieth duplicate ACK it is; 0 for none.
    """

    segment: Segment
    connection: Connection
    sequence: int
    acknowledgement: int | None
    marks: Mark
    duplicate: int = 0

    def words(self) -> list[str]:
        """The marks as people read them."""
        return mark_words(self.marks, self.duplicate)


class Following:
    """The connections of one stream of segments. To be given every segment, in order."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.known: dict[Hashable, Place] = {}
        """By what names a direction (both its addresses): the connection that it is of now."""

    def of(self, segment: Segment) -> Followed:
        """`segment` among those that were given before it."""
        key = segment.source, segment.destination
        bits = 0
        if segment.flags != NO_FLAGS:
            bits = sum(_BITS[letter] for letter in segment.flags)
        scale = None
        if bits & SYN:
            values = [each.values for each in segment.options if each.kind == WINDOW_SCALE]
            scale = next((value[0] for value in values if value), None)
        said = Said(
            segment.time,
            segment.sequence,
            segment.acknowledgement,
            bits,
            segment.window,
            segment.length,
        )
        place, marks = self.take((key, (key[1], key[0]), *key), said, scale)
        connection, here, there = place
        acknowledgement = segment.acknowledgement
        return Followed(
            segment,
            connection,
            add(segment.sequence, -(here.base or 0)),
            None if acknowledgement is None else add(acknowledgement, -(there.base or 0)),
            Mark(marks),
            here.duplicates if marks & DUPLICATE_ACK else 0,
        )

    def take(self, ends: Ends, said: Said, scale: int | None) -> tuple[Place, int]:
        """A segment in plain numbers: where it belongs, and its marks.

        scale: the shift for windows that a SYN's options offer, None without.
        """
        place = self.known.get(ends[0])
        bits, sequence = said.bits, said.sequence
        reused = 0
        if place is None:
            place = self._begin(ends, said.time)
        elif bits & SYN and place[1].base is not None:
            reused = _REUSED if place[1].base != sequence else 0
            if reused and not bits & ACK:
                place = self._begin(ends, said.time)
                place[0].reused = True
            elif reused:
                place[1].renumber(sequence)
            elif not bits & ACK:
                place[1].next = place[1].contiguous  # an RST may have been ahead (RFC 9293, 3.10.7)
        if bits & (FIN | RST):
            place[0].telling += tell_latest(place[0])
        marks = mark(place, said)
        if reused:
            place[0].marked[reused] += 1
        if place[0].watched or bits & (SYN | FIN | RST):
            watch(place, said, scale)
        return place, marks | reused

    def _begin(self, ends: Ends, time: int) -> Place:
        key, back, source, destination = ends
        connection = Connection(len(self.connections), source, destination, time)
        self.connections.append(connection)
        self.known[back] = connection, connection.second, connection.first
        self.known[key] = connection, connection.first, connection.second
        return self.known[key]


def telling_segments(connection: Connection) -> list[Segment]:
    """The segments that tell of the states of a connection's ends; payload and options left out."""
    ends = connection.source, connection.destination
    return [
        Segment(
            said.time,
            *(ends if forward else ends[::-1]),
            flags_from_bits(said.bits),
            said.sequence,
            said.acknowledgement,
            said.window,
            missing=said.length,
        )
        for forward, said in (*connection.telling, *tell_latest(connection))
    ]
