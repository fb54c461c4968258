"""What a wire does to the segments that its faults choose; in the wire's agent.

Faults look at each frame in the order in which they were made; the first that chooses it decides,
and those behind it never see it. What none of them chooses goes on at once, as it came. Every act
is told as it is done: nothing is decided here that the scenario did not write down.
"""

from __future__ import annotations

import heapq
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from sockstates.record.events import NANOSECONDS, RuleChanged
from sockstates.record.kernel_events import WireActed
from sockstates.sandbox.agent.relay import Relay
from sockstates.sandbox.protocol import FaultRequest
from sockstates.tcp.altering import damaged, has_payload, rewritten
from sockstates.tcp.headers import read_segment
from sockstates.tcp.pattern import Line
from sockstates.tcp.sieve import Sieve


@dataclass(slots=True)
class _Passing:
    """A frame that came to a port of the wire, at `moment` (ns)."""

    side: int
    frame: bytes
    moment: int


@dataclass(slots=True)
class _Fault:
    """A fault in force: how many segments its line described, how many of them it chose."""

    number: int
    request: FaultRequest
    sieve: Sieve
    awaited: Sieve | None
    met: int = 0
    chosen: int = 0
    held: list[_Passing] = field(default_factory=list)

    def chooses(self, frame: bytes) -> bool:
        """Whether it is this one's to decide about a frame."""
        if not self.sieve.takes(frame):
            return False
        self.met += 1
        request = self.request
        if request.number is not None:
            mine = self.met == request.number
        elif request.every is not None:
            mine = self.met % request.every == 0
        else:
            mine = not self.awaits_number or self.met < self.awaits_number
        self.chosen += mine
        return mine

    @property
    def interests(self) -> list[bytes]:
        """What frames match that it must see: none any more where its only one has come."""
        spent = not self.awaits_number and self.met >= (self.request.number or math.inf)
        sieves = [] if spent else [self.sieve]
        return [sieve.expression for sieve in (*sieves, self.awaited) if sieve is not None]

    @property
    def awaits_number(self) -> int:
        """The number of the segment that a hold waits for; 0 when it waits for none."""
        return self.request.until if isinstance(self.request.until, int) else 0


