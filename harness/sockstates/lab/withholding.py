"""Withholding a scenario's cause: one verb does nothing for a while, and what it gives is inert.

A scenario names the call that is the cause of what it shows, as data: ``client.iptables``. While
that cause is withheld, the named host's rule is not applied, its close not made, its setting not
set; everything else is done as ever. Where the call also makes what the scenario is about (a
program, a connection), only the part of it that is the cause is withheld: an argument, or some of
the words of a command, a rule or a segment. The verbs know nothing of this. Whether what comes of
it proves anything is the plugin's to judge; which subjects are missing is told here
(`Withholding.missing`). Not for labs in several threads: the verb is replaced for the whole
process.
"""

from __future__ import annotations

import inspect
import re
import shlex
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NamedTuple

from sockstates.evidence.verdicts import ExpectationFailed
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
from sockstates.lab.segments_seen import SegmentsSeen
from sockstates.lab.socket_options import Options, packed_options
from sockstates.lab.tls_seen import TlsSeen
from sockstates.lab.wire import Wire
from sockstates.lab.withheld import InertLink, InertRule, WithheldCall, WithheldProgram
from sockstates.sandbox.client.errors import LabError
from sockstates.sandbox.protocol import Emulation
from sockstates.sandbox.rules import parse
from sockstates.tcp.nearest import did_you_mean
from sockstates.tcp.segment import Address

THE_LAB = "lab"
NO_PROGRAM, NO_PROCESS = 0, 0
"""Numbers that no program of a lab, and no process, has."""
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
    text: str = ""
    """The argument that is words: a command, a rule, a segment."""
    makes: bool = False
    """Whether a scenario that does not come to it may have nothing at all."""
    alters: bool = False
    """Whether the call is made all the same, but for a part of it."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the verb can be called with, by name."""
        return tuple(inspect.signature(getattr(self.owner, self.name)).parameters)[1:]


class _Unsaid:
    """The value of an argument that is left out."""

    def __repr__(self) -> str:
        return "nothing"


UNSAID = _Unsaid()


@dataclass(frozen=True, slots=True)
class Cause:
    """The call of a scenario that is its cause, or the part of that call."""

    host: str
    verb: str
    occurrence: int | None = None
    """Which of several such calls, from 1; None: all of them."""
    without: str | None = None
    """The part of the call that is withheld: an argument's name, or some of its words."""
    instead: object = UNSAID
    """What the call says in the place of that part."""

    @classmethod
    def read(
        cls,
        text: str,
        occurrence: int | None = None,
        without: str | None = None,
        instead: object = UNSAID,
    ) -> Cause:
        """``client.iptables``: the host, and the verb as the scenario calls it there.

        Errors: ValueError says what there is.
        """
        found = _CAUSE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not a host and a verb, joined by a dot")
        host, verb = found.groups()
        if verb not in VERBS:
            raise ValueError(
                f"{verb!r} is not a call. {did_you_mean(verb, VERBS)}"
                f"The calls are {', '.join(VERBS)}"
            )
        if occurrence is not None and occurrence < 1:
            raise ValueError(f"occurrence counts from 1, so it cannot be {occurrence}")
        made = cls(host, verb, occurrence, without, instead)
        made._check_part()
        return made

    def _check_part(self) -> None:
        if self.without is None:
            if self.instead is not UNSAID:
                raise ValueError("instead says what stands in the place of what `without` names")
            return
        verb = VERBS[self.verb]
        if self.without in verb.arguments:
            return
        if not verb.text:
            names = ", ".join(verb.arguments) or "(none)"
            raise ValueError(f"{self.verb} has no argument {self.without!r}, only {names}")
        if not isinstance(self.instead, str | _Unsaid):
            raise ValueError(
                f"instead is {self.instead!r}, not words to stand for {self.without!r}"
            )

    def __str__(self) -> str:
        which = f", number {self.occurrence}" if self.occurrence is not None else ""
        part = f" without {self.without!r}" if self.without is not None else ""
        if self.instead is not UNSAID:
            part = f" with {self.instead!r} instead of {self.without!r}"
        return f"{self.host}.{self.verb}{which}{part}"

    def altered(self, given: inspect.BoundArguments) -> inspect.BoundArguments | None:
        """The arguments without that part; None: this call does not have it."""
        verb = VERBS[self.verb]
        changed = dict(given.arguments)
        if self.without in verb.arguments:
            if self.without not in changed or changed[self.without] == self.instead:
                return None
            del changed[self.without]
            if self.instead is not UNSAID:
                changed[self.without] = self.instead
        else:
            words = _without_words(changed.get(verb.text), str(self.without), self.instead)
            if words is None:
                return None
            changed[verb.text] = words
        return inspect.BoundArguments(
            given.signature,
            OrderedDict((name, changed[name]) for name in _in_order(given, changed)),
        )


def _in_order(given: inspect.BoundArguments, changed: Mapping[str, object]) -> Iterator[str]:
    return (name for name in given.signature.parameters if name in changed)


def _without_words(text: object, without: str, instead: object) -> object:
    """A command, a rule or a segment without these words; None where it does not have them.

    A command may be a sequence of words, of which one can be a whole program: then the part is
    looked for in each of them.
    """
    said = "" if instead is UNSAID else str(instead)
    if isinstance(text, str):
        return text.replace(without, said) if without in text else None
    if not isinstance(text, Sequence):
        return None
    words, sought = [str(each) for each in text], shlex.split(without)
    for place in range(len(words) - len(sought) + 1):
        if words[place : place + len(sought)] == sought:
            return [*words[:place], *shlex.split(said), *words[place + len(sought) :]]
    if not any(without in word for word in words):
        return None
    return [word.replace(without, said) for word in words]


