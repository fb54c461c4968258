"""Which captured segment a filter's decision was about.

Pure. A trace tells of a segment without its time, shortly after the decision; the capture has the
same segment, with its time, as it came to the host. Where the host rewrites addresses, its filter
saw other ones than came: the segment is then known by connection tracking's word. That tells
nothing of a connection whose first segment is dropped; the rest of the segment tells, then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict

from sockstates.record.events import RuleChanged
from sockstates.record.kernel_events import FilterDecided
from sockstates.record.timeline import Timeline
from sockstates.tcp.segment import Address, Segment

_Content = tuple[object, ...]


def decided_segments(timeline: Timeline) -> dict[Segment, FilterDecided]:
    """The segments of the wire that a filter dropped or rejected, and who did it how.

    Those that came to a host (INPUT) or were to pass it (FORWARD): what is dropped on OUTPUT was
    never on the wire. Of several equal ones, the latest that was sent before and has not been
    dropped already is meant: a trace takes microseconds, a retransmission milliseconds.
    """
    sent: dict[_Content, list[Segment]] = defaultdict(list)
    anywhere: dict[_Content, list[Segment]] = defaultdict(list)
    for segment in timeline.wire:
        sent[_content(segment)].append(segment)
        anywhere[whose_and_what(segment)].append(segment)
    found: dict[Segment, FilterDecided] = {}
    for event in timeline.events:
        if not isinstance(event, FilterDecided) or event.chain == "OUTPUT":
            continue
        ends = timeline.rewritings.own(event.source, event.destination)
        candidates = sent.get((*ends, *_what(event)), [])
        if not candidates and rewrites(timeline, event.host):
            candidates = [each for each in anywhere[whose_and_what(event)] if each not in found]
        index = bisect_right(candidates, event.time, key=lambda each: each.time)
        if index:
            found[candidates.pop(index - 1)] = event
    return found


def rewrites(timeline: Timeline, host: str) -> bool:
    """Whether the scenario has had this host rewrite addresses."""
    return any(
        isinstance(event, RuleChanged) and event.host == host and "nat" in event.line.split()
        for event in timeline.events
    )


def whose_and_what(of: Segment | FilterDecided) -> _Content:
    """What is left of a segment when it goes elsewhere: whose it is, and what it says."""
    return of.source, *_what(of)


def _content(of: Segment) -> _Content:
    """What a segment and the trace of it have in common."""
    ends: tuple[Address, Address] = of.source, of.destination
    return *ends, *_what(of)


def _what(of: Segment | FilterDecided) -> _Content:
    return of.flags, of.sequence, of.acknowledgement, of.length
