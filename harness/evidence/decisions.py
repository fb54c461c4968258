"""Which captured segment a filter's decision was about.

Pure. A trace tells of a segment without its time, shortly after the decision; the capture has the
same segment, with its time, as it came to the host.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict

from harness.evidence.kernel_events import FilterDecided
from harness.evidence.timeline import Timeline
from harness.tcp.segment import Segment

_Content = tuple[object, ...]


def decided_segments(timeline: Timeline) -> dict[Segment, FilterDecided]:
    """The segments of the wire that a filter dropped or rejected, and who did it how.

    Those that came to a host (INPUT) or were to pass it (FORWARD): what is dropped on OUTPUT was
    never on the wire. Of several equal ones, the latest that was sent before and has not been
    dropped already is meant: a trace takes microseconds, a retransmission milliseconds.
    """
    sent: dict[_Content, list[Segment]] = defaultdict(list)
    for segment in timeline.wire:
        sent[_content(segment)].append(segment)
    found: dict[Segment, FilterDecided] = {}
    for event in timeline.events:
        if not isinstance(event, FilterDecided) or event.chain == "OUTPUT":
            continue
        candidates = sent.get(_content(event), [])
        index = bisect_right(candidates, event.time, key=lambda each: each.time)
        if index:
            found[candidates.pop(index - 1)] = event
    return found


def _content(of: Segment | FilterDecided) -> _Content:
    """What a segment and the trace of it have in common."""
    ends = of.source, of.destination
    return *ends, of.flags, of.sequence, of.acknowledgement, of.length
