"""What there is to say beside a segment: who made it, and what a wire did to it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping

from sockstates.record.events import SegmentCrafted
from sockstates.record.timeline import Timeline
from sockstates.report.wire_words import wire_remarks
from sockstates.tcp.segment import Address, Segment

WRONG = "incorrect"
"""tcpdump's word for a checksum that is not right."""


def segment_remarks(timeline: Timeline) -> Mapping[Segment, str]:
    """``crafted``, ``doubled by the wire``, or both, by segment."""
    found = _crafted(timeline)
    for segment, host in timeline.sent_between.items():
        named = timeline.names.host(segment.source.ip)
        if named != host:
            found[segment] = f"sent by {host}, in {named}'s name"
    for segment, remark in wire_remarks(timeline).items():
        found[segment] = ", ".join(filter(None, [found.get(segment, ""), remark]))
    return found


def _crafted(timeline: Timeline) -> dict[Segment, str]:
    """Each segment that the scenario wrote: the next one of these ends that its host captured."""
    waiting: dict[tuple[Address, Address | None], deque[SegmentCrafted]] = defaultdict(deque)
    for event in sorted(timeline.events, key=lambda event: event.time):
        if isinstance(event, SegmentCrafted):
            ends = timeline.rewritings.own(event.source, event.destination)
            waiting[ends].append(event)
    found: dict[Segment, str] = {}
    for segment in timeline.wire if waiting else ():
        events = waiting.get((segment.source, segment.destination))
        if events and events[0].time <= segment.time:
            wrong = WRONG in events.popleft().text
            found[segment] = "crafted, bad checksum" if wrong else "crafted"
    return found
