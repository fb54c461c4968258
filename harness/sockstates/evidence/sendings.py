"""What each end of each connection sent, segment by segment, and when: to compare two runs by.

Pure. Addresses and chosen ports are another run's own, so ends are named by host, by the ports that
a scenario chooses itself, and by their place in the order in which connections appeared on the
wire. Sequence numbers count from the SYN's. What a scenario wrote itself (`SegmentCrafted`) follows
no timer of a kernel, and a segment without bytes, SYN or FIN is not repeated: both are left out.
So are SYNs that cross, and the SYN-ACKs of a SYN that came more than once: each end answers the
other's repetition, beside what its own timer does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sockstates.evidence.happenings import Happenings
from sockstates.evidence.passages import stages
from sockstates.record.events import NANOSECONDS, SegmentCrafted
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.segment import Address, Segment, distance
from sockstates.tcp.states import State

FIRST_CHOSEN_BY_KERNEL = 32768
"""The lowest port that Linux gives away by itself (net.ipv4.ip_local_port_range)."""


@dataclass(slots=True)
class Sending:
    """One segment as its sender's host captured it, each time.

    moments: when (ns). until: when it was answered, or the end of what was recorded (ns).
    gave_up: the sender was done with the connection although nobody had answered.
    """

    what: str
    end: int
    moments: list[int] = field(default_factory=list)
    until: int = 0
    gave_up: bool = False

    @property
    def gaps(self) -> list[float]:
        """Seconds from each time to the next."""
        pairs = zip(self.moments, self.moments[1:], strict=False)
        return [(later - earlier) / NANOSECONDS for earlier, later in pairs]

    @property
    def silence(self) -> float:
        """Seconds from the last time until it was answered, or nobody looked any more."""
        return max(0, self.until - self.moments[-1]) / NANOSECONDS


def ends(timeline: Timeline) -> dict[str, EndpointKey]:
    """Every end of every connection on the wire, by a name that another run has for it too."""
    found: dict[str, EndpointKey] = {}
    seen: set[frozenset[Address]] = set()
    counts: Counter[str] = Counter()
    for segment in timeline.wire:
        pair = segment.source, segment.destination
        if frozenset(pair) in seen:
            continue
        seen.add(frozenset(pair))
        for local, remote in (pair, pair[::-1]):
            host = timeline.names.host(local.ip)
            known = timeline.rewritings.at(host, (local, remote), timeline.names)
            name = f"{_end(timeline, local)} (to {_end(timeline, remote)})"
            counts[name] += 1
            number = f", number {counts[name]}" if counts[name] > 1 else ""
            found[f"{name}{number}"] = host, *known
    return found


def _end(timeline: Timeline, address: Address) -> str:
    port = address.port if address.port < FIRST_CHOSEN_BY_KERNEL else "*"
    return f"{timeline.names.host(address.ip)}.{port}"


def recorded_until(timeline: Timeline, host: str) -> int:
    """When a host was looked at last (ns)."""
    return max(timeline.sampled.get(host, 0), timeline.glanced.get(host, 0))


def sendings(timeline: Timeline) -> dict[str, dict[str, Sending]]:
    """Name of an end -> name of a segment -> how often it was sent, and when."""
    happened = Happenings(timeline)
    crafted = {
        (event.source, event.destination)
        for event in timeline.events
        if isinstance(event, SegmentCrafted)
    }
    return {
        name: _sent_by(timeline, happened, key)
        for name, key in ends(timeline).items()
        if key[1:] not in crafted
    }


def _sent_by(timeline: Timeline, happened: Happenings, key: EndpointKey) -> dict[str, Sending]:
    found: dict[str, Sending] = {}
    crossed = all(
        any(each.flags == "S" for each in way)
        for way in (happened.sent(key), happened.arrived(key))
    )
    asked_again = sum(each.flags == "S" for each in happened.arrived(key)) > 1
    for what, segment in _named(happened.sent(key)):
        if segment.has("S") and (crossed or asked_again):
            continue
        sending = found.setdefault(what, Sending(what, segment.end))
        sending.moments.append(segment.time)
        if distance(sending.end, segment.end) > 0:
            sending.end = segment.end
    last = recorded_until(timeline, key[0])
    closed = _closed_at(timeline, key)
    resets = [each.time for each in _both_ways(happened, key) if each.has("R")]
    for sending in found.values():
        answers = [*resets, *(each.time for each in happened.arrived(key) if _takes(each, sending))]
        after = [moment for moment in answers if moment >= sending.moments[0]]
        sending.until = min(after, default=last)
        sending.gave_up = not after and closed is not None and closed >= sending.moments[-1]
    return found


def _both_ways(happened: Happenings, key: EndpointKey) -> list[Segment]:
    return [*happened.sent(key), *happened.arrived(key)]


def _takes(answer: Segment, sending: Sending) -> bool:
    """Whether it acknowledges all of a segment."""
    return answer.acknowledgement is not None and distance(sending.end, answer.acknowledgement) >= 0


def _closed_at(timeline: Timeline, key: EndpointKey) -> int | None:
    """When an endpoint gave up (ns); None while it is there, or where a program let a SYN be."""
    seen = stages(timeline, key)
    if len(seen) < 2 or seen[-1].state is not State.CLOSED or seen[-2].state is State.SYN_SENT:
        return None
    return seen[-1].began[1]


def _named(segments: list[Segment]) -> Iterator[tuple[str, Segment]]:
    """Each segment that can be repeated, with a name that counts from its connection's SYN."""
    base: int | None = None
    life = 0
    for segment in sorted(segments, key=lambda each: each.time):
        if segment.has("S") and segment.sequence != base:
            base, life = segment.sequence, life + 1
        if segment.end == segment.sequence:
            continue
        start = distance(segment.sequence if base is None else base, segment.sequence)
        base = segment.sequence if base is None else base
        kind = "bytes"
        if segment.has("S"):
            kind = "SYN-ACK" if segment.acknowledgement is not None else "SYN"
        elif segment.has("F") and not segment.payload:
            kind = "FIN"
        yield f"{kind} at {start}" + (f" of its life {life}" if life > 1 else ""), segment
