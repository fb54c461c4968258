"""What connection tracking saw of a connection, judged against the states it should pass through.

Pure. Conntrack has one state for a connection as a whole, as a host or a router on its way sees it
(nf_conntrack_proto_tcp.c): it moves when a segment passes, not when a socket changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from sockstates.evidence.waited import waited_text
from sockstates.record.events import NANOSECONDS
from sockstates.record.kernel_events import FlowChanged, RecordsLost
from sockstates.record.timeline import Timeline
from sockstates.tcp.segment import Address

DESTROYED = "DESTROYED"
"""Stands where the connection was forgotten; the rest are conntrack's own names."""
STATES = (
    *("SYN_SENT", "SYN_SENT2", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT"),
    *("LAST_ACK", "TIME_WAIT", "CLOSE", DESTROYED),
)


@dataclass(frozen=True, slots=True)
class Flow:
    """A connection as conntrack on `host` knows it: `source` began it."""

    host: str
    source: Address
    destination: Address

    def changes(self, timeline: Timeline) -> list[FlowChanged]:
        """What was told of it since it was new, one for each state; from its latest life only."""
        found: list[FlowChanged] = []
        for event in self._told(timeline):
            if event.change == "new":
                found.clear()
            if not found or state_of(event) != state_of(found[-1]):
                found.append(event)
        return found

    def _told(self, timeline: Timeline) -> Iterator[FlowChanged]:
        for event in timeline.events:
            if isinstance(event, FlowChanged) and self == Flow(
                event.host, event.source, event.destination
            ):
                yield event

    def text(self, timeline: Timeline) -> str:
        """``client.43210 > server.16868``."""
        names = timeline.names
        return f"{names.endpoint(self.source)} > {names.endpoint(self.destination)}"


def state_of(event: FlowChanged) -> str:
    """The state that the connection has after this event."""
    return DESTROYED if event.change == "destroyed" else event.state


def first_difference(seen: Sequence[str], expected: Sequence[str]) -> str:
    """Where the states seen cannot become the expected ones any more; empty while they can.

    When nothing is expected, anything seen is a difference.
    """
    before = "at the beginning"
    for have, want in zip_longest(seen, expected):
        if have is None or (want is None and expected):
            return ""
        if have != want:
            return f"{before}: {have}, expected {want or 'nothing'}"
        before = f"after {have}"
    return ""


def lost_events(timeline: Timeline, host: str) -> int:
    """How many events of conntrack on a host were lost at least."""
    return sum(
        event.count
        for event in timeline.events
        if isinstance(event, RecordsLost) and (event.host, event.witness) == (host, "conntrack")
    )


def explain_flow(timeline: Timeline, flow: Flow, expected: Sequence[str], waited: float) -> str:
    """Expected beside seen, with the moment of each state."""
    changes = flow.changes(timeline)
    seen = [state_of(event) for event in changes]
    lines = [
        f"conntrack on {flow.host} did not see {flow.text(timeline)} pass through the states "
        f"expected, within {waited_text(waited)}",
        "",
        f"  expected  {', '.join(expected) or 'nothing'}",
        f"  seen      {', '.join(seen) or 'nothing'}",
    ]
    missing = list(expected[len(seen) :])
    differs = first_difference(seen, expected) or f"still to come: {', '.join(missing)}"
    lines.append(f"  differs   {differs}")
    for number, event in enumerate(changes):
        seconds = (event.time - timeline.beginning()) / NANOSECONDS
        lines.append(f"  {'' if number else 'when':<9}{seconds:9.3f} s  {state_of(event)}")
    if not changes:
        lines.append(f"  others    {_others(timeline, flow.host)}")
    return "\n".join(lines)


def _others(timeline: Timeline, host: str) -> str:
    """The connections of which conntrack did tell something; three at most."""
    told = [each for each in timeline.events if isinstance(each, FlowChanged) and each.host == host]
    latest = {Flow(host, event.source, event.destination): state_of(event) for event in told}
    texts = [f"{flow.text(timeline)} {state}" for flow, state in list(latest.items())[:3]]
    more = [f"{len(latest) - 3} more"] if len(latest) > 3 else []
    return "; ".join(texts + more) or f"conntrack on {host} told of no connection at all"
