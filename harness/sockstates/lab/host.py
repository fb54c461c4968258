"""A host of a lab as the scenario holds it: open sockets, start programs, set rules and sysctls."""

from __future__ import annotations

import os
import shlex
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from sockstates.evidence.listing import Listing
from sockstates.lab.addressed_host import LOOPBACK_ADDRESS
from sockstates.lab.call import Call
from sockstates.lab.connection import Connection
from sockstates.lab.counter import KernelCounter
from sockstates.lab.crafted_peer import CraftedPeer, craft
from sockstates.lab.endpoint import Endpoint
from sockstates.lab.filtered_capture import ANY, Direction, FilteredCapture
from sockstates.lab.flows import sees_flow, watch_conntrack
from sockstates.lab.host_sockets import ANY_ADDRESS, FAMILY_NUMBERS, SocketHost
from sockstates.lab.listener import Listener, PassiveEnd
from sockstates.lab.listings import agreed_listing, recorded_netstat
from sockstates.lab.program import Program
from sockstates.lab.routing import ask_neighbours, ip_address, route
from sockstates.lab.rule import Rule
from sockstates.lab.socket_options import Options, longest_wait, options_of, packed_options
from sockstates.lab.sysctl_names import full_sysctl, no_sysctl
from sockstates.record.events import RuleChanged
from sockstates.sandbox.client.errors import KernelLacks, LabError
from sockstates.sandbox.program_texts import not_started, shell_operator
from sockstates.sandbox.rules import parse
from sockstates.system import ABSENT
from sockstates.tcp.segment import Address
from sockstates.tcp.sizes import SMALLEST_MTU

DEFAULT_BACKLOG = 128


