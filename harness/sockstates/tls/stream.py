"""One direction of a TCP connection as the stream of bytes that it carried.

Retransmissions, overlaps and reordering are put right; of bytes that were sent twice the first
copy of the lowest segment counts. Where bytes are missing the stream ends, and says so. It knows
nothing of what the bytes mean.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sockstates.tcp.segment import Segment, add, distance


class Piece(NamedTuple):
    """Octets `start` to `end` of the stream, and the segment that carried them.

    position: the segment's place in what was given.
    """

    start: int
    end: int
    position: int
    segment: Segment


class Span(NamedTuple):
    """Where a segment's payload lies in the stream, captured or not. `start` may be negative."""

    start: int
    end: int
    position: int
    segment: Segment


@dataclass(frozen=True, slots=True)
class Stream:
    """The bytes from the beginning on, without a gap.

    complete: whether the segments had no more bytes than these. whole: whether its SYN was seen,
    so that the first byte is the connection's first. spans: every segment with payload, by place.
    """

    data: bytes
    pieces: tuple[Piece, ...]
    spans: tuple[Span, ...]
    whole: bool
    gap: str = ""
    """Why it ends before its end; empty when it does not."""

    def carriers(self, start: int, end: int) -> tuple[Piece, ...]:
        """The pieces that carried the bytes from `start` to `end`, in the stream's order."""
        first = bisect_right(self.pieces, start, key=lambda piece: piece.start) - 1
        after = bisect_left(self.pieces, end, key=lambda piece: piece.start)
        return self.pieces[max(first, 0) : after]


def assemble(segments: Iterable[tuple[int, Segment]]) -> Stream:
    """The stream of one direction of one connection, from its segments with their places."""
    base: int | None = None
    whole = False
    latest = 0
    spans: list[Span] = []
    for position, segment in segments:
        first = add(segment.sequence, segment.has("S"))
        if base is None:
            base, whole = first, segment.has("S")
        start = latest + distance(add(base, latest), first)
        if segment.length and not segment.has("R"):
            spans.append(Span(start, start + segment.length, position, segment))
            latest = max(latest, start + segment.length)
    return _joined(spans, whole=whole)


def _joined(spans: list[Span], *, whole: bool) -> Stream:
    pieces: list[Piece] = []
    octets: list[bytes] = []
    here = 0
    for span in sorted(spans, key=lambda each: (each.start, each.position)):
        if span.start > here:
            break
        fresh = span.segment.payload[here - span.start :]
        if fresh:
            octets.append(fresh)
            pieces.append(Piece(here, here + len(fresh), span.position, span.segment))
            here += len(fresh)
    return Stream(b"".join(octets), tuple(pieces), tuple(spans), whole, _gap(spans, here))


def _gap(spans: list[Span], here: int) -> str:
    """Why nothing is known from byte `here` on, where segments had more than that."""
    if max((span.end for span in spans), default=0) <= here:
        return ""
    if any(span.start <= here < span.end for span in spans):
        return f"the capture kept only a part of the segment with byte {here} of the stream"
    later = min(span.start for span in spans if span.start > here)
    return f"bytes {here} to {later - 1} of the stream are not in the capture"
