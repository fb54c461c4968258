"""What the witnesses say about endpoints' states, as pieces of bars: one state after the other.

A sample says "by now it is so, at the sample before it was not yet": a piece with a soft edge. The
kernel's tracepoint says when: a hard edge. How the two go together is told in
`sockstates.evidence.passages`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sockstates.evidence.passages import Stage, stages
from sockstates.record.kernel_events import StateChanged
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.states import CLOSED, State


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
    """The stages of an endpoint, each until the next one."""
    pieces = [_piece(stage) for stage in stages(timeline, key)]
    return _with_ends(pieces, max(timeline.sampled.get(key[0], end), end))


def _piece(stage: Stage) -> Piece:
    not_before, start = stage.began
    return Piece(stage.state, not_before or start, start, start, exact=not_before == start)


def _with_ends(pieces: list[Piece], last: int) -> list[Piece]:
    """Each piece until the next one's beginning; CLOSED is the end of an endpoint."""
    done: list[Piece] = []
    for index, piece in enumerate(pieces):
        following = pieces[index + 1] if index + 1 < len(pieces) else None
        end = following.start if following else last
        if following and not piece.exact and end == piece.start:
            continue  # that it was so is known from its end alone
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
