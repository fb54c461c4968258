"""One end of a connection, as far as the segments of a capture tell, and what it went through.

The facts that `inference` keeps and the questions that it asks of segments. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sockstates.tcp.segment import Address, Segment, distance
from sockstates.tcp.states import CLOSED, LISTEN, SYN_SENT, State
from sockstates.tcp.transitions import Arc, Event, arc_for


@dataclass(frozen=True, slots=True)
class Inferred:
    """One change of state of one end.

    time: nanoseconds since the epoch: that of `segment`, sent or arrived where it was captured; or
    later, where what was proved in between says that it was on its way until then.
    before: None when it cannot be known (the capture began later).
    certain: proved, by what this end sent itself; else only possible: the segment was seen on its
    way to this end, and nothing says that it was taken in, nor that it was not.
    arc: the arc of RFC 9293's table, where it is one of them.
    earlier: when another copy of `segment`, a FIN that may have done it already, came first (ns).
    """

    time: int
    local: Address
    remote: Address
    before: State | None
    after: State
    why: str
    certain: bool
    segment: Segment
    arc: Arc | None = None
    earlier: int | None = None

    @property
    def earliest(self) -> int:
        """From when on (ns) it can have been so."""
        return self.time if self.earlier is None else self.earlier


@dataclass(slots=True)
class End:
    """One end: its proved state, and the changes after that which are only possible."""

    local: Address
    remote: Address
    state: State | None = None
    known: bool = False
    """Seen from its beginning on, or both directions seen to be open."""
    spoke: bool = False
    """Was seen to send data or a FIN."""
    passive: bool = False
    since: int = 0
    """When its proved state began (ns)."""
    first: int = 0
    """Its initial sequence number, where it was seen to send a SYN."""
    fin: int | None = None
    """The number after its FIN."""
    last: Segment | None = None
    fin_arrived: Segment | None = None
    """The latest copy of the peer's FIN that was seen on its way to this end."""
    possible: list[Inferred] = field(default_factory=list)
    copied: int | None = None
    """When the FIN that is just arriving came for the first time (ns), if that was before."""
    doubted: bool = False
    """Whether more has arrived since that could have had the same effect as what is possible."""

    @property
    def likely(self) -> State | None:
        """The state when all that is possible has happened."""
        return self.possible[-1].after if self.possible else self.state


def resets_on_abort(state: State | None) -> bool:
    """Whether an end in this state sends RST when it aborts."""
    arc = arc_for(state, Event.ABORT) if state else None
    return arc is not None and arc.action == "snd RST"


def change_of(end: End, arc: Arc, segment: Segment, why: str) -> Inferred:
    """That the end takes this arc with this segment; not yet certain."""
    times = max(segment.time, end.since), end.local, end.remote
    return Inferred(
        *times,
        *(arc.before, arc.after, why),
        certain=False,
        segment=segment,
        arc=arc,
        earlier=end.copied,
    )


def reaches(segment: Segment, number: int | None) -> bool:
    """Whether the segment acknowledges everything before this sequence number."""
    if number is None or segment.acknowledgement is None:
        return False
    return distance(number, segment.acknowledgement) >= 0


def acknowledges(segment: Segment, other: Segment | None) -> bool:
    """Whether the segment acknowledges all of the other."""
    return other is not None and reaches(segment, other.end)


def is_past_syn(end: End, segment: Segment) -> bool:
    """Whether it acknowledges more than the peer's SYN: data, which SYN_RECV does not take."""
    before = end.last.acknowledgement if end.last else None
    return before is not None and segment.acknowledgement not in (None, before)


def is_valid_reset(end: End, peer: End, segment: Segment) -> bool:
    """RFC 9293, 3.10.7.3 and 3.10.7.4, roughly: the number is the next one that is expected."""
    if end.likely in (None, CLOSED, LISTEN):
        return False
    if end.likely is SYN_SENT:
        return reaches(segment, end.first + 1)
    expected = {each for each in (end.last and end.last.acknowledgement,) if each is not None}
    if peer.last is not None:
        expected.add(peer.last.end)
    return segment.sequence in expected
