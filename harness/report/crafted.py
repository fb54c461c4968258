"""Which segments of the wire the scenario wrote itself, and what is wrong with them on purpose."""

from __future__ import annotations

from harness.evidence.events import SegmentCrafted
from harness.evidence.timeline import Timeline
from harness.tcp.segment import Segment

WRONG = "incorrect"
"""tcpdump's word for a checksum that is not right."""


def crafted_segments(timeline: Timeline) -> dict[Segment, tuple[str, ...]]:
    """Each segment that was crafted, as its host captured it, and what is to be said of it."""
    found: dict[Segment, tuple[str, ...]] = {}
    waiting = sorted(
        (event for event in timeline.events if isinstance(event, SegmentCrafted)),
        key=lambda event: event.time,
    )
    for segment in timeline.wire:
        ends = segment.source, segment.destination
        event = next(
            (
                each
                for each in waiting
                if (each.source, each.destination) == ends and each.time <= segment.time
            ),
            None,
        )
        if event is not None:
            waiting.remove(event)
            found[segment] = ("crafted", "bad checksum") if WRONG in event.text else ("crafted",)
    return found
