"""What the witnesses say about endpoints' states, as pieces of bars: one state after the other.

A sample says "by now it is so, at the sample before it was not yet": a piece with a soft edge. The
kernel's tracepoint says when: a hard edge. The tracepoint shows neither SYN_RECV's request sockets
nor TIME_WAIT (it says CLOSED there), so for these two the samples are asked beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.evidence.events import SocketSeen
from harness.evidence.kernel_events import StateChanged
from harness.evidence.timeline import EndpointKey, Timeline
from harness.tcp.states import CLOSED, SYN_RECV, TIME_WAIT, State

SAMPLED_ONLY = frozenset({SYN_RECV, TIME_WAIT})


@dataclass(frozen=True, slots=True)
class Piece:
    """An endpoint in one state (ns): not yet at `not_before`, so from `start` on, until `end`."""

    state: State
    not_before: int
    start: int
    end: int
    exact: bool

    @property
    def witness(self) -> str:
        """Who says so."""
        if self.exact and self.state is TIME_WAIT:
            return "the kernel's tracepoint, which calls it CLOSE, and samples"
        return "the kernel's tracepoint" if self.exact else "samples (psutil)"


@dataclass(frozen=True, slots=True)
class Bar:
    """All that was seen of one endpoint, in the order of time."""

    key: EndpointKey
    pieces: tuple[Piece, ...]

    @property
    def start(self) -> int:
        """When it was seen first (ns)."""
        return self.pieces[0].not_before

    @property
    def end(self) -> int:
        """Until when it is known of (ns)."""
        return self.pieces[-1].end


def bars(timeline: Timeline, end: int) -> list[Bar]:
    """A bar for each endpoint that was seen, the first one first; `end`: of the evidence (ns)."""
    found = [Bar(key, tuple(_pieces(timeline, key, end))) for key in _keys(timeline)]
    return sorted((bar for bar in found if bar.pieces), key=lambda bar: bar.start)


def _keys(timeline: Timeline) -> list[EndpointKey]:
    """Sampled or traced; the tracepoint's first event of a client has no port yet and no bar."""
    traced = {
        (event.host, event.local, event.remote)
        for event in timeline.events
        if isinstance(event, StateChanged) and event.local.port
    }
    return list(dict.fromkeys([*timeline.endpoints(), *sorted(traced, key=repr)]))


def _pieces(timeline: Timeline, key: EndpointKey, end: int) -> list[Piece]:
    """Exact changes where there are any, and between them what only samples can show."""
    exact = timeline.changes(key)
    claims: list[SocketSeen | StateChanged] = [*exact]
    claims += [
        seen
        for seen in timeline.history(key)
        if not exact or seen.state in SAMPLED_ONLY or seen.time < exact[0].time
    ]
    claims.sort(key=lambda claim: claim.time)
    pieces: list[Piece] = []
    for claim in claims:
        _continue(pieces, _piece(claim))
    if pieces and pieces[-1].exact and _is_still_there(timeline, key, pieces[-1]):
        pieces.pop()
    last = max(timeline.sampled.get(key[0], end), end)
    return _with_ends(pieces, last)


def _is_still_there(timeline: Timeline, key: EndpointKey, closed: Piece) -> bool:
    """Whether samples go on seeing an endpoint of which the tracepoint said CLOSE."""
    seen = timeline.latest(key)
    sampled = timeline.sampled.get(key[0], 0)
    return (
        closed.state is CLOSED
        and seen is not None
        and seen.state is not CLOSED
        and sampled > closed.start
    )


def _piece(claim: SocketSeen | StateChanged) -> Piece:
    if isinstance(claim, StateChanged):
        return Piece(claim.after, claim.time, claim.time, claim.time, exact=True)
    return Piece(claim.state, claim.not_before or claim.time, claim.time, claim.time, exact=False)


def _continue(pieces: list[Piece], piece: Piece) -> None:
    """Add a piece, unless it says what is known; TIME_WAIT begins where the tracepoint says CLOSE.

    A SYN_RECV that was sampled after the kernel had left it for good is the past's.
    """
    latest = pieces[-1] if pieces else None
    if latest is not None and latest.state is piece.state:
        return
    if latest is not None and latest.exact and not piece.exact:
        if piece.state is not TIME_WAIT:
            return
        if latest.state is CLOSED:
            pieces.pop()
            # A sample in between saw something else: FIN_WAIT2, which an orphan spends where a
            # TIME_WAIT lives, too (tcp_time_wait), so that the tracepoint says CLOSE before it.
            if piece.not_before <= latest.start:
                piece = replace(piece, not_before=latest.start, start=latest.start, exact=True)
    pieces.append(piece)


def _with_ends(pieces: list[Piece], last: int) -> list[Piece]:
    """Each piece until the next one's beginning; CLOSED is the end of an endpoint."""
    done: list[Piece] = []
    for index, piece in enumerate(pieces):
        following = pieces[index + 1] if index + 1 < len(pieces) else None
        end = following.start if following else last
        if piece.state is CLOSED and not done:
            continue  # before it was born
        end = piece.start if piece.state is CLOSED else max(end, piece.start)
        not_before = max(piece.not_before, done[-1].start) if done else piece.not_before
        done.append(Piece(piece.state, not_before, piece.start, end, piece.exact))
    return done


def states_reached(timeline: Timeline) -> list[str]:
    """``server FIN_WAIT1``: every state that a host was seen in, each once, by time."""
    seen = [
        (piece.start, f"{bar.key[0]} {piece.state}")
        for bar in bars(timeline, 0)
        for piece in bar.pieces
    ]
    seen.sort(key=lambda each: each[0])
    return list(dict.fromkeys(text for _, text in seen))
