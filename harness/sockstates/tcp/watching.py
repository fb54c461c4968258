"""What the beginning and the end of a connection tell: scales of windows, and states.

Called for the few segments that can tell it, so that all the others pass quickly.
"""

from __future__ import annotations

from typing import Final

from sockstates.tcp.connection import Connection, Direction, Place, Said
from sockstates.tcp.headers import ACK, FIN, RST, SYN

MASK: Final = 0xFFFF_FFFF
HALF: Final = 0x8000_0000
NOT_USED: Final = -1
"""The scale of windows on a connection whose SYNs did not agree on one (RFC 7323, section 2.2)."""
LARGEST_SHIFT: Final = 14
"""RFC 7323, section 2.3."""
ENDS: Final = SYN | FIN | RST
_ENOUGH: Final = 8
"""Segments told at last, among which one of the last two is if it was told."""


def watch(place: Place, said: Said, scale: int | None) -> None:
    """Remember what a segment tells, after its marks were found.

    scale: the shift in a SYN's options, None without.
    """
    connection, here, there = place
    bits, acknowledgement = said.bits, said.acknowledgement
    if bits & SYN:
        _begin(place, said, scale)
    elif here.fresh and acknowledgement is not None:
        here.fresh = False
        here.shift = _shift(here)
    if connection.syn_at and not connection.round_trip and bits & (SYN | ACK) == ACK:
        connection.round_trip = said.time - connection.syn_at
    answers = (
        acknowledgement is not None
        and there.unanswered is not None
        and acknowledgement - there.unanswered & MASK < HALF
    )
    if answers:
        there.unanswered = None
    if bits & (SYN | FIN):
        here.unanswered = said.sequence + said.length + 1 & MASK
    here.flags |= bits & ENDS
    if answers or bits & ENDS or here.segments == 1:
        connection.telling.append((here is connection.first, said))
    connection.watched = any(
        each.fresh or each.unanswered is not None or not each.segments for each in (here, there)
    )


def tell_latest(connection: Connection) -> list[tuple[bool, Said]]:
    """What had been said before an end comes, unless it was told.

    The last segment of each end, and its last one with data: that tells where its FIN can be.
    """
    told = {id(said) for _, said in connection.telling[-_ENOUGH:]}
    latest = {
        id(said): (forward, said)
        for forward, direction in ((True, connection.first), (False, connection.second))
        for said in (direction.latest, direction.latest_data)
        if said is not None and id(said) not in told
    }
    return sorted(
        latest.values(),
        key=lambda each: each[1].time,
    )


def _begin(place: Place, said: Said, scale: int | None) -> None:
    """A SYN: both ends scale their windows if both offered to, and this one's is not scaled."""
    connection, here, there = place
    answer = bool(said.bits & ACK)
    here.fresh = True
    if not answer:
        connection.syn_at = said.time
    if scale is not None:
        here.scale = NOT_USED if answer and there.scale == NOT_USED else min(scale, LARGEST_SHIFT)
    elif here.scale is None:
        here.scale = there.scale = NOT_USED
    here.shift, there.shift = _shift(here), _shift(there)


def _shift(direction: Direction) -> int | None:
    """How far its last window is to be shifted; a SYN's own is not."""
    if direction.scale is None:
        return None
    return 0 if direction.fresh else max(direction.scale, 0)
