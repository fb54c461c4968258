"""The timeline as text: a small ladder, a table of states, the whole of it line by line."""

from __future__ import annotations

from harness.evidence.expectations import endpoint_text, observation_text
from harness.evidence.timeline import Timeline
from harness.tcp.notation import format_segment


def ladder(timeline: Timeline, *, last: int | None = None, width: int = 80) -> str:
    """The last segments, one a line."""
    segments = timeline.wire[-last:] if last else timeline.wire
    origin = timeline.wire[0].time if timeline.wire else 0
    lines = [
        f"{(each.time - origin) / 1e9:10.6f}  "
        + format_segment(each, lambda end: timeline.names.host(end.ip))
        for each in segments
    ]
    return "\n".join(lines)


def states_table(timeline: Timeline) -> str:
    """Every endpoint as it was seen last."""
    origin = timeline.events[0].time if timeline.events else 0
    return "\n".join(
        f"{endpoint_text(timeline, key):40} {observation_text(timeline.latest(key), origin)}"
        for key in timeline.endpoints()
    )


def text_timeline(timeline: Timeline) -> str:
    """Everything, line by line."""
    return "\n".join(str(event) for event in timeline.events)
