"""What a wire between the hosts did to which captured segment.

Pure. An act tells of a segment by its content and by when it came to the wire; the capture of its
sender has the same segment, sent just before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from sockstates.record.kernel_events import WireActed
from sockstates.record.timeline import Timeline
from sockstates.tcp.segment import Segment

_Content = tuple[object, ...]
RELEASED = "released"


def acts_by_segment(timeline: Timeline) -> dict[Segment, list[WireActed]]:
    """Everything that a wire did to each segment of the wire, in the order in which it did it."""
    found: dict[Segment, list[WireActed]] = defaultdict(list)
    for segment, act in _acts(timeline):
        found[segment].append(act)
    return found


def segments_of_fault(timeline: Timeline, fault: int) -> tuple[Segment, ...]:
    """The segments that a fault of the wire has chosen, as they were sent, in order."""
    return tuple(
        segment for segment, act in _acts(timeline) if act.fault == fault and act.action != RELEASED
    )


def _acts(timeline: Timeline) -> Iterator[tuple[Segment, WireActed]]:
    """Each act with its segment.

    Equal segments can follow one another so closely that the first comes to the wire after the
    second was sent. So the last to come is looked for first: it is the last that was sent.
    """
    acts = [event for event in timeline.events if isinstance(event, WireActed)]
    if not acts:
        return
    sent: dict[_Content, list[Segment]] = defaultdict(list)
    for segment in timeline.wire:
        sent[_content(segment)].append(segment)
    found: dict[tuple[int, _Content], Segment] = {}
    known = {(act.came, _content_of(timeline, act)) for act in acts}
    for came, content in sorted(known, key=_came, reverse=True):
        candidates = sent.get(content, [])
        index = bisect_right(candidates, came, key=lambda each: each.time)
        if index:
            found[came, content] = candidates.pop(index - 1)
    for act in acts:
        which = act.came, _content_of(timeline, act)
        if which in found:
            yield found[which], act


def _came(known: tuple[int, _Content]) -> int:
    return known[0]


def _content(of: Segment) -> _Content:
    """What a segment and the act have in common."""
    ends = of.source, of.destination
    return *ends, of.flags, of.sequence, of.acknowledgement, of.length


def _content_of(timeline: Timeline, act: WireActed) -> _Content:
    ends = timeline.rewritings.own(act.source, act.destination)
    return *ends, act.flags, act.sequence, act.acknowledgement, act.length
