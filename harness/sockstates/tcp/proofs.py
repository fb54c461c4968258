"""What the segments that one end of a connection sent prove of its states, wherever captured.

The rules, their assumptions and their proofs stand in `sockstates.tcp.inference`. Kept are the few
numbers that they take: nothing here depends on the order of segments but where it is said. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sockstates.tcp.segment import Segment, distance
from sockstates.tcp.states import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT1,
    LAST_ACK,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    State,
)

OPENED = frozenset({ESTABLISHED, CLOSE_WAIT, FIN_WAIT1, CLOSING, LAST_ACK, TIME_WAIT})


@dataclass(slots=True)
class Facts:
    """What one end of one connection was seen to say, and what that proves. Numbers are absolute.

    began: when the connection began, or was seen first (ns).
    """

    began: int
    first: int | None = None
    """The number of its SYN."""
    syn_has_data: bool = False
    opened: bool = False
    """It sent a SYN without ACK."""
    answered: bool = False
    """It sent a SYN with ACK."""
    told: int | None = None
    """The number after the last byte, or SYN, that it was seen to send: its FIN's is no smaller."""
    fin: int | None = None
    """The number of its FIN."""
    acknowledged: int | None = None
    """The furthest that it has acknowledged so far."""
    fin_acknowledged_least: int | None = None
    """The least that a segment with its FIN acknowledges."""
    fin_acknowledged_most: int | None = None
    took_fin_at: int | None = None
    """The least number of an ACK without data that acknowledges the peer's FIN: what it would have
    sent next."""
    took_fin_with_own_unacknowledged: bool = False
    took_fin_with_own_acknowledged: bool = False
    open_unless_simultaneous: bool = False
    """It sent what proves ESTABLISHED unless both ends opened the connection."""
    proved: set[State] = field(default_factory=set)

    @property
    def last(self) -> int | None:
        """A number that its FIN's number cannot be less than; None while nothing tells."""
        return self.told if self.fin is None else self.fin


class Proofs:
    """The facts of both ends of one connection after the other between the same addresses."""

    def __init__(self, time: int) -> None:
        self.ends: tuple[list[Facts], list[Facts]] = ([Facts(time)], [Facts(time)])
        """For each end its facts in each connection, the last one is the one that goes on."""

    def follow(self, number: int, segment: Segment) -> None:
        """Take a segment that end `number` (0 or 1) sent."""
        if segment.has("S"):
            self._begin(number, segment)
        own, peer = self.ends[number][-1], self.ends[1 - number][-1]
        if segment.has("R"):
            opened = own.open_unless_simultaneous or own.proved & OPENED
            refuses = segment.has(".") and segment.sequence == 0  # RFC 9293, 3.10.7.1
            if opened and not refuses and _is_own_number(own, segment.sequence):
                own.proved.add(CLOSED)
            return
        _remember(own, peer, segment)
        if not segment.has("S"):
            _is_open(own, peer, segment)
        _closes(own, peer)
        _closes(peer, own)

    def _begin(self, number: int, segment: Segment) -> None:
        """A SYN: of a new connection, unless it is the one that both are in."""
        own = self.ends[number][-1]
        if own.first == segment.sequence:
            return
        if own.first is not None or own.told is not None or own.fin is not None:
            for facts in self.ends:
                facts.append(Facts(segment.time))

    def proved(self, number: int, time: int) -> set[State]:
        """The states that end `number` is proved to have been in, in the connection of a moment."""
        connections = zip(self.ends[number], self.ends[1 - number], strict=True)
        own, peer = next(
            (pair for pair in reversed([*connections]) if pair[0].began <= time),
            (self.ends[number][0], self.ends[1 - number][0]),
        )
        simultaneous = own.opened and (own.answered or peer.opened)
        if own.open_unless_simultaneous and not simultaneous:
            return own.proved | {ESTABLISHED}
        return own.proved


def _later(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return one if distance(one, other) <= 0 else other


def _earlier(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return one if distance(one, other) >= 0 else other


def _reaches(number: int | None, other: int | None) -> bool:
    """Whether both are known and the first is not before the second."""
    return number is not None and other is not None and distance(other, number) >= 0


def _after(number: int | None, other: int | None) -> bool:
    """Whether both are known and the first lies behind the second."""
    return number is not None and other is not None and distance(other, number) > 0


def _is_own_number(own: Facts, number: int) -> bool:
    """Whether an RST with this number is of this connection: one sent before it began has 0."""
    ends = [
        each
        for each in (own.told, None if own.fin is None else (own.fin + 1) % 2**32)
        if each is not None
    ]
    within = own.first is not None and _after(number, own.first)
    return number in ends or (within and any(_reaches(each, number) for each in ends))


def _remember(own: Facts, peer: Facts, segment: Segment) -> None:
    """Keep what a segment other than RST says."""
    acknowledgement, fin = segment.acknowledgement, segment.has("F")
    if segment.has("S"):
        own.first, own.syn_has_data = segment.sequence, bool(segment.length)
        own.opened |= not segment.has(".")
        own.answered |= segment.has(".")
        own.proved.add(SYN_RECV if segment.has(".") else SYN_SENT)
    if segment.length or segment.has("S"):
        own.told = _later(own.told, (segment.end - fin) % 2**32)
    if fin:
        own.fin = (segment.end - 1) % 2**32
        own.fin_acknowledged_least = _earlier(own.fin_acknowledged_least, acknowledgement)
        own.fin_acknowledged_most = _later(own.fin_acknowledged_most, acknowledgement)
    if _after(acknowledgement, peer.fin):
        _takes_fin(own, peer, segment)
    own.acknowledged = _later(own.acknowledged, acknowledgement)


def _takes_fin(own: Facts, peer: Facts, segment: Segment) -> None:
    """A segment acknowledges the peer's FIN. What is known of the peer so far is all there is."""
    if not segment.length and segment.flags == "." and not _after(own.told, segment.sequence):
        own.took_fin_at = _earlier(own.took_fin_at, segment.sequence)
    if own.fin is not None:
        if not _after(peer.acknowledged, own.fin):
            own.took_fin_with_own_unacknowledged = True
        if _after(peer.fin_acknowledged_least, own.fin):
            own.took_fin_with_own_acknowledged = True


def _is_open(own: Facts, peer: Facts, segment: Segment) -> None:
    """ESTABLISHED, by what is sent by nobody who has not been in it."""
    beyond = peer.first is not None and not peer.syn_has_data
    beyond = beyond and _after(segment.acknowledgement, ((peer.first or 0) + 1) % 2**32)
    if segment.length:
        own.proved.add(ESTABLISHED)
    if beyond or segment.has("F") or (own.opened and segment.acknowledgement is not None):
        own.open_unless_simultaneous = True


def _closes(own: Facts, peer: Facts) -> None:
    """What follows from all that is known of both ends by now."""
    proved, fin = own.proved, own.fin
    if fin is not None and _reaches(peer.last, own.fin_acknowledged_least):
        proved.add(FIN_WAIT1)
    if own.took_fin_at is not None and _reaches(own.last, own.took_fin_at):
        proved.update((ESTABLISHED, CLOSE_WAIT))
    took_it_and_sent_again = _after(own.fin_acknowledged_most, peer.fin)
    if CLOSE_WAIT in proved and took_it_and_sent_again:
        proved.add(LAST_ACK)
    if FIN_WAIT1 in proved:
        if own.took_fin_with_own_unacknowledged or took_it_and_sent_again:
            proved.add(CLOSING)
        if own.took_fin_with_own_acknowledged:
            proved.add(TIME_WAIT)
