"""The rules by which a segment is marked, from what its connection carried before it.

Wireshark's rules (User's Guide, "TCP Analysis"), on plain numbers because a capture has millions
of segments: `mark` is called for each. Sequence numbers are absolute and wrap. The rules look at
one capture point: what overtook what on the way to it is all they know.
"""

from __future__ import annotations

from typing import Final

from sockstates.tcp.connection import Direction, Place, Said
from sockstates.tcp.headers import FIN, RST, SYN
from sockstates.tcp.marks import Mark

MASK: Final = 0xFFFF_FFFF
HALF: Final = 0x8000_0000
FAST: Final = 20_000_000
"""Nanoseconds after a duplicate ACK within which a repetition answers it."""
OVERTAKEN: Final = 3_000_000
"""Nanoseconds within which a late segment was overtaken, while the round trip is not known."""
TOLD: Final = -1
"""Instead of a count of duplicates: that the peer acknowledges something unseen was marked."""

RETRANSMISSION, FAST_RETRANSMISSION = int(Mark.RETRANSMISSION), int(Mark.FAST_RETRANSMISSION)
SPURIOUS, OUT_OF_ORDER = int(Mark.SPURIOUS_RETRANSMISSION), int(Mark.OUT_OF_ORDER)
LOST_SEGMENT, ACK_LOST_SEGMENT = int(Mark.LOST_SEGMENT), int(Mark.ACK_LOST_SEGMENT)
DUPLICATE_ACK = int(Mark.DUPLICATE_ACK)
KEEP_ALIVE, KEEP_ALIVE_ACK = int(Mark.KEEP_ALIVE), int(Mark.KEEP_ALIVE_ACK)
ZERO_WINDOW, PROBE = int(Mark.ZERO_WINDOW), int(Mark.ZERO_WINDOW_PROBE)
PROBE_ACK = int(Mark.ZERO_WINDOW_PROBE_ACK)
WINDOW_UPDATE, WINDOW_FULL = int(Mark.WINDOW_UPDATE), int(Mark.WINDOW_FULL)
_NOT_PLAIN: Final = SYN | FIN | RST


def mark(place: Place, said: Said) -> int:
    """The marks of a segment, which is remembered at its place."""
    connection, here, there = place
    time, sequence, acknowledgement, bits, window, length = said
    here.segments += 1
    here.octets += length
    connection.ended = time
    if (
        sequence == here.next
        and window
        and there.window
        and acknowledgement is not None
        and not bits & _NOT_PLAIN
        and (
            _is_next_data(here, there, said)
            if length
            else acknowledgement != here.acknowledged and _was_seen(there, acknowledgement)
        )
    ):
        marks = 0
        if length:
            here.latest_data = said
        if acknowledgement != here.acknowledged:
            here.duplicates = 0
    else:
        marks = _marks(place, said)
        if length:
            here.latest_data = said
        if not (marks & PROBE and length):  # nobody took in what a probe carries
            _advance(here, said)
        if marks:
            connection.marked[marks] += 1
    here.latest = said
    here.window = window
    here.marks = marks
    here.acknowledged = acknowledgement
    here.acknowledged_at = time
    return marks


def _was_seen(there: Direction, acknowledgement: int) -> bool:
    """Whether what is acknowledged was captured."""
    return there.contiguous is not None and there.contiguous - acknowledgement & MASK < HALF


def _is_next_data(here: Direction, there: Direction, said: Said) -> bool:
    """Whether this is nothing but the next data, as most segments are; then it is remembered."""
    time, sequence, acknowledgement, _, _, length = said
    end = sequence + length & MASK
    acknowledged, shift = there.acknowledged, there.shift
    if (
        acknowledgement is None
        or not _was_seen(there, acknowledgement)
        or acknowledged is None
        or acknowledged - end & MASK < HALF
        or (shift is not None and end == acknowledged + (there.window << shift) & MASK)
    ):
        return False
    if here.contiguous == sequence:
        here.contiguous = end
    here.next = end
    here.next_at = time
    return True


