"""The figure that proves a claim, in words: what an expectation returned, as people read it.

Pure. It says what was seen and judges nothing; a text is taken as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sockstates.evidence.durations import Lasted
from sockstates.evidence.expectations import owner_text
from sockstates.evidence.passages import Stage
from sockstates.record.events import NANOSECONDS, SocketSeen
from sockstates.record.timeline import Timeline
from sockstates.tcp.notation import ABSOLUTE, Origin, Origins, format_segment
from sockstates.tcp.segment import Segment
from sockstates.tcp.states import State

Evidence = str | Segment | SocketSeen | Lasted | Stage
"""What a figure can be made from: a text, or what the words of a lab's expectations return."""
Shown = Evidence | Sequence[Evidence]

PROVE_NOTHING = ("nop", "TS")
"""Options that nearly every segment has: a figure is to be read at a glance."""

TAKEN = (
    "a text made from what was measured in this run, or what an expectation returned: "
    "lab.figure(lab.sees(…)), lab.figure(connection.server.reaches(…))"
)


class NoFigure(ValueError):
    """There is nothing to show, or it is nothing that was seen."""


def figure_text(timeline: Timeline, what: Shown) -> str:
    """A line for each thing that was seen; raises NoFigure where there is none.

    Segments are written as tcpdump prints them (relative numbers where it would), with hosts'
    names and the seconds since the scenario began, but without timestamps and padding. Endpoints
    as ``server.80 FIN_WAIT1, 1 to send, owner nobody``.
    """
    shown = [what] if isinstance(what, Evidence) else what
    if not isinstance(shown, Sequence):
        raise NoFigure(f"a figure is {TAKEN}; not {what!r}")
    if shown and all(isinstance(each, Stage) for each in shown):
        return " -> ".join(str(each.state) for each in shown if isinstance(each, Stage))
    lines = [_line(timeline, each) for each in shown]
    if not any(lines):
        raise NoFigure(f"an empty figure proves nothing: give it {TAKEN}")
    return "\n".join(lines)


def _line(timeline: Timeline, what: Evidence) -> str:
    match what:
        case str():
            return what.strip()
        case Segment():
            return _segment_text(timeline, what)
        case SocketSeen():
            return _socket_text(what)
        case Lasted():
            return str(what)
        case Stage():
            return str(what.state)
    raise NoFigure(f"a figure is {TAKEN}; not {what!r}")


def _segment_text(timeline: Timeline, segment: Segment) -> str:
    names = timeline.names
    telling = tuple(option for option in segment.options if option.name not in PROVE_NOTHING)
    shown = replace(segment, options=telling)
    text = format_segment(shown, lambda end: names.host(end.ip), _origin(timeline, segment))
    return f"{(segment.time - timeline.beginning()) / NANOSECONDS:.6f} {text}"


def _origin(timeline: Timeline, segment: Segment) -> Origin:
    """What tcpdump takes off the numbers of this segment, which it reads after all before it."""
    origins = Origins()
    for each in timeline.wire:
        origin = origins.of(each)
        if each == segment:
            return origin
    return ABSOLUTE


def _socket_text(seen: SocketSeen) -> str:
    parts = [f"{seen.host}.{seen.local.port} {seen.state}"]
    if seen.state is State.CLOSED:
        return parts[0]
    if seen.state is State.LISTEN and seen.send_queue is not None:
        parts.append(f"{seen.receive_queue} to accept, backlog {seen.send_queue}")
    elif seen.state is not State.LISTEN:
        counted = {
            "to send": seen.send_queue,
            "to read": seen.receive_queue,
            "retransmissions": seen.retransmits,
        }
        parts += [f"{count} {what}" for what, count in counted.items() if count]
    return ", ".join([*parts, f"owner {owner_text(seen.owner)}"])
