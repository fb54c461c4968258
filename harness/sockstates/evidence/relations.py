"""A segment and a state in relation: whether the state began after the segment had come by.

Pure. A segment is exact: the moment at which it passed the host's interface. A change is as exact
as its witness; where the segment lies within the time in which samples leave the change open, the
order is undecided.
"""

from __future__ import annotations

from collections.abc import Sequence

from sockstates.evidence.durations import Decision
from sockstates.evidence.passages import Stage
from sockstates.tcp.segment import Segment
from sockstates.tcp.states import State


def entered(seen: Sequence[Stage], state: State) -> Stage | None:
    """The first time that the endpoint was in `state`; None when it never was."""
    return next((stage for stage in seen if stage.state is state), None)


def came_after(stage: Stage, segment: Segment) -> Decision:
    """Whether the state began after the segment had passed the host's interface."""
    earliest, latest = stage.began
    if earliest >= segment.time:
        return Decision.HOLDS
    return Decision.FAILS if latest < segment.time else Decision.UNDECIDED


def came_before(stage: Stage, segment: Segment) -> Decision:
    """Whether the state began before the segment passed the host's interface."""
    earliest, latest = stage.began
    if latest <= segment.time:
        return Decision.HOLDS
    return Decision.FAILS if earliest > segment.time else Decision.UNDECIDED


def as_captured_at(arrived: Sequence[Segment], segment: Segment) -> Segment | None:
    """The same segment as this host captured it, first at or after it was sent; None: never.

    `segment` may be the sender's own record of it; repetitions are told apart by their time.
    """
    for each in arrived:
        if each.time >= segment.time and _wording(each) == _wording(segment):
            return each
    return None


def _wording(segment: Segment) -> tuple[object, ...]:
    return (
        segment.source,
        segment.destination,
        segment.flags,
        segment.sequence,
        segment.acknowledgement,
        segment.length,
    )
