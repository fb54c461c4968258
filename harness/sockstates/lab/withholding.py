"""Withholding a scenario's cause: one verb does nothing for a while, and what it gives is inert.

A scenario names the call that is the cause of what it shows, as data: ``client.iptables``. While
that cause is withheld, the named host's rule is not applied, its close not made, its setting not
set; everything else is done as ever. The verbs know nothing of this, and nothing here judges what
comes of it. Not for labs in several threads: the verb is replaced for the whole process.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NamedTuple

from sockstates.lab.addressed_host import AddressedHost
from sockstates.lab.call import Call
from sockstates.lab.connection import Connection
from sockstates.lab.crafted_peer import CraftedPeer, crafted_end
from sockstates.lab.endpoint import Endpoint
from sockstates.lab.fault import Fault
from sockstates.lab.host import Host
from sockstates.lab.host_sockets import ANY_ADDRESS, FAMILY_NUMBERS
from sockstates.lab.lab import Lab
from sockstates.lab.link import Link, wished
from sockstates.lab.listener import Listener, PassiveEnd
from sockstates.lab.program import Program
from sockstates.lab.rule import Rule
from sockstates.lab.socket_options import Options, packed_options
from sockstates.lab.wire import Wire
from sockstates.lab.withheld import InertFault, InertLink, InertRule, WithheldCall, WithheldProgram
from sockstates.sandbox.agent.netem import Emulation
from sockstates.sandbox.rules import parse
from sockstates.tcp.nearest import did_you_mean
from sockstates.tcp.segment import Address

THE_LAB = "lab"
NO_PROGRAM, NO_PROCESS, NO_FAULT = 0, 0, 0
"""Numbers that no program of a lab, no process, and no fault of a wire has."""
FAULTS = ("hold", "delay", "duplicate", "corrupt", "drop", "rewrite")
_CAUSE = re.compile(r"([a-z][a-z0-9-]*)\.([a-z_.]+)")


class _Verb(NamedTuple):
    """What a scenario calls, and what happens instead while it is withheld."""

    owner: type
    name: str
    instead: Callable[..., Any]
    """Gets the verb's own arguments."""
    counts: Callable[..., bool] = lambda *_, **__: True
    """Whether a call with these arguments is one that could be a cause."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The call of a scenario that is its cause."""

    host: str
    verb: str
    occurrence: int | None = None
    """Which of several such calls, from 1; None: all of them."""

    @classmethod
    def read(cls, text: str, occurrence: int | None = None) -> Cause:
        """``client.iptables``: the host, and the verb as the scenario calls it there.

        Errors: ValueError says what there is.
        """
        found = _CAUSE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not a host and a verb, joined by a dot")
        host, verb = found.groups()
        if verb not in VERBS:
            raise ValueError(
                f"{verb!r} is no call. {did_you_mean(verb, VERBS)}It is one of {', '.join(VERBS)}"
            )
        if occurrence is not None and occurrence < 1:
            raise ValueError(f"occurrence counts from 1, so it cannot be {occurrence}")
        return cls(host, verb, occurrence)

    def __str__(self) -> str:
        which = f", number {self.occurrence}" if self.occurrence is not None else ""
        return f"{self.host}.{self.verb}{which}"


