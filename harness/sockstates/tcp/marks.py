"""What a segment is among those of its connection, beside what it says: the names for it.

Meanings are Wireshark's (User's Guide, "TCP Analysis"), because people know them from there.
"""

from __future__ import annotations

import enum
from typing import Final


class Mark(enum.IntFlag):
    """What following a connection found out about one segment; several may hold."""

    RETRANSMISSION = enum.auto()
    """Sent before; nothing says why it is sent again, so most likely a timer ran out."""
    FAST_RETRANSMISSION = enum.auto()
    """Sent again within 20 ms of the second or a later duplicate ACK that asks for it."""
    SPURIOUS_RETRANSMISSION = enum.auto()
    """Sent again although the peer had acknowledged it."""
    OUT_OF_ORDER = enum.auto()
    """Begins before what was sent already, and so soon after it that it was overtaken instead."""
    LOST_SEGMENT = enum.auto()
    """What its direction should have carried before it was not captured."""
    DUPLICATE_ACK = enum.auto()
    """Repeats the acknowledgement and window of its direction's segment before, without data."""
    ACK_LOST_SEGMENT = enum.auto()
    """Acknowledges what was never captured."""
    KEEP_ALIVE = enum.auto()
    """At most one byte, and it begins one before the next: asks whether the peer is there."""
    KEEP_ALIVE_ACK = enum.auto()
    ZERO_WINDOW = enum.auto()
    """Its sender has no room for data."""
    ZERO_WINDOW_PROBE = enum.auto()
    """One new byte to a peer that said its window is closed, or none, one before the next byte."""
    ZERO_WINDOW_PROBE_ACK = enum.auto()
    WINDOW_UPDATE = enum.auto()
    """Says nothing new but the window."""
    WINDOW_FULL = enum.auto()
    """Its data reaches the very end of the window that its peer has told."""
    REUSED_PORTS = enum.auto()
    """Begins another connection between the same addresses and ports."""


WORDS: Final = {
    Mark.RETRANSMISSION: "retransmission",
    Mark.FAST_RETRANSMISSION: "fast retransmission",
    Mark.SPURIOUS_RETRANSMISSION: "spurious retransmission",
    Mark.OUT_OF_ORDER: "out of order",
    Mark.LOST_SEGMENT: "previous segment not captured",
    Mark.DUPLICATE_ACK: "duplicate ACK",
    Mark.ACK_LOST_SEGMENT: "acknowledges an uncaptured segment",
    Mark.KEEP_ALIVE: "keep-alive",
    Mark.KEEP_ALIVE_ACK: "keep-alive ACK",
    Mark.ZERO_WINDOW: "zero window",
    Mark.ZERO_WINDOW_PROBE: "zero window probe",
    Mark.ZERO_WINDOW_PROBE_ACK: "zero window probe ACK",
    Mark.WINDOW_UPDATE: "window update",
    Mark.WINDOW_FULL: "window full",
    Mark.REUSED_PORTS: "ports used again",
}
"""The marks as people read them."""

SENT_AGAIN: Final = Mark.RETRANSMISSION | Mark.FAST_RETRANSMISSION | Mark.SPURIOUS_RETRANSMISSION


def mark_words(marks: Mark, duplicate: int = 0) -> list[str]:
    """Each mark in words; `duplicate` is the number of a duplicate ACK."""
    words = [WORDS[mark] for mark in marks]
    if duplicate:
        words = [f"{each} {duplicate}" if each == "duplicate ACK" else each for each in words]
    return words