class Host(SocketHost):
    """One host of a lab."""

    route = route
    ip_address = ip_address
    ask_neighbours = ask_neighbours

    def listen(
        self,
        port: int = 0,
        *,
        backlog: int = DEFAULT_BACKLOG,
        address: str | None = None,
        reuse_address: bool = True,
        options: Options = (),
    ) -> Listener:
        """A listening socket: socket, bind, listen(2). Port 0: the kernel chooses one.

        Bound to every address of the lab's family unless `address` says which. `options` are
        (level, name, value) for setsockopt(2), set before bind, as `Endpoint.set_option` takes
        them. Errors: OSError, EADDRINUSE named.
        """
        wishes = [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)] if reuse_address else []
        packed = packed_options(options)
        where = (address or ANY_ADDRESS[self.lab.family], port)
        try:
            number, local, cookie = self.sockets.listen(
                address=where,
                family=FAMILY_NUMBERS[self.lab.family],
                backlog=backlog,
                options=(*wishes, *packed),
            )
        except OSError as error:
            raise LabError(
                f"{self.name} cannot listen on {where[0]} port {port}: {error}\n"
                + (
                    self.users_of(port)
                    or f"  its addresses are {', '.join(sorted(self.addresses))}"
                )
            ) from error
        listener = Listener(self, Address(*local), number)
        listener.cookie = cookie
        listener.options_set.update(options_of(packed))
        return listener

    def connect(
        self,
        to: Listener | Host,
        port: int | None = None,
        *,
        source_port: int = 0,
        bound: bool = True,
        options: Options = (),
        blocking: bool = True,
        at: tuple[Host, int] | None = None,
    ) -> Connection:
        """Begin to connect(2) to a listener, or to a port of a host; returns at once.

        The connection's `client.connecting` is the call: ``.returns()`` waits until it is
        established, ``.fails(errno.ETIMEDOUT)`` until it has failed. The socket is bound to its
        port before; with bound=False connect(2) finds one, or EADDRNOTAVAIL, as in most programs.
        `options` are (level, name, value), set before, as `Endpoint.set_option` takes them.
        With blocking=False the socket has O_NONBLOCK, and the call fails with EINPROGRESS;
        `Endpoint.poll` waits for what comes of it, and `Endpoint.error` tells that. `at` is a host
        and a port to ask for in the listener's place, where a rule (DNAT) leads on to it.
        """
        if not isinstance(to, Listener | Host):
            raise LabError(
                f"{self.name}: connect to a host, or to what listen() returned, not to {to!r}: "
                f"{self.name}.connect(server, port=80)"
            )
        if isinstance(to, Listener) and port is not None:
            raise LabError(
                f"{self.name}: a listener has its own port, this one {to.local.port}. Write "
                f"{self.name}.connect(listener), or with a host "
                f"{self.name}.connect({to.host.name}, port={port!r}). Where a rule leads from "
                f"another port to the listener: connect(listener, at=({to.host.name}, {port!r}))"
            )
        listener = to if isinstance(to, Listener) else Listener(to, Address("", port or 0))
        if port is None and listener.local.port == 0:
            raise LabError(
                f"{self.name}: connect to which port of {listener.host.name}? Give it as port=…, "
                "or connect to what listen() returned."
            )
        target = self.target_at(listener)
        asked = target if at is None else Address(at[0].address, at[1])
        family = FAMILY_NUMBERS[self.lab.family]
        packed = packed_options(options)
        call = Call(self, self.lab.next_call(), "connect")
        call.may_wait = longest_wait("connect", options_of(packed))
        number, local, cookie = self.sockets.connect(
            call=call.number,
            address=asked,
            family=family,
            source=(self.source_towards(listener), source_port) if bound else None,
            options=packed,
            blocking=blocking,
        )
        client = Endpoint(self, Address(*local), asked, number)
        client.cookie = cookie
        client.connecting = call
        client.options_set.update(options_of(packed))
        server = PassiveEnd(listener, target, Address(*local))
        return Connection(client, server)

    def target_at(self, listener: Listener) -> Address:
        """Where this host connects to reach the listener: loopback, where both are one host."""
        ip = listener.local.ip
        if ip in ("", "0.0.0.0", "::"):
            same = listener.host is self
            ip = LOOPBACK_ADDRESS[self.lab.family] if same else listener.host.address
        return Address(ip, listener.local.port)

    def source_towards(self, listener: Listener) -> str:
        """Our own address on the way to the listener."""
        if self.target_at(listener).ip in LOOPBACK_ADDRESS.values():
            return LOOPBACK_ADDRESS[self.lab.family]
        return self.address

    def crafts(self, *, port: int, to: Listener | Host, to_port: int | None = None) -> CraftedPeer:
        """An end at this port whose segments the scenario writes, for what no honest stack sends.

        It speaks to a listener, to `to_port` of a host, or to whoever of that host sends to it. A
        rule keeps this host's kernel from answering in its place.
        """
        return craft(self, port, to, to_port)

    def counter(self, name: str) -> KernelCounter:
        """A counter of this host's kernel, as nstat(8) names it (``TcpInCsumErrors``), from now on.

        Errors: LabError where this kernel has none of that name.
        """
        return KernelCounter(self, name)

    def start(
        self,
        command: str | Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
    ) -> Program:
        """Run a program on this host: a command line (no shell), or its words.

        Its output goes into the evidence. Host names resolve to the lab's hosts. Wait for what it
        does with :meth:`Program.listens`, :meth:`Program.connects` or :meth:`Program.ends`. In a
        scenario it must be declared, with ``@pytest.mark.programs``, but for Python
        (``sys.executable``), files of the scenario's own, and what every Debian has (``sh``).
        Errors: LabError where it is not, or where it cannot be started.
        """
        if isinstance(command, str) and (asked := shell_operator(command)):
            raise LabError(
                f"{self.name}: no shell runs {command!r}, so the program would get {asked!r} as an "
                f'argument. Start a shell if you need one: start(["sh", "-c", {command!r}])'
            )
        words = tuple(shlex.split(command)) if isinstance(command, str) else tuple(command)
        if not words:
            raise LabError(f"{self.name}: start what? The command is empty.")
        variables = {"PYTHONUNBUFFERED": "1", **(environment or {})}
        if self.lab.declared is not None:
            self.lab.declared.check(self.name, words, variables.get("PATH"))
            variables = self.lab.declared.environment(variables)
        try:
            number, pid = self.agent.programs.start(words, variables, directory)
        except OSError as error:
            raise LabError(not_started(self.name, words, directory, error)) from error
        return Program(self, number, pid, words)

    def run(
        self,
        command: str | Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
        seconds: float | None = None,
    ) -> Program:
        """Run a program to its end, whatever its exit status, and give it back.

        As `start` and then `Program.ends`: the deadline is that one's, or `seconds` from now.
        """
        program = self.start(command, environment=environment, directory=directory)
        program.ends(seconds=seconds)
        return program

    def capture(
        self, expression: str = "", *, direction: Direction = "inout", interface: str = ANY
    ) -> FilteredCapture:
        """Capture here what tcpdump would show with this filter: ``icmp and dst host server``.

        It runs until its `stop`, or the end of a ``with``. Expressions are pcap-filter(7)'s,
        compiled by libpcap; host names are the lab's; an empty one lets everything through.
        `direction` is tcpdump's -Q, `interface` its -i: loopback's is ``lo``. Errors: LabError has
        libpcap's own words for an expression that does not compile.
        """
        return FilteredCapture(self, expression, direction=direction, interface=interface)

    def watch_conntrack(self) -> None:
        """Have this host's connection tracking tell every connection from now on; rootless too.

        It is on from now on where it was not, which changes no rule and drops nothing. Errors:
        LabError where the kernel has no conntrack, with what to do.
        """
        watch_conntrack(self)

    def sees_flow(
        self, connection: Connection, states: Sequence[str], *, seconds: float | None = None
    ) -> None:
        """Expect conntrack here to have seen a connection pass exactly these states, in order.

        Since it was new; what comes after the last of them is not judged. An empty list: that
        nothing was told of it. States are conntrack's (``FIN_WAIT``), and ``DESTROYED``; conntrack
        has one for both ends. The deadline is that of a next segment, or `seconds` from now.
        """
        sees_flow(self, connection, states, seconds)

    def netstat(self, *, at: float | None = None) -> str:
        """The table that ``netstat -antpW`` prints on this host, made from what was recorded.

        Now, or `at` so many seconds after the scenario began (what reports count from). Errors:
        LabError for a moment at which nobody looked at its sockets.
        """
        return recorded_netstat(self, at)

    def agrees_with_netstat(self) -> Listing:
        """Expect ``netstat -antp``, run on this host, to show exactly what was observed.

        State, queues and owner of every TCP socket; the rows come back.
        """
        return agreed_listing(self, "netstat")

    def agrees_with_ss(self) -> Listing:
        """Expect ``ss -antp``, run on this host, to show exactly what was observed."""
        return agreed_listing(self, "ss")

    def iptables(self, line: str) -> Rule:
        """Apply a rule in iptables' own syntax: ``-A INPUT -s server -j DROP``.

        Both families, wherever the line makes sense; host names are the lab's. With ``-t nat``
        DNAT and REDIRECT, for what comes (PREROUTING) and what this host sends (OUTPUT). What is
        given back has a counter and can be deleted only when the line made a rule, as -A and -I do,
        but not -F or -P. Errors: RuleSyntaxError says what is supported; KernelLacks where the
        kernel has no nf_tables.
        """
        command = parse(line)
        try:
            number = self.agent.rules.apply(command, self.lab.addresses())
        except OSError as error:
            if error.errno in ABSENT:
                raise KernelLacks(f"{self.name}: {line!r}: {error.strerror}") from error
            raise
        self.record_rule(line, "applied", 0, 0)
        rule = Rule(self, number, line)
        if number is not None:
            self.lab.rules.append(rule)
        return rule

    def record_rule(self, line: str, change: str, packets: int, octets: int) -> None:
        """Put a change of the filter rules into the evidence."""
        self.lab.timeline.add(RuleChanged(time.time_ns(), self.name, line, change, packets, octets))

    def mtu(self, octets: int) -> None:
        """Set the MTU of this host's end of each cable: 1500 is what it was.

        Larger packets are thrown away where they come in, so a larger MTU is set on both ends.
        Errors: LabError for less than the lab's address family can live with.
        """
        if not isinstance(octets, int):
            raise LabError(f"{self.name}: an MTU is a whole number of bytes, not {octets!r}")
        if octets < SMALLEST_MTU[self.lab.family]:
            raise LabError(
                f"{self.name}: an MTU of {octets} is too small for {self.lab.family}, which needs "
                f"{SMALLEST_MTU[self.lab.family]} bytes on every link. Set that, or run the "
                'scenario with pytest.mark.families("ipv4"), which needs 68.'
            )
        try:
            self.agent.set_mtu(octets)
        except OSError as error:
            raise LabError(f"{self.name}: an MTU of {octets} is refused: {error}") from error

    def sysctl(self, name: str, value: int | str | None = None) -> str:
        """A network sysctl of this host (``net.ipv4.tcp_syn_retries``), set if a value is given."""
        full = full_sysctl(name)
        try:
            if value is not None:
                self.agent.set_sysctl(full, str(value))
            text = self.agent.read_sysctl(full)
        except OSError as error:
            raise LabError(f"{self.name}: {self._sysctl_problem(name, value, error)}") from error
        self.lab.settings[self.name][full] = text
        return text

    def _sysctl_problem(self, name: str, value: object, error: OSError) -> str:
        if isinstance(error, FileNotFoundError):
            return no_sysctl(name, self.agent.sysctl_names())
        now = ""
        with suppress(OSError):
            now = f" Its value is {self.agent.read_sysctl(full_sysctl(name))!r}."
        change = "cannot be read" if value is None else f"cannot be set to {value!r}"
        return f"sysctl {name} {change}: {os.strerror(error.errno or 0)}.{now}"
