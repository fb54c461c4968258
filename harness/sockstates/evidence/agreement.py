"""Whether what the kernel says of packets agrees with the packets that were captured.

Pure. What the kernel sent again, reset, dropped, counted or tracked has passed an interface, so a
capture of that host must show it. A single one that is missing lasts for ever: the run can decide
nothing then. That the kernel told nothing proves nothing: it may lose a record and not say so.

Left out is what cannot be compared: packets between two ends on one host, where the capture need
not be; whatever a host sends whose OUTPUT or netem may drop it, before it is captured; and what is
told of ends of which no other witness ever heard: an orphan of a lab that has ended speaks on,
until its namespace is gone, by addresses that may be this lab's now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sockstates.evidence.consistency import SKEW, Contradiction, is_local
from sockstates.evidence.decisions import rewrites, whose_and_what
from sockstates.evidence.held_back import holds_back
from sockstates.evidence.schedules import repetitions
from sockstates.record.events import Event, RuleChanged
from sockstates.record.kernel_events import FilterDecided, FlowChanged, ResetPassed, Retransmitted
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.segment import Address, Segment

IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"
TYPE_AT = slice(12, 14)
"""Where an Ethernet frame says what it carries."""
IN_THE_WAY = ("INPUT", "FORWARD")
"""Chains whose packets a capture has seen before."""
NEEDED: Final[dict[str, tuple[str, int]]] = {
    "SYN_SENT": ("S", 1),
    "SYN_RECV": ("S", 2),
    "FIN_WAIT": ("F", 1),
    "CLOSE_WAIT": ("F", 1),
    "LAST_ACK": ("F", 2),
    "TIME_WAIT": ("F", 2),
    "CLOSE": ("R", 1),
}
"""Connection tracking's state -> the flag that brings it about, and from how many of the two ends
it must have come (nf_conntrack_proto_tcp.c). ESTABLISHED can be picked up in the middle."""
Way = tuple[Address, Address]


def contradictions_about_packets(timeline: Timeline, until: int) -> list[Contradiction]:
    """Everything that one witness says of a packet, and that another one must have seen.

    until: the moment (ns) up to which every witness has been heard.
    """
    told = [event for event in timeline.events if event.time <= until]
    return [
        *_resets(timeline, told),
        *_retransmissions(timeline, told),
        *_decisions(timeline, told),
        *_flows(timeline, told),
        *_counters(timeline, told),
    ]


def _may_drop_its_own(timeline: Timeline, host: str) -> bool:
    return holds_back(timeline, host) or any(
        isinstance(event, RuleChanged) and event.host == host and "OUTPUT" in event.line
        for event in timeline.events
    )


def _is_known(timeline: Timeline, key: EndpointKey) -> bool:
    """Whether any other witness ever heard of this endpoint, or of its peer's segments to it."""
    host, local, remote = key
    if any(change.time >= timeline.origin for change in timeline.changes(key)):
        return True
    if timeline.history(key) or timeline.glances(key):
        return True
    return any(
        {each.source, each.destination} == {local, remote} for each in timeline.arrived[host]
    )


def _way_text(timeline: Timeline, source: Address, destination: Address) -> str:
    return f"{timeline.names.endpoint(source)} > {timeline.names.endpoint(destination)}"


def _missing(
    about: str, moments: Sequence[int], witness: tuple[str, str], capture: str
) -> Contradiction:
    return Contradiction(about, min(moments), max(moments), (witness, ("capture", capture)))


def _resets(timeline: Timeline, told: Iterable[Event]) -> Iterable[Contradiction]:
    """Each RST that the kernel says it sent or took in was captured by then.

    Data for an end that has closed ends the connection by the function that an RST does
    (tcp_rcv_state_process() calls tcp_reset()), and is told as one.
    """
    passed: dict[tuple[str, Address, Address, bool], list[int]] = {}
    for event in told:
        if isinstance(event, ResetPassed) and event.remote.port:  # one without is nobody's
            way = (event.host, event.local, event.remote, event.sent)
            passed.setdefault(way, []).append(event.time)
    for (host, local, remote, sent), moments in passed.items():
        if is_local(timeline, (host, local, remote)):
            continue
        if sent and _may_drop_its_own(timeline, host):
            continue
        if not _is_known(timeline, (host, local, remote)):
            continue
        ends = (local, remote) if sent else (remote, local)
        by_then = sum(
            (each.has("R") or (not sent and each.length > 0))
            and (each.source, each.destination) == ends
            and each.time <= max(moments) + SKEW
            for each in timeline.arrived[host]
        )
        if by_then < len(moments):
            word = "sent" if sent else "took in"
            yield _missing(
                f"RST {_way_text(timeline, *ends)} on {host}",
                moments,
                ("tracepoint", f"the kernel {word} {len(moments)}"),
                f"{by_then} by then",
            )


def _retransmissions(timeline: Timeline, told: Iterable[Event]) -> Iterable[Contradiction]:
    """Each repetition that the kernel tells of was captured.

    The other way round nothing follows: the kernel may lose a record and not say so, and of a
    queue's segments that one event stands for each leaves the host (tcp_retransmit_skb()).
    """
    traced: dict[tuple[str, Address, Address], list[int]] = {}
    for event in told:
        if isinstance(event, Retransmitted):
            way = (event.host, event.local, event.remote)
            traced.setdefault(way, []).append(event.time)
    sent = _sent_by_way(timeline) if traced else {}
    for key, moments in traced.items():
        host, local, remote = key
        if is_local(timeline, key) or _may_drop_its_own(timeline, host):
            continue
        if not _is_known(timeline, key):
            continue
        again = repetitions(sent.get(key, []))
        if len(moments) > len(again):
            yield _missing(
                f"{_way_text(timeline, local, remote)} on {host}",
                moments,
                ("tracepoint", f"sent again {len(moments)} times"),
                f"sent again {len(again)} times",
            )


