"""The one process of ours in each host: does what the scenario asks, records what it sees.

Process 1 of the host's own PID namespace: when it ends, everything on the host ends. One thread,
one event loop: requests from the test process, the capture, the sampler, sockets and programs.
It never judges; every event goes to the test process as soon as it is there.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from sockstates.record.events import ClockStepped, FramesLost, HostReady, SocketSeen, SysctlSet
from sockstates.sandbox.agent import netem, routes
from sockstates.sandbox.agent.kernel_counters import read_counters
from sockstates.sandbox.agent.program_streams import Input, Output
from sockstates.sandbox.agent.programs import Programs
from sockstates.sandbox.agent.ready_sources import ready_sources
from sockstates.sandbox.agent.relay import Relay
from sockstates.sandbox.agent.sockets import Later, Sockets
from sockstates.sandbox.agent.wire_faults import Faults
from sockstates.sandbox.channel import Channel, ChannelClosedError
from sockstates.sandbox.network import gate, interfaces, namespaces, settings
from sockstates.sandbox.network.topology import ROUTER, WIRE
from sockstates.sandbox.protocol import (
    CaptureRequests,
    EmulationRequests,
    FaultRequests,
    HostAgent,
    ProgramRequests,
    Request,
    RouteRequests,
    RuleRequests,
    Settled,
    SocketRequests,
)
from sockstates.sandbox.rules.families import NO_HOSTS
from sockstates.sandbox.rules.rule import AnyCommand, Resolve
from sockstates.sandbox.rules.tables import Tables
from sockstates.sandbox.witnesses.capture import BLOCKS, BLOCKS_OF_A_WIRE, Capture
from sockstates.sandbox.witnesses.chosen_captures import ChosenCaptures
from sockstates.sandbox.witnesses.conntrack import ConntrackEvents
from sockstates.sandbox.witnesses.filter_trace import FilterTrace
from sockstates.sandbox.witnesses.packet_ring import PacketRing
from sockstates.sandbox.witnesses.sampler import Sampler

CLOCK_STEP = 50_000_000
"""A difference of the clocks beyond this many nanoseconds is a step, not scheduling."""
A_LOOK = 0.001
"""Seconds after which a socket call that had not yet got as far as it gets is looked at again."""
CALLS_SETTLE = 0.1
"""Seconds for which what is asked to settle waits for such calls: a send of much data may be busy
for as long as it takes."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a host is to be; given to its agent when it is born."""

    name: str
    capture_loopback: bool = False
    one_processor: int = 0
    """The lab's number where one processor receives for all its hosts. Frames that a wire sends on
    that very processor are taken in at once; on another, net.core.netdev_max_backlog can wait."""