@dataclass
class Withholding:
    """Withholds one cause; knows how often the scenario came to it."""

    cause: Cause
    times: int = 0
    """How many calls were withheld."""
    _came: int = field(default=0, init=False)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Inside, the cause is withheld; afterwards the verb is what it was."""
        verb = VERBS[self.cause.verb]
        real = getattr(verb.owner, verb.name)
        setattr(verb.owner, verb.name, self._in_the_place_of(real, verb))
        try:
            yield
        finally:
            setattr(verb.owner, verb.name, real)

    def _in_the_place_of(self, real: Callable[..., Any], verb: _Verb) -> Callable[..., Any]:
        @wraps(real)
        def asked(subject: Any, *arguments: Any, **named: Any) -> Any:
            name, lab = _whose(subject)
            if name == self.cause.host and verb.counts(*arguments, **named):
                self._came += 1
                if self.cause.occurrence in (None, self._came):
                    self.times += 1
                    lab.step(f"Withheld: {self.cause}.")
                    return verb.instead(subject, *arguments, **named)
            return real(subject, *arguments, **named)

        return asked


def _whose(subject: Any) -> tuple[str, Lab]:
    """The host that does it, or the lab itself, which markers call ``lab``."""
    if isinstance(subject, Lab | Link):
        return THE_LAB, subject if isinstance(subject, Lab) else subject.lab
    host = subject if isinstance(subject, AddressedHost) else subject.host
    return host.name, host.lab


def _without_options(real: Callable[..., Any]) -> Callable[..., Any]:
    """The verb itself, with no socket option set before: for one that cannot be set later."""

    def instead(host: Host, *arguments: Any, options: Options = (), **named: Any) -> Any:
        packed_options(options)  # what is wrong with them is said all the same
        return real(host, *arguments, **named)

    return instead


def _sets_options(*_: Any, options: Options = (), **__: Any) -> bool:
    return bool(options)


def _bind(host: Host, address: tuple[str, int], options: Options) -> tuple[int, Address]:
    family = FAMILY_NUMBERS[host.lab.family]
    number, local = host.socket(
        "bind", address=address, family=family, options=packed_options(options)
    )
    return number, Address(*local)


def _listen(
    host: Host, port: int = 0, *, address: str | None = None, options: Options = (), **_: Any
) -> Listener:
    """Have the socket bound to its port, but not listening."""
    number, local = _bind(host, (address or ANY_ADDRESS[host.lab.family], port), options)
    return Listener(host, local, number)


def _connect(
    host: Host,
    to: Listener | Host,
    port: int | None = None,
    *,
    source_port: int = 0,
    bound: bool = True,
    options: Options = (),
    **_: Any,
) -> Connection:
    """Have the socket bound to the address that it would connect from, and no SYN sent."""
    del bound  # what is not bound now would have no address to be known by
    listener = to if isinstance(to, Listener) else Listener(to, Address("", port or 0))
    target = host.target_at(listener)
    number, local = _bind(host, (host.source_towards(listener), source_port), options)
    client = Endpoint(host, local, target, number)
    client.connecting = _call_of(host, "connect")
    return Connection(client, PassiveEnd(listener, target, local))


def _start(host: Host, command: str | Sequence[str], **_: Any) -> Program:
    words = shlex.split(command) if isinstance(command, str) else command
    return WithheldProgram(host, NO_PROGRAM, NO_PROCESS, tuple(words))


class SilentPeer(CraftedPeer):
    """A crafted end that was not made: nothing is sent in its name."""

    def sends(self, segment: str | Any, **_: Any) -> None:
        """Send nothing."""
        del segment


def _craft_nothing(
    host: Host, *, port: int, to: Listener | Host, to_port: int | None = None
) -> CraftedPeer:
    return crafted_end(host, port, to, to_port, SilentPeer)


def _sets(_: str, value: int | str | None = None) -> bool:
    return value is not None


def _read_sysctl(host: Host, name: str, *_: Any, **__: Any) -> str:
    return host.sysctl(name)


def _apply_nothing(host: Host, line: str) -> Rule:
    parse(line)
    return InertRule(host, None, line)


def _link_nothing(lab: Lab, *between: AddressedHost | str, **wish: Any) -> Link:
    return InertLink(lab, *wished(lab, between, Emulation(**wish)))


def _fault(verb: str) -> _Verb:
    def instead(wire: Wire, which: str, **_: Any) -> Fault:
        return InertFault(wire, NO_FAULT, f"{verb} {which}")

    return _Verb(Wire, verb, instead)


def _call_of(host: Host, name: str) -> Call:
    return WithheldCall(host, host.lab.next_call(), name)


def _socket_call(name: str) -> _Verb:
    def instead(endpoint: Endpoint, *_: Any, **__: Any) -> Call:
        return _call_of(endpoint.host, name)

    return _Verb(Endpoint, name, instead)


def _nothing(*_: Any, **__: Any) -> None:
    """Have nothing happen."""


VERBS: Mapping[str, _Verb] = {
    "iptables": _Verb(Host, "iptables", _apply_nothing),
    "sysctl": _Verb(Host, "sysctl", _read_sysctl, _sets),
    "mtu": _Verb(Host, "mtu", _nothing),
    "route": _Verb(Host, "route", _nothing),
    "ip_address": _Verb(Host, "ip_address", _nothing),
    "ask_neighbours": _Verb(Host, "ask_neighbours", _nothing),
    "link": _Verb(Lab, "link", _link_nothing),
    "link.delete": _Verb(Link, "delete", _nothing),
    "listen": _Verb(Host, "listen", _listen),
    "bind": _Verb(Host, "bind", lambda host, *_, **__: _call_of(host, "bind")),
    "connect": _Verb(Host, "connect", _connect),
    **{
        f"{name}.options": _Verb(Host, name, _without_options(real), _sets_options)
        for name, real in (("connect", Host.connect), ("listen", Host.listen), ("bind", Host.bind))
    },
    "start": _Verb(Host, "start", _start),
    "crafts": _Verb(Host, "crafts", _craft_nothing),
    "sends": _Verb(CraftedPeer, "sends", _nothing),
    **{
        name: _socket_call(name)
        for name in ("send", "receive", "shutdown", "close", "abort", "set_option")
    },
    **{verb: _fault(verb) for verb in FAULTS},
    **{f"fault.{name}": _Verb(Fault, name, _nothing) for name in ("release", "delete")},
    **{f"rule.{name}": _Verb(Rule, name, _nothing) for name in ("delete", "suspend", "resume")},
    **{
        name: _Verb(Program, name, _nothing)
        for name in ("type", "close_input", "interrupt", "kill", "send_signal")
    },
}
"""What can be a cause, as the marker spells it. Verbs that are made of others count as these too:
an abort closes, an interrupt sends a signal."""
