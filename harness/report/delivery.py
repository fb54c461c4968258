"""Which segments did not arrive, as far as the captures of both ends show it.

A frame that a filter drops on INPUT was captured before: it arrived, and nothing is claimed of it
here. What a host drops on OUTPUT was never sent. So only what was captured leaving its sender and
was not captured at its destination counts as lost, and only where that capture lost no frames.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace

from harness.evidence.events import FramesLost
from harness.evidence.timeline import Timeline
from harness.tcp.segment import Segment


def lost_segments(timeline: Timeline) -> dict[Segment, str]:
    """Segments that never reached the host they were sent to, and where they were seen last.

    The values are a host that passes frames on (``router``), or empty: just not at the other end.
    """
    unreliable = {event.host for event in timeline.events if isinstance(event, FramesLost)}
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
    return lost


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
