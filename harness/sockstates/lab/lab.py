"""A lab: hosts joined by cables, everything recorded, and what a scenario expects of the whole.

`sockstates.lab.opening` makes one, ready to use: every interface up, every capture running. Time
passes only in `wait_until`, which takes in evidence meanwhile.
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from sockstates.evidence.doubts import doubt
from sockstates.evidence.figures import NoFigure, Shown, figure_text
from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.lab.call import Call
from sockstates.lab.deadlines import Deadlines
from sockstates.lab.declared_programs import DeclaredPrograms
from sockstates.lab.host import Host
from sockstates.lab.link import Link, link
from sockstates.lab.progress import Progress
from sockstates.lab.rule import Rule
from sockstates.lab.segments_seen import SegmentsSeen
from sockstates.lab.wire import Wire, wire_of
from sockstates.lab.words import HasWords
from sockstates.record.events import NANOSECONDS, Figure, Step
from sockstates.record.timeline import HostNames, Timeline
from sockstates.sandbox.channel import ChannelClosedError
from sockstates.sandbox.client.attribution import Place
from sockstates.sandbox.client.errors import HostGone, LabError
from sockstates.sandbox.client.line import Line
from sockstates.sandbox.client.sandbox import Sandbox
from sockstates.sandbox.network.topology import ROUTER, SWITCH, WIRE, Family, host_names
from sockstates.sandbox.request import LabRequest
from sockstates.sandbox.rules import HostAddresses, RuleNotAppliedError
from sockstates.tcp.nearest import did_you_mean
from sockstates.tcp.segment import Segment

READY_LIMIT = 30.0
PROGRESS_AFTER = 1.0
READ_AND_WRITE = selectors.EVENT_READ | selectors.EVENT_WRITE


class Lab(HasWords):
    """Hosts, their evidence, and the scenario's expectations of both."""

    def __init__(self, sandbox: Sandbox, request: LabRequest, title: str = "") -> None:
        self.sandbox = sandbox
        self.request = request
        self.family: Family = request.families[0]
        self.timeline = Timeline(title=title, between=frozenset({ROUTER, SWITCH, WIRE}))
        self.calls: list[Call] = []
        self.rules: list[Rule] = []
        """The filter rules that the scenario made and has not deleted."""
        self.settings: dict[str, dict[str, str]] = {}
        self.links: list[Link] = []
        self.deadlines = Deadlines(self)
        self.declared: DeclaredPrograms | None = None
        """What may be started; None: everything."""
        self.progress: Progress | None = None
        self.keep = False
        """Leave the hosts up when the scenario is over."""
        self._heard_until = 0
        """Up to this moment (ns) all that happened is recorded."""
        self._call_numbers = count(1)
        self._selector = selectors.DefaultSelector()
        self._lines: dict[str, Line] = {}
        self.hosts: dict[str, Host] = {}
        self._place = Place()
        try:
            self._open()
        except LabError:
            self._let_go()
            raise
        self.origin = self.timeline.origin = self.now()
        self.seen = SegmentsSeen(self)

    def _open(self) -> None:
        names = host_names(self.request.hosts, router=self.request.router, wire=self.request.wire)
        self._lines = {name: Line(self, name) for name in names}
        for line in self._lines.values():
            self._selector.register(line.channel, selectors.EVENT_READ, line.read)
            self._selector.register(line.bell, selectors.EVENT_READ, line.read_frames)
        descriptors = [each for line in self._lines.values() for each in line.descriptors()]
        self.sandbox.kernel_watch.read()  # so that there is room for what is said of the hosts
        plan, self._captures = self.sandbox.open(self.request, descriptors)
        self._kernel = self.sandbox.kernel_watch
        for line in self._lines.values():
            line.handed_over()
        self.names = HostNames(
            {host: tuple(addresses.values()) for host, addresses in plan.names.items()}
            | {"localhost": ("127.0.0.1", "::1")}
        )
        self.timeline.names = self.names
        self.plan = plan
        self.pump_until(
            lambda: all(self._is_settled(each) for each in self._lines.values()), READY_LIMIT
        )
        for name, line in self._lines.items():
            if line.ready is None:
                raise LabError(f"host {name!r} did not come up; see what its agent wrote, above")
            self.settings[name] = dict(line.ready.sysctls)
            if name in plan.names:
                self.hosts[name] = Host(self, name, plan.names[name], line)
        namespaces = {
            line.ready.namespace: name for name, line in self._lines.items() if line.ready
        }
        self._place = self._kernel.join(plan, namespaces, self.timeline.add)
        for descriptor in self._kernel.descriptors():
            self._selector.register(descriptor, selectors.EVENT_READ, self._kernel.read)

    @property
    def wire(self) -> Wire:
        """The wire between the hosts, where one was asked for: what holds, delays, damages."""
        return wire_of(self, self._lines.get(WIRE))

    @staticmethod
    def _is_settled(line: Line) -> bool:
        return line.ready is not None or line.gone

    def __repr__(self) -> str:
        return f"<lab of {', '.join(self.hosts)} over {self.family}>"

    def __getitem__(self, name: str) -> Host:
        try:
            return self.hosts[name]
        except KeyError:
            raise LabError(
                f"there is no host {name!r} in this lab. {did_you_mean(name, self.hosts)}"
                f"Its hosts are {', '.join(self.hosts)}"
                + ("; ask for the fixture `router` to have one" if name == ROUTER else "")
            ) from None

    def line(self, name: str) -> Line:
        """The line to the agent of a host, or of what lies between the hosts."""
        return self._lines[name]

    link = link

    def close(self) -> None:
        """End every process of the lab. The evidence stays."""
        self._kernel.leave(self._place)
        self.sandbox.close_lab(self.request.lab)
        self._let_go()
        # The kernel lets some milliseconds pass until it has closed a packet socket. The hosts'
        # ends of these closed at once, because we hold them too; nobody has to wait for ours.
        threading.Thread(target=_close_all, args=(self._captures,)).start()

    def _let_go(self) -> None:
        self._selector.close()
        for line in self._lines.values():
            line.close()

    @staticmethod
    def now() -> int:
        """The lab's clock: CLOCK_REALTIME in nanoseconds."""
        return time.time_ns()

    def seconds_since(self, moment: int) -> float:
        """Seconds from a moment of the lab's clock until now."""
        return (self.now() - moment) / NANOSECONDS

    def next_call(self) -> int:
        """A number for the next socket call."""
        return next(self._call_numbers)

    def step(self, text: str) -> None:
        """Say what the scenario does next; the report shows it."""
        self.timeline.add(Step(self.now(), text))

    def figure(self, what: Shown) -> None:
        """Keep the figure that proves the scenario's claims in this run, for timeline and ledger.

        A text made from what was measured, or what an expectation returned: the segments of `sees`,
        the endpoint of `reaches`. One line for each. LabError where there is nothing to show.
        """
        try:
            text = figure_text(self.timeline, what)
        except NoFigure as error:
            raise LabError(f"lab.figure: {error}") from None
        self.timeline.add(Figure(self.now(), text))

    def addresses(self) -> HostAddresses:
        """The addresses of every host, for the names in filter rules."""
        return HostAddresses(self.names.addresses)

    def pump_until(self, satisfied: Callable[[], bool], seconds: float) -> bool:
        """Take in evidence until `satisfied`, or until so many seconds have passed."""
        deadline = time.monotonic() + seconds
        while not satisfied():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.take_in(left)
        return True

    def fileno(self) -> int:
        """A descriptor that is readable when there is something to take in."""
        return self._selector.fileno()

    def take_in(self, seconds: float = 0.0) -> None:
        """Take in the evidence that is there, or the first that comes in so many seconds.

        What a host has not taken of a request yet goes on to it meanwhile.
        """
        unsent = [
            line for line in self._lines.values() if line.channel.wants_to_write and not line.gone
        ]
        for line in unsent:
            self._selector.modify(line.channel, READ_AND_WRITE, line.read)
        for key, _ in self._selector.select(seconds):
            key.data()
        for line in unsent:
            self._selector.modify(line.channel, selectors.EVENT_READ, line.read)
            if not line.gone:
                with suppress(ChannelClosedError):
                    line.channel.flush()
        self._kernel.read()
        self._drop_dead_lines()

    def _drop_dead_lines(self) -> None:
        for line in self._lines.values():
            if line.gone and line.channel in self._selector.get_map():
                self._selector.unregister(line.channel)

    def wait_until(
        self, satisfied: Callable[[], bool], awaiting: str, seconds: float | None
    ) -> bool:
        """Wait for a fact, with a deadline (None: the one for what a program does by itself).

        The hosts sample closely meanwhile; whoever watches the terminal is told of long waits.
        """
        limit = self.deadlines.programs if seconds is None else seconds
        if satisfied():
            return True
        began = time.monotonic()
        self._watch(limit)
        while (waited := time.monotonic() - began) < limit:
            until = limit - waited if self.progress is None else min(limit - waited, PROGRESS_AFTER)
            if self.pump_until(lambda: satisfied() or self._misses_a_host(), until):
                break
            if self.progress is not None and time.monotonic() - began < limit:
                self.progress.waiting(awaiting, time.monotonic() - began, limit)
        if self.progress is not None:
            self.progress.over()
        self._watch(0)
        if not satisfied():
            self.settle()
        return satisfied()

    def _misses_a_host(self) -> bool:
        return any(line.gone for line in self._lines.values())

    def _watch(self, seconds: float) -> None:
        for line in self._lines.values():
            line.watch(seconds)

    def settle(self) -> None:
        """Have every host record all that has happened by now; HostGone if one cannot any more."""
        began = self.now()
        try:
            for line in sorted(self._lines.values(), key=lambda line: line.gone):
                line.settle()
        finally:
            self._kernel.settle(self._place, self.timeline)
        self._heard_until = began

    def count_rules(self) -> None:
        """Put the present counters of all filter rules into the evidence; of hosts that live."""
        for rule in self.rules:
            # A program of the scenario may have taken the rule away behind our back.
            with suppress(HostGone, RuleNotAppliedError):
                rule.record_counter()

    def sees(self, text: str) -> tuple[Segment, ...]:
        """Expect these segments on the wire, in tcpdump's notation, one after the other.

        Nothing more may stand between two lines unless a line ``...`` says so. The search goes on
        behind what the last `sees` found; letters keep the numbers that they were bound to. What
        was found comes back, from the first line's segment to the last one's.
        """
        return self.seen.sees(text)

    def sees_only(self, text: str) -> tuple[Segment, ...]:
        """Expect exactly these segments since the last `sees` (or the beginning), and no others."""
        return self.seen.sees_only(text)

    def never_sees(self, text: str, *, since: Segment | None = None) -> None:
        """Expect that no such segments were sent until now, from the beginning or after `since`."""
        self.seen.never_sees(text, since)

    def stays_quiet(self, *, seconds: float) -> None:
        """Expect that no TCP segment is sent for so long."""
        self.seen.stays_quiet(seconds)

    def doubt(self) -> str | None:
        """Why the evidence cannot decide anything; None when it can."""
        return doubt(self.timeline, self._heard_until)

    def finish(self) -> None:
        """At a scenario's end: what the evidence lacks, and which failed calls nobody judged.

        The rules are counted first, so that what they counted has been captured.
        """
        self.count_rules()
        self.settle()
        doubt = self.doubt()
        if doubt:
            raise Inconclusive(doubt)
        for call in self.calls:
            if failure := call.unjudged_failure:
                raise ExpectationFailed(
                    f"{failure}, and the scenario says nothing about it: "
                    "expect it with .fails(errno) or .returns()"
                )


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
