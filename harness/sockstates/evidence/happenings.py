"""What can move an endpoint, as it was recorded: calls of its program, segments sent and arrived.

A segment counts as arrived when its host captured it with a right checksum and no filter rule was
seen dropping it. What a segment means depends on the state that it meets, so `event_in` is asked
with one. Pure.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass

from sockstates.record.events import CallBegan, CallEnded
from sockstates.record.kernel_events import FilterDecided
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.segment import Address, Segment, add, distance
from sockstates.tcp.states import (
    CLOSED,
    CLOSING,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    State,
)
from sockstates.tcp.transitions import Event

ZERO_LINGER = f"1, 13, {struct.pack('ii', 1, 0)!r}"
"""How setsockopt(2) with SOL_SOCKET, SO_LINGER, on and zero is recorded."""
STOPS_SENDING = ("1", "2")
"""shutdown(2)'s SHUT_WR and SHUT_RDWR, as they are recorded."""
Ends = tuple[str, Address, Address]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that can move an endpoint, at `time` (ns): an event, or a segment that arrived."""

    time: int
    event: Event | None = None
    segment: Segment | None = None


class Happenings:
    """Everything that can have moved the endpoints of a timeline, by endpoint."""

    def __init__(self, timeline: Timeline) -> None:
        self._segments: dict[Ends, list[Segment]] = defaultdict(list)
        for host, segments in timeline.arrived.items():
            for segment in (each for each in segments if each not in timeline.unsound):
                self._segments[host, segment.source, segment.destination].append(segment)
        self._calls: dict[EndpointKey, list[CallBegan]] = defaultdict(list)
        for event in timeline.events:
            if isinstance(event, CallBegan) and event.local is not None:
                self._calls[event.host, event.local, event.remote].append(event)
            elif isinstance(event, FilterDecided):
                self._drop(event)
        self._timeline = timeline

    def _drop(self, decided: FilterDecided) -> None:
        """Take out the segment that a rule was seen dropping: it never reached its socket."""
        arrived = self._segments[decided.host, decided.source, decided.destination]
        for number in range(len(arrived) - 1, -1, -1):
            each = arrived[number]
            same = (each.flags, each.sequence) == (decided.flags, decided.sequence)
            if same and each.time <= decided.time:
                del arrived[number]
                return

    def sent(self, key: EndpointKey) -> list[Segment]:
        """What the endpoint sent, as its host captured it."""
        host, local, remote = key
        return self._segments[host, local, remote] if remote is not None else []

    def arrived(self, key: EndpointKey) -> list[Segment]:
        """What came for the endpoint."""
        host, local, remote = key
        return self._segments[host, remote, local] if remote is not None else []

    def between(self, key: EndpointKey, start: int, end: int) -> list[Happening]:
        """What can have moved the endpoint after `start` and until `end` (ns), by time."""
        found = [
            Happening(each.time, segment=each)
            for each in self.arrived(key)
            if start < each.time <= end
        ]
        for sent in self.sent(key):
            event = {"S": Event.ACTIVE_OPEN}.get(sent.flags)
            event = Event.CLOSE if sent.has("F") else event
            if event is not None and start < sent.time <= end:
                found.append(Happening(sent.time, event))
        for call in self._calls[key]:
            event = self._event_of(key, call)
            if event is not None and start < call.time <= end:
                found.append(Happening(call.time, event))
        return sorted(found, key=lambda each: each.time)

    def _event_of(self, key: EndpointKey, call: CallBegan) -> Event | None:
        if call.name == "connect":
            return Event.ACTIVE_OPEN
        if call.name == "shutdown" and call.detail in STOPS_SENDING:
            return Event.CLOSE
        if call.name != "close":
            return None
        ended = self._timeline.call(call.call)
        until = ended.time if ended else call.time
        if self.sent_reset(key, call.time, until) or self._lingers_not(key, call.time):
            return Event.ABORT
        return Event.CLOSE

    def _lingers_not(self, key: EndpointKey, until: int) -> bool:
        return any(
            call.name == "setsockopt" and call.detail == ZERO_LINGER and call.time <= until
            for call in self._calls[key]
        )

    def sent_reset(self, key: EndpointKey, start: int, end: int) -> bool:
        """Whether the endpoint's host sent an RST for it in this time (ns)."""
        return any(each.has("R") and start <= each.time <= end for each in self.sent(key))

    def aborted(self, key: EndpointKey, start: int, end: int) -> bool:
        """Whether an RST was sent in this time (ns) that ended a connection, and answered nothing.

        An answer to a segment with ACK has no ACK itself (RFC 9293, section 3.10.7.1).
        """
        return any(each.flags == "R." and start <= each.time <= end for each in self.sent(key))

    def connected(self, key: EndpointKey) -> CallEnded | None:
        """How connect(2) of this endpoint ended; None without such a call, or while it waits."""
        calls = [call for call in self._calls[key] if call.name == "connect"]
        return self._timeline.call(calls[-1].call) if calls else None

    def opened_passively(self, key: EndpointKey, moment: int) -> bool:
        """Whether its latest SYN until this moment (ns) was an answer: no SYN without ACK."""
        own = self._own_syn(key, moment)
        sent = self.sent(key)
        return own is not None and not any(
            each.flags == "S" and each.sequence == own.sequence for each in sent
        )

    def _own_syn(self, key: EndpointKey, moment: int) -> Segment | None:
        own = [each for each in self.sent(key) if each.has("S") and each.time <= moment]
        return own[-1] if own else None

    def event_in(self, state: State, key: EndpointKey, segment: Segment) -> Event | None:
        """What a segment that arrived is for an endpoint in this state; None: nothing of note."""
        if segment.has("R"):
            return Event.RST
        if segment.has("S"):
            return self._event_of_syn(state, key, segment)
        closing = state in (FIN_WAIT1, CLOSING, LAST_ACK)
        acknowledges = closing and self._acknowledges_close(key, segment)
        if segment.has("F"):
            return Event.FIN_ACK if state is FIN_WAIT1 and acknowledges else Event.FIN
        if state is SYN_RECV or acknowledges:
            return Event.ACK if self._is_acceptable(key, segment) else None
        return Event.DATA if state in (FIN_WAIT1, FIN_WAIT2) and segment.length else None

    def _event_of_syn(self, state: State, key: EndpointKey, segment: Segment) -> Event | None:
        own = self._own_syn(key, segment.time)
        if segment.has("."):
            return {SYN_SENT: Event.SYN_ACK, SYN_RECV: Event.ACK}.get(state)
        if state is SYN_RECV and own is not None and own.acknowledgement is not None:
            return Event.SYN if add(segment.sequence, 1) != own.acknowledgement else None
        answer = {TIME_WAIT: "S", FIN_WAIT2: "R"}.get(state)
        if answer is not None and not self._answered(key, segment, answer):
            return None
        return Event.SYN if state in (LISTEN, SYN_SENT, TIME_WAIT, FIN_WAIT2, CLOSED) else None

    def _answered(self, key: EndpointKey, syn: Segment, flag: str) -> bool:
        """Whether the endpoint has answered this SYN with such a segment: SYN-ACK, or RST."""
        following = add(syn.sequence, 1)
        return any(each.has(flag) and each.acknowledgement == following for each in self.sent(key))

    def _acknowledges_close(self, key: EndpointKey, segment: Segment) -> bool:
        """Whether it acknowledges the FIN that the endpoint had sent by then."""
        own = [each for each in self.sent(key) if each.has("F") and each.time <= segment.time]
        number = segment.acknowledgement
        return bool(own) and number is not None and distance(own[-1].end, number) >= 0

    def _is_acceptable(self, key: EndpointKey, segment: Segment) -> bool:
        """Whether it acknowledges the endpoint's SYN, and so is of this connection."""
        own = self._own_syn(key, segment.time)
        number = segment.acknowledgement
        return own is None or (number is not None and distance(own.end, number) >= 0)
