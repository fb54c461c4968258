"""Which segments did not arrive, as far as the captures of both ends and the filters show it.

What was captured leaving its sender and was not captured at its destination counts as lost, where
that capture lost no frames. A frame that a filter drops on INPUT was captured before; that it went
no further is known where the filter's own trace says so. What a host drops on OUTPUT was never
sent. What a wire did to a segment it says itself; what it sent on in other words has arrived. So
has what a host on the way has given other addresses. A segment that came with a wrong checksum went
no further.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, replace

from sockstates.evidence.decisions import decided_segments
from sockstates.evidence.wire_acts import acts_by_segment
from sockstates.record.events import FramesLost
from sockstates.record.timeline import Timeline
from sockstates.report.wire_words import stopped_by_wire
from sockstates.tcp.segment import Segment

WRONG_CHECKSUM = "wrong checksum"


@dataclass(frozen=True, slots=True)
class Loss:
    """How a segment got lost: in which host, empty when nobody knows, and by which of its rules."""

    where: str
    rule: str = ""


def losses(timeline: Timeline) -> dict[Segment, Loss]:
    """Every lost segment, with where it was seen last and what stopped it."""
    rules = dropping_rules(timeline)
    return {
        segment: Loss(where, rules.get(segment, ""))
        for segment, where in lost_segments(timeline).items()
    }


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
    acts = acts_by_segment(timeline)
    lost = {segment: act.host for segment, act in stopped_by_wire(timeline).items()}
    sent: dict[Segment, list[Segment]] = defaultdict(list)
    for segment in (each for each in timeline.wire if each not in lost):
        sent[_content(segment)].append(segment)
    seen = {
        host: _passages(sent, _named(timeline, host), once=host not in timeline.between)
        for host in timeline.frames
        if host not in unreliable
    }
    lost |= {segment: timeline.names.host(segment.destination.ip) for segment in _unsound(timeline)}
    for segment in (each for each in timeline.wire if each not in acts):
        sender = timeline.sender(segment)
        target = timeline.names.host(segment.destination.ip)
        if target != sender and target in seen and not seen[target].get(segment):
            lost[segment] = _last_seen(timeline, seen, segment)
    return lost | {segment: event.host for segment, event in decided_segments(timeline).items()}


def dropping_rules(timeline: Timeline) -> dict[Segment, str]:
    """The rule, or the policy's line, that dropped or rejected a segment of the wire.

    Or the fault of a wire that let it go no further, or what was wrong with it.
    """
    rules = {segment: act.line for segment, act in stopped_by_wire(timeline).items()}
    rules |= dict.fromkeys(_unsound(timeline), WRONG_CHECKSUM)
    return rules | {
        segment: event.line or f"{event.verdict}: a rule of {event.host} that is not the scenario's"
        for segment, event in decided_segments(timeline).items()
    }


def _unsound(timeline: Timeline) -> set[Segment]:
    """The segments of the wire that came with a wrong checksum: as sent, or by what a wire did."""
    damaged = {
        segment
        for segment, acts in acts_by_segment(timeline).items()
        if any(act.action == "damaged" for act in acts)
    }
    if not timeline.unsound:
        return damaged
    sent: dict[Segment, list[Segment]] = defaultdict(list)
    for segment in timeline.wire:
        sent[_content(segment)].append(segment)
    unsound = map(timeline.rewritings.renamed, timeline.unsound)
    return damaged | set(_passages(sent, sorted(unsound, key=lambda each: each.time)))


def _named(timeline: Timeline, host: str) -> list[Segment]:
    """What was captured on a host, under the names that the wire has for it."""
    return list(map(timeline.rewritings.renamed, timeline.arrived.get(host, [])))


def _content(segment: Segment) -> Segment:
    """The segment without its time: what its copies on other interfaces have in common."""
    return replace(segment, time=0)


def _passages(
    sent: dict[Segment, list[Segment]], arrived: list[Segment], *, once: bool = True
) -> dict[Segment, int]:
    """How often each sent segment was captured on one host.

    Of several equal ones the latest that was sent before is meant: a frame takes microseconds,
    a retransmission milliseconds at least. once: the host is no stage on the way, so that the next
    one captured is another of them.
    """
    counts: dict[Segment, int] = defaultdict(int)
    left = {content: list(segments) for content, segments in sent.items()} if once else sent
    for segment in arrived:
        candidates = left.get(_content(segment), [])
        index = bisect_right(candidates, segment.time, key=lambda each: each.time)
        if index:
            found = candidates.pop(index - 1) if once else candidates[index - 1]
            counts[found] += 1
    return counts


def _last_seen(timeline: Timeline, seen: dict[str, dict[Segment, int]], segment: Segment) -> str:
    """The host in between that captured the segment coming in but not going out; or empty."""
    if segment in timeline.sent_between:
        return ""
    return next((host for host in timeline.between if seen.get(host, {}).get(segment) == 1), "")