class Agent:
    """The event loop of one host."""

    def __init__(
        self, description: Description, control: socket.socket, memory: int, bell: int
    ) -> None:
        self._name = description.name
        self._channel = Channel(control)
        self._bell = bell
        blocks = BLOCKS_OF_A_WIRE if self._name == WIRE else BLOCKS
        self.capture = Capture(memory, loopback=description.capture_loopback, blocks=blocks)
        self._sampler = Sampler(self._name, self._record_socket, self._channel.send)
        self._selector = selectors.DefaultSelector()
        self._chosen = ChosenCaptures(self._name, self._selector, self._channel.send)
        self._sockets = Sockets(self._name, self._selector, self._channel.send)
        self._programs = Programs(self._name, self._selector, self._channel.send)
        self._rules = _WatchedTables(gate.filter_socket)
        witness = self._name, self._rules.filter, self._selector, self._channel.send
        self._trace, self._conntrack = FilterTrace(*witness), ConntrackEvents(*witness)
        self._rules.witnesses = self._trace, self._conntrack
        self._relay: Relay | None = None
        self._faults: Faults | None = None
        self._later: list[tuple[int, Later[Any]]] = []
        self._clock_offset = time.time_ns() - time.monotonic_ns()
        self._wake, write_end = socket.socketpair()
        for end in (self._wake, write_end):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(write_end.fileno(), warn_on_full_buffer=False)
        self._wake_end = write_end
        self._selector.register(control, selectors.EVENT_READ, self._channel)
        self._selector.register(self.capture.fileno(), selectors.EVENT_READ, self.capture)
        self._selector.register(self._wake, selectors.EVENT_READ, self._wake)

    def run(self) -> None:
        """Serve until the test process is gone."""
        while True:
            try:
                self._turn()
            except ChannelClosedError:
                return

    def pass_on_frames(self, names: tuple[str, ...]) -> None:
        """Be a wire from now on: what comes in at one of two interfaces goes out of the other."""
        self._relay = Relay((names[0], names[1]))
        self._faults = Faults(self._name, self._relay, self._channel.send)
        for port in self._relay.ports:
            self._selector.register(port.fileno(), selectors.EVENT_READ, self._faults)

    def introduce(self, interface_names: dict[int, str]) -> None:
        """Tell the test process that the host is ready, and what it is like."""
        ready = HostReady(
            time.time_ns(),
            self._name,
            gate.network_namespace()[1],
            settings.read(settings.PINNED),
        )
        self._channel.send((ready, interface_names))

    def _turn(self) -> None:
        timeout = 0.001 if self._channel.wants_to_write else self._sampler.wait()
        if self._faults is not None:
            timeout = min(timeout, self._faults.wait())
        if self._later:
            timeout = min(timeout, A_LOOK)
        for source, _ in ready_sources(self._selector, timeout):
            self._handle(source)
        self._answer_what_is_ready()
        if self._faults is not None:
            self._faults.send_what_is_due()
        self._channel.flush()
        self._sampler.look_if_due()

    def _handle(self, source: object) -> None:
        if source is self.capture:
            self._drain_capture()
        elif source is self._channel:
            for request in self._channel.receive():
                self._answer(request)
        elif source is self._wake:
            self._wake.recv(4096)
            self._programs.reap()
            self._sampler.happened()
        elif source is self._sockets:
            self._sockets.ready()
            self._sampler.happened()
        elif isinstance(source, (Output, Input, FilterTrace, ConntrackEvents, Faults)):
            source.ready()
        elif isinstance(source, PacketRing):
            source.drain()

    def _record_socket(self, seen: SocketSeen) -> None:
        if seen.owner is not None:
            self._programs.notice(seen.owner)
        self._channel.send(seen)

    def _drain_capture(self) -> None:
        if self.capture.drain():
            os.eventfd_write(self._bell, 1)
            self._sampler.happened()

    def _answer(self, request: Request) -> None:
        number, name, arguments, named = request
        agent: HostAgent = self
        self._give(number, lambda: attrgetter(name)(agent)(*arguments, **named))

    def _give(self, number: int, answer: Callable[[], Any]) -> None:
        try:
            result, error = answer(), None
        except Exception as caught:  # whatever was asked for wrongly, the host lives on
            result, error = None, caught
        if isinstance(result, Later):
            self._later.append((number, result))
        elif number:
            self._channel.send((number, result, error))

    def _answer_what_is_ready(self) -> None:
        """Answer the requests that have waited for a socket call to get as far as it gets."""
        waiting, self._later = self._later, []
        for number, later in waiting:
            self._give(number, later.given)

    @property
    def sockets(self) -> SocketRequests:
        """The built-in sockets; whatever is done with them can change a state."""
        self._sampler.happened()
        return self._sockets

    @property
    def programs(self) -> ProgramRequests:
        """The host's programs; what one does can change a state."""
        self._sampler.happened()
        return self._programs

    @property
    def rules(self) -> RuleRequests:
        """Both tables."""
        return self._rules

    @property
    def captures(self) -> CaptureRequests:
        """The captures that a scenario has chosen."""
        return self._chosen

    @property
    def faults(self) -> FaultRequests:
        """What this wire does; errors: LookupError on another host."""
        if self._faults is None:
            raise LookupError(f"{self._name} is not a wire")
        return self._faults

    @property
    def emulation(self) -> EmulationRequests:
        """Netem."""
        return netem

    @property
    def routes(self) -> RouteRequests:
        """Routes, addresses and neighbours."""
        return routes

    def watch(self, seconds: float) -> None:
        """Sample closely for so long: somebody waits."""
        self._sampler.attend(seconds)

    def sample(self) -> None:
        """Sample the sockets once; what has changed is told before the answer."""
        self._sampler.sample()

    def settle(self) -> Settled:
        """Drain every witness, sample once; what has happened to a call by now is recorded."""
        limit = time.monotonic() + CALLS_SETTLE
        rest = Later(lambda: self._sockets.rest() or time.monotonic() > limit, self._settle)
        return rest.answer()

    def _settle(self) -> Settled:
        if self.capture.settle():
            os.eventfd_write(self._bell, 1)
        self._trace.settle()
        self._conntrack.settle()
        self._chosen.settle()
        lost = self.capture.count_losses()
        if lost:
            self._channel.send(FramesLost(time.time_ns(), self._name, lost))
        left_out = 0 if self._relay is None else self._relay.count_losses()
        if left_out:
            self._channel.send(FramesLost(time.time_ns(), self._name, left_out, on_the_way=True))
        step = time.time_ns() - time.monotonic_ns() - self._clock_offset
        if abs(step) > CLOCK_STEP:
            self._clock_offset += step
            self._channel.send(ClockStepped(time.time_ns(), self._name, step))
        self._sampler.sample()
        sampler = self._sampler
        return Settled(sampler.count, sampler.sampled_at, sampler.glanced_at, self.capture.lost)

    def watch_conntrack(self) -> str:
        """See :meth:`ConntrackEvents.begin`."""
        return self._conntrack.begin()

    def send_frame(self, interface: str, frame: bytes) -> int:
        """Send a frame as it is from an interface; the time (ns) just before."""
        self._sampler.happened()
        with gate.frame_sender(interface) as sender:
            before = time.time_ns()
            sender.send(frame)
        return before

    def counters(self) -> dict[str, int]:
        """The kernel's counters of the host; see :mod:`sandbox.agent.kernel_counters`."""
        return read_counters()

    def set_sysctl(self, name: str, value: str) -> None:
        """Set a network sysctl of the host."""
        before = gate.read_sysctl(name)
        gate.write_sysctl(name, value)
        self._channel.send(SysctlSet(time.time_ns(), self._name, name, value, before))

    def read_sysctl(self, name: str) -> str:
        """A network sysctl of the host, as one line."""
        return gate.read_sysctl(name)

    def sysctl_names(self) -> list[str]:
        """The network sysctls that the host has."""
        return gate.sysctl_names()

    def set_mtu(self, size: int) -> None:
        """Set the MTU of each of the host's cables; what it was is told as of a sysctl."""
        for name, before in interfaces.set_mtu(size):
            what = f"{name} mtu", str(size), str(before)
            self._channel.send(SysctlSet(time.time_ns(), self._name, *what))