def _marks(place: Place, said: Said) -> int:
    """The marks, without the short cut for what most segments are."""
    _, here, there = place
    _, sequence, acknowledgement, bits, window, length = said
    if here.base is None:
        here.base = sequence if bits & SYN else sequence - 1 & MASK
    if there.base is None and acknowledgement is not None:
        there.base = acknowledgement - 1 & MASK
    repeats = acknowledgement == here.acknowledged
    if length == 1 and sequence == here.next and there.window == 0:
        marks = PROBE
    else:
        marks = _of_place(here, sequence, bits, length)
        if marks & KEEP_ALIVE and not there.window and not length:
            marks = PROBE  # Linux asks with no byte at all (tcp_xmit_probe_skb), as a keep-alive
        if not bits & _NOT_PLAIN:
            marks |= _of_windows(there, sequence, window, length)
            if not length and repeats and sequence == here.next:
                marks |= _of_repetition(here, there, window)
    if not repeats:
        here.duplicates = 0
    if acknowledgement is not None:
        marks |= _of_acknowledgement(there, acknowledgement)
    if (length or bits & (SYN | FIN)) and not marks & KEEP_ALIVE:
        marks |= _of_sending_again(place, said)
    return marks


def _of_place(here: Direction, sequence: int, bits: int, length: int) -> int:
    """Where it begins: behind a gap, or one byte too early as a keep-alive does."""
    if here.next is None:
        return 0
    ahead = sequence - here.next & MASK
    if 0 < ahead < HALF and not bits & RST:
        return LOST_SEGMENT
    if ahead == MASK and length < 2 and not bits & _NOT_PLAIN:
        return KEEP_ALIVE
    return 0


def _of_windows(there: Direction, sequence: int, window: int, length: int) -> int:
    """No room at its sender, or none left at its receiver."""
    marks = 0 if window else ZERO_WINDOW
    if length and there.shift is not None:
        edge = (there.acknowledged or 0) + (there.window << there.shift)
        if sequence + length - edge & MASK == 0:
            marks |= WINDOW_FULL
    return marks


def _of_repetition(here: Direction, there: Direction, window: int) -> int:
    """An ACK without data that acknowledges the same as its direction's segment before."""
    if window != here.window:
        return WINDOW_UPDATE if window else 0
    if not window:
        return PROBE_ACK if there.marks & PROBE else 0
    if there.marks & KEEP_ALIVE:
        return KEEP_ALIVE_ACK
    if there.marks & PROBE and there.latest is not None and not there.latest.length:
        return PROBE_ACK
    here.duplicates = 1 if here.duplicates == TOLD else here.duplicates + 1
    return DUPLICATE_ACK


def _of_acknowledgement(there: Direction, acknowledgement: int) -> int:
    """Whether something is acknowledged that was not captured; said once for each gap."""
    if there.contiguous is None or not 0 < acknowledgement - there.contiguous & MASK < HALF:
        return 0
    if there.next is not None and 0 < there.next - there.contiguous & MASK < HALF:
        there.contiguous = there.next
        return ACK_LOST_SEGMENT
    first = there.duplicates == 0
    there.duplicates = TOLD
    return ACK_LOST_SEGMENT if first else 0


def _of_sending_again(place: Place, said: Said) -> int:
    """Which kind of segment before the next one it is: sent again, or overtaken."""
    connection, here, there = place
    time, sequence, _, bits, _, length = said
    end = sequence + length
    if length and there.acknowledged is not None and there.acknowledged - end & MASK < HALF:
        return SPURIOUS
    behind = 0 if here.next is None else here.next - sequence & MASK
    # One byte before the next one, and more than that: what a probe tried, with new data.
    if not 0 < behind < HALF or (behind == 1 and length > 1):
        return 0
    asked_for = there.duplicates >= 2 and there.acknowledged == sequence
    if asked_for and 0 <= time - there.acknowledged_at < FAST:
        return FAST_RETRANSMISSION
    ends_elsewhere = behind != length + bool(bits & (SYN | FIN))
    if ends_elsewhere and 0 <= time - here.next_at < (connection.round_trip or OVERTAKEN):
        return OUT_OF_ORDER
    return RETRANSMISSION


def _advance(here: Direction, said: Said) -> None:
    """Remember how far the direction has come."""
    end = said.sequence + said.length + bool(said.bits & (SYN | FIN)) & MASK
    if here.next is None or 0 < end - here.next & MASK < HALF:
        here.next, here.next_at = end, said.time
    if here.contiguous is None or here.contiguous == said.sequence:
        here.contiguous = here.next
