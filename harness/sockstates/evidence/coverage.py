"""Which arcs of RFC 9293's state diagram the kernel was seen taking, judged on a timeline.

An arc was seen when a witness saw the endpoint in the one state and then in the other, and exactly
this arc explains it: what was recorded in between leads from the one to the other in one step. Two
steps between two samples are not counted, because the state between them was not seen. Nothing at
all in between is a timeout, where the endpoint's program would have been recorded.

Pure. The samples of psutil and sock_diag serve with and without root; the kernel's own tracepoint,
where it is there, adds the states that were too short for them.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from sockstates.evidence.happenings import Happening, Happenings
from sockstates.record.events import SocketSeen
from sockstates.record.kernel_events import SocketGlanced, StateChanged
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.states import CLOSED, LISTEN, SYN_RECV, SYN_SENT, TIME_WAIT, State
from sockstates.tcp.transitions import Arc, Event, arc_for

BEHIND = 50_000_000
"""How far (ns) what a segment does can lie behind its capture: it is stamped first. Far less than
any timer, so that what happened before a timer was set does not explain what the timer did."""
BUILT_IN = 1
"""Process 1 of a host has the built-in endpoints open: their calls are all recorded."""
LOOKS_CLOSED = (LISTEN, TIME_WAIT)
"""What the end of an arc can look like CLOSED for: SYN_RECV that returns to LISTEN has no endpoint
any more; where TIME_WAIT begins the tracepoint shows the socket's CLOSED."""


@dataclass(frozen=True, slots=True)
class Move:
    """An endpoint was seen in `before`, then in `after`; the cause lies between the times (ns)."""

    key: EndpointKey
    before: State
    after: State
    start: int
    end: int
    sampled: bool
    watched: bool = False
    """Whether every call of the program that has it open would have been recorded."""


def arcs_seen(timeline: Timeline) -> frozenset[Arc]:
    """The arcs that the kernel was seen taking in this timeline."""
    happenings = Happenings(timeline)
    moves = [*_sampled_moves(timeline), *_exact_moves(timeline)]
    found = (_explain(timeline, happenings, move) for move in moves)
    return frozenset(arc for arc in found if arc is not None)


def _sampled_moves(timeline: Timeline) -> Iterator[Move]:
    for key in timeline.endpoints():
        seen = _states(timeline, key)
        if seen[0].not_before:
            first = seen[0]
            yield Move(key, CLOSED, first.state, first.not_before - BEHIND, first.time, True)
        for earlier, later in pairwise(seen):
            start = max(later.not_before - BEHIND, earlier.not_before)
            watched = _owner_before(timeline, key, later.time) in (None, BUILT_IN)
            yield Move(key, earlier.state, later.state, start, later.time, True, watched)


def _states(timeline: Timeline, key: EndpointKey) -> list[SocketSeen | SocketGlanced]:
    """The first sighting of each state that the endpoint was in, one after the other."""
    every: list[SocketSeen | SocketGlanced] = [*timeline.history(key), *timeline.glances(key)]
    every.sort(key=lambda each: each.time)
    return [
        each
        for number, each in enumerate(every)
        if not number or each.state is not every[number - 1].state
    ]


def _owner_before(timeline: Timeline, key: EndpointKey, moment: int) -> int | None:
    owners = [
        seen.owner
        for seen in timeline.history(key)
        if seen.time < moment and seen.state is not CLOSED
    ]
    return owners[-1] if owners else None


def _exact_moves(timeline: Timeline) -> Iterator[Move]:
    changed = [event for event in timeline.events if isinstance(event, StateChanged)]
    for key in dict.fromkeys((each.host, each.local, each.remote) for each in changed):
        earlier = 0
        for each in timeline.changes(key):
            start = max(earlier, each.time - BEHIND)
            yield Move(key, each.before, each.after, start, each.time, False)
            earlier = each.time


def _explain(timeline: Timeline, happenings: Happenings, move: Move) -> Arc | None:
    """The one arc that the move was; None when that cannot be said."""
    if move.after is LISTEN:
        return arc_for(CLOSED, Event.PASSIVE_OPEN) if move.before is CLOSED else None
    if move.after is SYN_RECV and move.before is CLOSED and _listened(timeline, move):
        move = replace(move, before=LISTEN)
    between = happenings.between(move.key, move.start, move.end)
    passive = happenings.opened_passively(move.key, move.end)
    path = _walk(happenings, move, between, passive)
    if not path:
        return _unprovoked(happenings, move, passive)
    arrives = path[-1].after
    looks_closed = move.after is CLOSED and arrives in LOOKS_CLOSED
    if len(path) > 1 or not (arrives is move.after or looks_closed):
        return None
    if looks_closed and move.sampled and arrives is TIME_WAIT:
        return None
    return path[0]


def _listened(timeline: Timeline, move: Move) -> bool:
    """Whether the endpoint's host listened on its port when the move ended."""
    host, local, _ = move.key
    for key in timeline.endpoints():
        if key[0] == host and key[1].port == local.port and key[2] is None:
            until = [seen for seen in timeline.history(key) if seen.time <= move.end]
            if until and until[-1].state is LISTEN:
                return True
    return False


def _walk(happenings: Happenings, move: Move, between: list[Happening], passive: bool) -> list[Arc]:
    """The arcs that what happened leads through, from the state before."""
    state, path = move.before, []
    for each in between:
        event = each.event
        if each.segment is not None:
            event = happenings.event_in(state, move.key, each.segment)
        if event is Event.DATA and not happenings.sent_reset(
            move.key, each.time, move.end + BEHIND
        ):
            continue
        arc = arc_for(state, event, passive=passive) if event else None
        if arc is not None:
            path.append(arc)
            state = arc.after
    return path


def _unprovoked(happenings: Happenings, move: Move, passive: bool) -> Arc | None:
    """What moves an endpoint when neither its program nor a segment did."""
    if move.after is not CLOSED or not move.sampled or not move.watched:
        return None
    if happenings.aborted(move.key, move.start, move.end):
        return None
    event = Event.TIMEOUT
    if move.before is SYN_SENT:
        ended = happenings.connected(move.key)
        if ended is None:
            return None
        event = Event.TIMEOUT if ended.error == errno.ETIMEDOUT else Event.UNREACHABLE
    return arc_for(move.before, event, passive=passive)