@dataclass
class Withholding:
    """Withholds one cause; knows how often the scenario came to it."""

    cause: Cause
    times: int = 0
    """How many calls were withheld."""
    _came: int = field(default=0, init=False)
    _asked: list[object] = field(default_factory=list, init=False)
    """What the scenario had asked when it failed."""
    _missing: list[object] = field(default_factory=list, init=False)
    """What was not made: programs, connections, calls, and the parts of these."""

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
        signature = inspect.signature(real)

        @wraps(real)
        def asked(subject: Any, *arguments: Any, **named: Any) -> Any:
            name, lab = _whose(subject)
            if name != self.cause.host or not verb.counts(*arguments, **named):
                return real(subject, *arguments, **named)
            altered = None
            if self.cause.without is not None:
                altered = self.cause.altered(signature.bind(subject, *arguments, **named))
                if altered is None:
                    return real(subject, *arguments, **named)
            self._came += 1
            if self.cause.occurrence not in (None, self._came):
                return real(subject, *arguments, **named)
            self.times += 1
            lab.step(f"Withheld: {self.cause}.")
            if altered is not None:
                return self._altered(real, altered)
            given = verb.instead(subject, *arguments, **named)
            self._missing += [] if verb.alters else _parts(given)
            return given

        return asked

    def _altered(self, real: Callable[..., Any], altered: inspect.BoundArguments) -> Any:
        """Call it without that part.

        Errors: ExpectationFailed where the kernel refuses it so, which the scenario did not expect.
        """
        try:
            return real(*altered.args, **altered.kwargs)
        except LabError as error:
            if isinstance(error.__cause__, OSError):
                raise ExpectationFailed(f"{self.cause} is refused: {error}") from error
            raise

    def notice(self, error: BaseException) -> None:
        """Remember what a scenario had asked when it failed, before its traceback is shortened."""
        self._asked = list(_asked(error))

    def missing(self, error: BaseException, lab: Lab) -> str:
        """What an expectation was about that is not there at all without the cause; empty: nothing.

        An expectation that fails so shows nothing: none could have held. Either it was asked of
        what the withheld call would have made, or of a connection or of segments where there was
        never one of either.
        """
        asked = self._asked
        for each in asked:
            if any(each is other for other in self._missing):
                return f"{each}"
        about = [each for each in asked if isinstance(each, Endpoint | SegmentsSeen | TlsSeen)]
        makes_all = VERBS[self.cause.verb].makes and self.cause.without is None
        makes_all = makes_all and not isinstance(error, ExpectationFailed)
        if not (about or makes_all) or any(isinstance(each, Listener) for each in about):
            return ""
        timeline = lab.timeline
        if timeline.wire or any(remote is not None for _, _, remote in timeline.endpoints()):
            return ""
        return "any segment or any connection"


def _asked(error: BaseException) -> Iterator[object]:
    """What the scenario has asked, outermost first: each `self` on the way to where it failed."""
    traceback = error.__traceback__
    while traceback is not None:
        if "self" in traceback.tb_frame.f_locals:
            yield traceback.tb_frame.f_locals["self"]
        traceback = traceback.tb_next


def _parts(given: object) -> list[object]:
    """What was not made, with all that a scenario reaches through it."""
    if isinstance(given, Connection):
        return [given, given.client, given.server, given.client.connecting]
    if isinstance(given, SilentPeer):
        return [given, *([given.peer] if given.has_peer else [])]
    made = isinstance(given, Call | Listener | Program)
    return [given] if made else []


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
    number, local = host.sockets.bind(
        address=address, family=family, options=packed_options(options)
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
    """It meets the segments that it was made for, so that the scenario goes on, but harms none."""

    def instead(
        wire: Wire, which: str, *, number: int | None = None, every: int | None = None, **_: Any
    ) -> Fault:
        return wire.notices(which, number=number, every=every, instead_of=verb)

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
    "iptables": _Verb(Host, "iptables", _apply_nothing, text="line"),
    "sysctl": _Verb(Host, "sysctl", _read_sysctl, _sets),
    "mtu": _Verb(Host, "mtu", _nothing),
    "route": _Verb(Host, "route", _nothing),
    "ip_address": _Verb(Host, "ip_address", _nothing),
    "ask_neighbours": _Verb(Host, "ask_neighbours", _nothing),
    "link": _Verb(Lab, "link", _link_nothing),
    "link.delete": _Verb(Link, "delete", _nothing),
    "listen": _Verb(Host, "listen", _listen, makes=True),
    "bind": _Verb(Host, "bind", lambda host, *_, **__: _call_of(host, "bind")),
    "connect": _Verb(Host, "connect", _connect, makes=True),
    **{
        f"{name}.options": _Verb(Host, name, _without_options(real), _sets_options, alters=True)
        for name, real in (("connect", Host.connect), ("listen", Host.listen), ("bind", Host.bind))
    },
    "start": _Verb(Host, "start", _start, text="command", makes=True),
    "crafts": _Verb(Host, "crafts", _craft_nothing, makes=True),
    "sends": _Verb(CraftedPeer, "sends", _nothing, text="segment", makes=True),
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