class Faults:
    """All faults of a wire, and the frames that they keep."""

    def __init__(
        self, host: str, relay: Relay, record: Callable[[WireActed | RuleChanged], None]
    ) -> None:
        self._host, self._relay, self._record = host, relay, record
        self._numbers = count(1)
        self._ties = count()
        self._faults: dict[int, _Fault] = {}
        self._over: dict[int, _Fault] = {}
        self.interest: re.Pattern[bytes] | None = None
        """What every frame matches that a fault must see; None while there is none."""
        self._due: list[tuple[int, int, _Fault, _Passing]] = []
        """A heap of the delayed: when (CLOCK_MONOTONIC, ns), a number against ties, whose, what."""

    def apply(self, request: FaultRequest) -> int:
        """Put a fault into force; its number."""
        number = next(self._numbers)
        awaited = None
        if isinstance(request.until, Line):
            awaited = Sieve(request.until, request.places, request.bindings)
        sieve = Sieve(request.line, request.places, request.bindings)
        self._faults[number] = _Fault(number, request, sieve, awaited)
        self._renew_interest()
        return number

    def _renew_interest(self) -> None:
        told = [each for fault in self._faults.values() for each in fault.interests]
        self.interest = re.compile(b"|".join(told), re.DOTALL) if told else None

    def delete(self, number: int) -> None:
        """Take a fault away; what it holds goes on now, and what it delays when that is due."""
        if number in self._faults:
            self._end(self._faults[number])

    def counter(self, number: int) -> int:
        """How many segments a fault has chosen so far."""
        return (self._faults.get(number) or self._over[number]).chosen

    def ready(self) -> None:
        """Have the relay pass on what has come."""
        self._relay.ready(self)

    def wait(self) -> float:
        """Seconds until a delayed segment is due; infinite when there is none."""
        if not self._due:
            return math.inf
        return max(0.0, (self._due[0][0] - time.monotonic_ns()) / NANOSECONDS)

    def send_what_is_due(self) -> None:
        """Have the delayed segments go on whose time has come."""
        while self._due and self._due[0][0] <= time.monotonic_ns():
            _, _, fault, passing = heapq.heappop(self._due)
            self._send(passing)
            self._tell(fault, passing, "released", time.time_ns())

    def judge(self, side: int, frame: bytes, moment: int) -> None:
        """Do with a frame what the first fault that chooses it says; else it goes on as it came."""
        passing = _Passing(side, frame, moment)
        for fault in self._faults.values():
            before = fault.met
            if fault.chooses(frame):
                if fault.request.number is not None:
                    self._renew_interest()
                return self._act(fault, passing)
            if fault.met > before == fault.awaits_number - 1:
                self._send(passing)
                return self._end_by_itself(fault)
        return self._send(passing)

    def _act(self, fault: _Fault, passing: _Passing) -> None:
        request = fault.request
        if request.action == "hold":
            fault.held.append(passing)
            self._tell(fault, passing, "held")
        elif request.action == "delay":
            due = time.monotonic_ns() + int(request.seconds * NANOSECONDS)
            heapq.heappush(self._due, (due, next(self._ties), fault, passing))
            self._tell(fault, passing, "delayed", detail=f"by {request.seconds:g} s")
        elif request.action == "drop":
            self._tell(fault, passing, "dropped")
        else:
            self._act_on_the_way(fault, passing)

    def _act_on_the_way(self, fault: _Fault, passing: _Passing) -> None:
        """Duplicate, damage or rewrite a segment that goes on at once."""
        request = fault.request
        if request.action == "duplicate":
            words = (
                "sent on once more" if request.copies == 1 else f"{request.copies} more copies sent"
            )
            self._tell(fault, passing, "duplicated", detail=words)
            copies = [passing.frame] * (1 + request.copies)
        elif request.action == "corrupt":
            action = "rewritten" if request.checksum_fixed else "damaged"
            self._tell(fault, passing, action, detail=_damage_text(request, passing.frame))
            copies = [
                damaged(passing.frame, header=request.header, checksum_fixed=request.checksum_fixed)
            ]
        else:
            altered = rewritten(
                passing.frame, numbers=request.numbers, flags=request.flags, without=request.without
            )
            same = "nothing of that was in it" if altered == passing.frame else _words(request)
            self._tell(fault, passing, "rewritten", detail=same)
            copies = [altered]
        for copy in copies:
            self._send(passing, copy)

    def _send(self, passing: _Passing, altered: bytes | None = None) -> None:
        """Have a segment go on, and whatever waited for it behind it."""
        self._relay.send(passing.side, passing.frame if altered is None else altered)
        for fault in list(self._faults.values()):
            if fault.awaited is not None and fault.awaited.takes(passing.frame):
                self._end_by_itself(fault)

    def _end_by_itself(self, fault: _Fault) -> None:
        """What a hold waited for has passed: only the wire knows when."""
        if fault.number in self._faults:
            text, chosen = fault.request.text, fault.chosen
            self._record(RuleChanged(time.time_ns(), self._host, text, "released", chosen))
            self._end(fault)

    def _end(self, fault: _Fault) -> None:
        """The fault is over: what it holds goes on in the order in which it came."""
        if self._faults.pop(fault.number, None) is None:
            return
        self._over[fault.number] = fault
        self._renew_interest()
        for passing in fault.held:
            self._tell(fault, passing, "released", time.time_ns())
            self._send(passing)
        fault.held.clear()

    def _tell(
        self, fault: _Fault, passing: _Passing, action: str, moment: int = 0, detail: str = ""
    ) -> None:
        segment = read_segment(passing.frame, passing.moment)
        if segment is None:  # a sieve takes segments only
            return
        self._record(
            WireActed(
                time=moment or passing.moment,
                host=self._host,
                fault=fault.number,
                line=fault.request.text,
                action=action,
                source=segment.source,
                destination=segment.destination,
                flags=segment.flags,
                sequence=segment.sequence,
                acknowledgement=segment.acknowledgement,
                length=segment.length,
                came=passing.moment,
                detail=detail,
            )
        )


def _damage_text(request: FaultRequest, frame: bytes) -> str:
    where = "header" if request.header or not has_payload(frame) else "payload"
    return f"one bit of its {where}"


def _words(request: FaultRequest) -> str:
    """``window 0, flags R, without sackOK``."""
    words = [f"{name} {number}" for name, number in request.numbers.items()]
    words += [f"flags {request.flags}"] if request.flags is not None else []
    return ", ".join([*words, *(f"without {name}" for name in request.without)])