def _sent_by_way(timeline: Timeline) -> dict[tuple[str, Address, Address], list[Segment]]:
    """What each host sent itself, by its ends."""
    found: dict[tuple[str, Address, Address], list[Segment]] = {}
    for host, segments in timeline.arrived.items():
        for each in segments:
            if timeline.names.host(each.source.ip) == host:
                found.setdefault((host, each.source, each.destination), []).append(each)
    return found


def _decisions(timeline: Timeline, told: Iterable[Event]) -> Iterable[Contradiction]:
    """What the filter dropped on its way in was captured when it came."""
    content: dict[str, Counter[tuple[object, ...]]] = {}
    for event in told:
        if not isinstance(event, FilterDecided) or event.chain not in IN_THE_WAY:
            continue
        if is_local(timeline, (event.host, event.destination, event.source)):
            continue
        if event.host not in content:
            arrived = timeline.arrived[event.host]
            content[event.host] = Counter(_content(timeline, each) for each in arrived)
            if rewrites(timeline, event.host):
                content[event.host].update(whose_and_what(each) for each in arrived)
        known = content[event.host]
        if not known[_content(timeline, event)] and not known[whose_and_what(event)]:
            yield _missing(
                f"{_way_text(timeline, event.source, event.destination)} on {event.host}",
                [event.time],
                ("filter", f"{event.verdict} of Flags [{event.flags}], seq {event.sequence}"),
                "no such segment came",
            )


def _content(timeline: Timeline, of: Segment | FilterDecided) -> tuple[object, ...]:
    ends = timeline.rewritings.own(of.source, of.destination)
    return *ends, of.flags, of.sequence, of.acknowledgement


def _flows(timeline: Timeline, told: Iterable[Event]) -> Iterable[Contradiction]:
    """A state of connection tracking's needs the segments that bring it about."""
    for event in told:
        if not isinstance(event, FlowChanged) or event.change == "destroyed":
            continue
        ends: Way = event.source, event.destination
        needed = NEEDED.get(event.state)
        if needed is None or is_local(timeline, (event.host, *ends)):
            continue
        if _may_drop_its_own(timeline, event.host):
            continue
        flag, directions = needed
        whole = set(timeline.rewritings.own(*ends))
        ways = {
            way
            for each in timeline.arrived[event.host]
            if each.has(flag) and each.time <= event.time + SKEW
            if set(way := timeline.rewritings.own(each.source, each.destination)) == whole
        }
        if len(ways) < directions:
            yield _missing(
                f"{_way_text(timeline, *ends)} on {event.host}",
                [event.time],
                ("conntrack", event.state),
                f"[{flag}] by then from {len(ways)} of the ends, {directions} needed",
            )


@dataclass(slots=True)
class _Counted:
    """What the rules of one line counted: all of them together, and the most that one did."""

    began: int
    ended: int
    packets: int = 0
    together: int = 0
    most: int = 0

    def add(self, event: RuleChanged) -> None:
        """Take in what the counter was; one that falls has begun anew, or is another rule's."""
        more = event.packets - self.packets
        self.together += more if more >= 0 else event.packets
        self.packets, self.ended = event.packets, event.time
        self.most = max(self.most, event.packets)


def _counters(timeline: Timeline, told: Sequence[Event]) -> Iterable[Contradiction]:
    """A rule counts only what came in, and what it dropped it has counted."""
    rules: dict[tuple[str, str], _Counted] = {}
    for event in told:
        if isinstance(event, RuleChanged) and not event.line.startswith("-P"):
            key = event.host, event.line
            rules.setdefault(key, _Counted(event.time, event.time)).add(event)
    for (host, line), counted in rules.items():
        if not any(chain in line.split() for chain in IN_THE_WAY):
            continue
        about, when = f"iptables {line} on {host}", (counted.began, counted.ended)
        dropped = sum(
            isinstance(event, FilterDecided)
            and (event.host, event.line) == (host, line)
            and event.time <= counted.ended
            for event in told
        )
        if dropped > counted.together:
            said = f"{dropped} packets ended at this rule"
            counter = f"{counted.together} packets"
            yield Contradiction(about, *when, (("filter", said), ("counter", counter)))
        arrived = _frames_in(timeline, host)
        if counted.most > arrived and not _talks_to_itself(timeline, host):
            said = f"{counted.most} packets"
            yield _missing(about, when, ("counter", said), f"{arrived} packets came in at all")


def _frames_in(timeline: Timeline, host: str) -> int:
    """How many packets of IP came in at a host's interfaces."""
    return sum(
        frame.direction == "in" and frame.data[TYPE_AT] in (IPV4, IPV6)
        for frame in timeline.frames.get(host, [])
    )


def _talks_to_itself(timeline: Timeline, host: str) -> bool:
    return any(key[0] == host and is_local(timeline, key) for key in timeline.endpoints())