class _WatchedTables(Tables):
    """Tables whose rules are watched from before the first drop on."""

    witnesses: Sequence[FilterTrace | ConntrackEvents] = ()

    def apply(self, command: AnyCommand, resolve: Resolve = NO_HOSTS) -> int | None:
        """As in :class:`Tables`, once the witnesses know of it."""
        for witness in self.witnesses:
            witness.prepare(command)
        return super().apply(command, resolve)


def be_a_host(
    description: Description, control: socket.socket, memory: int, bell: int, sandbox: socket.socket
) -> None:
    """The life of a host, in a process that has just entered the host's namespaces.

    The sandbox is told when the namespaces are there, and answers with the host's interfaces when
    the cables are. That the host is ready goes to the test process.
    """
    processor = settings.processor(description.one_processor)
    settings.pin({**settings.QUIET, **settings.PINNED, **settings.in_order(processor)})
    if description.capture_loopback or description.name == WIRE:
        os.sched_setaffinity(0, {processor})  # what rps_default_mask does for cables only
    if description.name == ROUTER:
        settings.pin(settings.FORWARDING)
    agent = Agent(description, control, memory, bell)
    inode = str(gate.network_namespace()[1])
    socket.send_fds(sandbox, [inode.encode()], [agent.capture.fileno()])
    answer = sandbox.recv(1 << 16)
    if not answer:
        return
    sandbox.close()
    names, messages, hosts_file = pickle.loads(answer)
    _replace_file("/etc/hosts", hosts_file)
    _replace_file("/etc/resolv.conf", "")
    interface_names = interfaces.set_up(names, messages)
    if description.name == WIRE:
        agent.pass_on_frames(names)
    agent.introduce(interface_names)
    agent.run()


def _replace_file(path: str, text: str) -> None:
    """Let this host see another content in a file, where the machine has such a file."""
    if not Path(path).exists():
        return
    source = Path("/run") / Path(path).name
    source.write_text(text)
    namespaces.mount(str(source), path, None, namespaces.MS_BIND)
