"""Which segments did not arrive, as far as the captures of both ends and the filters show it.

What was captured leaving its sender and was not captured at its destination counts as lost, where
that capture lost no frames. A frame that a filter drops on INPUT was captured before; that it went
no further is known where the filter's own trace says so. What a host drops on OUTPUT was never
sent.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace

from harness.evidence.decisions import decided_segments
from harness.evidence.events import FramesLost
from harness.evidence.timeline import Timeline
from harness.tcp.segment import Segment


def lost_segments(timeline: Timeline) -> dict[Segment, str]:
    """Segments that never reached the socket they were sent to, and where they were seen last.

    The values are a host that passes frames on (``router``), the destination itself where its
    filter dropped the segment, or empty: just not at the other end. Whose rule it was, where a
    filter told, is what :func:`dropping_rules` says.
    """
    unreliable = {
        event.host
        for event in timeline.events
        if isinstance(event, FramesLost) and not event.chosen
    }
    sent: dict[Segment, list[Segment]] = defaultdict(list)
    for segment in timeline.wire:
        sent[_content(segment)].append(segment)
    seen = {
        host: _passages(sent, timeline.arrived.get(host, []))
        for host in timeline.frames
        if host not in unreliable
    }
    lost: dict[Segment, str] = {}
    for segment in timeline.wire:
        sender = timeline.names.host(segment.source.ip)
        target = timeline.names.host(segment.destination.ip)
        if target != sender and target in seen and not seen[target].get(segment):
            lost[segment] = _last_seen(timeline, seen, segment)
    return lost | {segment: event.host for segment, event in decided_segments(timeline).items()}


def dropping_rules(timeline: Timeline) -> dict[Segment, str]:
    """The rule, or the policy's line, that dropped or rejected a segment of the wire."""
    return {
        segment: event.line or f"a rule of {event.host} that is not the scenario's"
        for segment, event in decided_segments(timeline).items()
    }


def _content(segment: Segment) -> Segment:
    """The segment without its time: what its copies on other interfaces have in common."""
    return replace(segment, time=0)


def _passages(sent: dict[Segment, list[Segment]], arrived: list[Segment]) -> dict[Segment, int]:
    """How often each sent segment was captured on one host.

    Of several equal ones the latest that was sent before is meant: a frame takes microseconds,
    a retransmission milliseconds at least.
    """
    counts: dict[Segment, int] = defaultdict(int)
    for segment in arrived:
        candidates = sent.get(_content(segment), [])
        index = bisect_right(candidates, segment.time, key=lambda each: each.time)
        if index:
            counts[candidates[index - 1]] += 1
    return counts


def _last_seen(timeline: Timeline, seen: dict[str, dict[Segment, int]], segment: Segment) -> str:
    """The host in between that captured the segment coming in but not going out; or empty."""
    return next((host for host in timeline.between if seen.get(host, {}).get(segment) == 1), "")
