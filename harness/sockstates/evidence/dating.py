"""When a state began that samples alone only bound: as exactly as the captured segments tell it.

Pure. To FIN_WAIT2, TIME_WAIT and some others nothing leads but a segment that arrives. So they
began with the first that may have done it, or with a later one, for a filter may have dropped the
first behind the capture; but with the last that came before the look that found the state, at the
latest. Where only one came between the two looks it was that one, however far apart the looks are.

A segment counts from the moment at which the host captured it, as in `evidence.relations`:
the kernel takes it in in the same go. If it does so later, because the socket is in use, that is
counted as time in the new state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sockstates.evidence.passages import Stage
from sockstates.record.events import FramesLost
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.inference import infer_states
from sockstates.tcp.segment import Segment
from sockstates.tcp.states import State
from sockstates.tcp.transitions import ARCS, Event

ARRIVALS: Final = frozenset({Event.SYN, Event.SYN_ACK, Event.ACK, Event.FIN, Event.FIN_ACK})


def _begun_by_arrivals() -> frozenset[State]:
    """The states to which nothing leads but a segment that arrives."""
    existing = [arc for arc in ARCS if arc.exists]
    others = {arc.after for arc in existing if arc.event not in ARRIVALS}
    return frozenset({arc.after for arc in existing} - others)


BEGUN_BY_ARRIVALS: Final = _begun_by_arrivals()


def dated(timeline: Timeline, key: EndpointKey, seen: Sequence[Stage]) -> list[Stage]:
    """The same stages; what samples bound, and an arrival began, bounded by the arrivals, too.

    Unchanged where the host's capture lost frames: another segment may have come then.
    """
    if _lost_frames(timeline, key[0]):
        return list(seen)
    segments = _sound(timeline, key)
    arrived = [each.time for each in segments if each.source == key[2]]
    causes = [
        (each.after, each.segment.time)
        for each in infer_states(segments, captured_at_host=True)
        if each.local == each.segment.destination == key[1]
    ]
    return [_dated(stage, arrived, causes) for stage in seen]


def _dated(stage: Stage, arrived: Sequence[int], causes: Sequence[tuple[State, int]]) -> Stage:
    if stage.state not in BEGUN_BY_ARRIVALS:
        return stage  # a call or a timer may have begun it
    earliest, latest = stage.began
    began = [moment for state, moment in causes if state is stage.state and moment <= latest]
    if not began or began[-1] <= earliest:
        return stage  # what may have begun it had come before the look that did not find it yet
    last = max(moment for moment in arrived if moment <= latest)
    return replace(stage, began=(began[-1], last))


def _sound(timeline: Timeline, key: EndpointKey) -> list[Segment]:
    """What came to the endpoint and went from it, as far as its TCP can have seen it."""
    host, local, remote = key
    return [
        each
        for each in timeline.arrived.get(host, ())
        if {each.source, each.destination} == {local, remote} and each not in timeline.unsound
    ]


def _lost_frames(timeline: Timeline, host: str) -> bool:
    return any(
        isinstance(event, FramesLost)
        and event.host == host
        and not (event.chosen or event.on_the_way)
        for event in timeline.events
    )
