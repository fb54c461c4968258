"""The recorded evidence of one lab: events and frames of every host, on one clock.

Only added to, never changed. It knows nothing of a kernel: a timeline read from a file is judged
and drawn as a live one is.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from sockstates.record.events import CallEnded, Event, Figure, HostReady, SocketSeen, Step
from sockstates.record.frames import CapturedFrame
from sockstates.record.kernel_events import (
    FlowChanged,
    ResetPassed,
    SocketGlanced,
    StateChanged,
    WitnessJoined,
)
from sockstates.record.rewriting import Rewritings
from sockstates.tcp.altering import is_sound
from sockstates.tcp.dissect import Malformed, dissect
from sockstates.tcp.icmp import IcmpError, read_icmp_error
from sockstates.tcp.segment import Address, Segment

LOOPBACK = ":lo"
_Said = tuple[str, int, int | None, int, bytes]
"""What a segment says, without what a host on the way may rewrite: ends, options, ECN's flags."""
_WITHOUT_ECN = str.maketrans("", "", "EWe")
EndpointKey = tuple[str, Address, Address | None]
"""Host, local and remote address; no remote address for a listener."""


class SocketKey(tuple[str, Address, Address | None]):
    """An :data:`EndpointKey` that means one socket, where several have its addresses.

    Two listeners with SO_REUSEPORT have the same, and so have sockets one after the other. It is
    equal to the plain key; `Timeline.history` and `Timeline.glances` tell of this socket alone.
    """

    cookie: int
    """The kernel's number for it, SO_COOKIE of socket(7)."""

    @classmethod
    def of(cls, key: EndpointKey, cookie: int) -> SocketKey:
        """This socket of those at an endpoint."""
        made = cls(key)
        made.cookie = cookie
        return made


def _is_of(seen: SocketSeen | SocketGlanced, key: EndpointKey) -> bool:
    return not isinstance(key, SocketKey) or seen.cookie in (0, key.cookie)


def _said(segment: Segment) -> _Said:
    flags = segment.flags.translate(_WITHOUT_ECN)
    numbers = segment.sequence, segment.acknowledgement, segment.window
    return flags, *numbers, segment.payload


@dataclass(frozen=True, slots=True)
class HostNames:
    """Which address is whose. Several addresses may be one host's."""

    addresses: dict[str, tuple[str, ...]]

    def host(self, ip: str) -> str:
        """The name of the host with this address, or the address itself."""
        return next((name for name, own in self.addresses.items() if ip in own), ip)

    def endpoint(self, address: Address) -> str:
        """``client.43210``: host and port as tcpdump writes them."""
        return f"{self.host(address.ip)}.{address.port}"


@dataclass(slots=True)
class Timeline:
    """Everything recorded of one lab so far."""

    title: str = ""
    names: HostNames = field(default_factory=lambda: HostNames({}))
    origin: int = 0
    """When the scenario began (ns): what reports count time from. 0: at the first event."""
    between: frozenset[str] = frozenset()
    """Hosts that only pass frames on: router and switch. What they send is not the origin's."""
    events: list[Event] = field(default_factory=list)
    frames: dict[str, list[CapturedFrame]] = field(default_factory=lambda: defaultdict(list))
    chosen: dict[int, list[CapturedFrame]] = field(default_factory=lambda: defaultdict(list))
    """What the scenario's own captures kept, by number; `CaptureChosen` says which is which."""
    sampled: dict[str, int] = field(default_factory=dict)
    """By host: when its sockets were sampled last (ns). What was seen last was so until then."""
    glanced: dict[str, int] = field(default_factory=dict)
    """By host: when sock_diag alone was looked at last (ns): the same for what it showed."""
    _wire: list[Segment] = field(default_factory=list)
    _arrived: dict[str, list[Segment]] = field(default_factory=lambda: defaultdict(list))
    _unsound: dict[Segment, str] = field(default_factory=dict)
    _rewritings: Rewritings = field(default_factory=Rewritings)
    _named: int = 0
    """By how many of the rewritings the segments have their names."""
    _is_of_a_lab: bool = False
    _not_dissected: list[tuple[str, CapturedFrame]] = field(default_factory=list)
    _malformed: int = 0
    _errors: list[IcmpError] = field(default_factory=list)
    _came: dict[str, set[_Said]] = field(default_factory=lambda: defaultdict(set))
    _sent_between: dict[Segment, str] = field(default_factory=dict)
    _sockets: dict[EndpointKey, list[SocketSeen]] = field(default_factory=dict)
    _exact: dict[EndpointKey, list[StateChanged]] = field(default_factory=dict)
    _glanced: dict[EndpointKey, list[SocketGlanced]] = field(default_factory=dict)
    _resets: dict[EndpointKey, list[int]] = field(default_factory=dict)
    _calls: dict[int, CallEnded] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Record an event."""
        self.events.append(event)
        if isinstance(event, SocketSeen):
            key = event.host, event.local, event.remote
            self._sockets.setdefault(key, []).append(event)
        elif isinstance(event, StateChanged):
            key = event.host, event.local, event.remote
            insort(self._exact.setdefault(key, []), event, key=lambda each: each.time)
        elif isinstance(event, SocketGlanced):
            self._glanced.setdefault((event.host, event.local, event.remote), []).append(event)
        elif isinstance(event, ResetPassed) and not event.sent:
            self._resets.setdefault((event.host, event.local, event.remote), []).append(event.time)
        elif isinstance(event, CallEnded):
            self._calls[event.call] = event
        elif isinstance(event, FlowChanged):
            self._rewritings.add(event)
        elif isinstance(event, HostReady):
            self._is_of_a_lab = True

    def add_frames(self, host: str, frames: Iterable[CapturedFrame]) -> None:
        """Record captured frames of a host. They are dissected when somebody asks for segments."""
        for frame in frames:
            self.frames[host].append(frame)
            self._not_dissected.append((host, frame))

    @property
    def wire(self) -> list[Segment]:
        """Each TCP segment once, as its sender's interface carried it, in the order of time.

        Each end is called as its own host calls it, also where one rewrites addresses in between.
        """
        self._dissect()
        return self._wire

    @property
    def rewritings(self) -> Rewritings:
        """The connections whose addresses a host rewrites, as connection tracking told of them."""
        return self._rewritings

    @property
    def known_of_wire(self) -> tuple[int, int]:
        """Changes with each segment of the wire, and when some of them turn out to be rewritten."""
        return len(self.wire), self._named

    @property
    def arrived(self) -> dict[str, list[Segment]]:
        """By host: every TCP segment that passed one of its interfaces, either way.

        Both ends of its own connections are called as its sockets call them.
        """
        self._dissect()
        return self._arrived

    @property
    def sent_between(self) -> Mapping[Segment, str]:
        """The segments of the wire that a host on the way made itself, and the name of that host.

        A router's RST in the name of another host is one. What a router sends has come to it
        before, or is its own; a switch and a wire have no address, and send nothing of their own.
        """
        self._dissect()
        return self._sent_between

    def sender(self, segment: Segment) -> str:
        """The host that sent a segment of the wire, in whatever name."""
        return self.sent_between.get(segment) or self.names.host(segment.source.ip)

    @property
    def unsound(self) -> AbstractSet[Segment]:
        """The segments that came to a host of a lab with a wrong checksum: its TCP never saw them.

        Of a lab's cables only, whose interfaces compute every checksum: elsewhere, and over
        loopback, a capture shows wrong ones where nobody has computed them.
        """
        self._dissect()
        return self._unsound.keys()

    @property
    def icmp_errors(self) -> list[IcmpError]:
        """The ICMP errors about TCP segments that came to a host, in the order of time."""
        self._dissect()
        return sorted(self._errors, key=lambda error: error.time)

    @property
    def malformed(self) -> int:
        """How many frames could not be read as what they say they are."""
        self._dissect()
        return self._malformed

    @property
    def unread(self) -> int:
        """How many frames nobody has asked to be dissected yet."""
        return len(self._not_dissected)

    def _dissect(self) -> None:
        self._rename()
        if not self._not_dissected:
            return
        for host, frame in self._not_dissected:
            try:
                segment = dissect(frame.data, frame.time, frame.link_type)
            except Malformed:
                self._malformed += 1
                continue
            if segment is None:
                self._take_error(host, frame)
                continue
            here = self._rewritings.renamed_at(host, segment, self.names)
            self._arrived[host].append(here)
            if self._comes_by_cable(frame) and not is_sound(frame.data):
                self._unsound[here] = host
            if self._first_seen_here(host, frame):
                self._wire.append(self._rewritings.renamed(segment))
            elif self._made_between(host, frame, segment):
                own = self._rewritings.renamed(segment)
                self._wire.append(own)
                self._sent_between[own] = host
        self._not_dissected.clear()
        self._wire.sort(key=lambda segment: segment.time)

    def _take_error(self, host: str, frame: CapturedFrame) -> None:
        """Keep an ICMP error about a segment; in a lab as it came to the host that it is for."""
        error = read_icmp_error(frame.data, frame.time, frame.link_type)
        if error is None:
            return
        local = frame.interface.endswith(LOOPBACK)
        arrives = frame.direction == "in" and host not in self.between
        if local or arrives or not self._is_of_a_lab:
            self._errors.append(error)

    def _rename(self) -> None:
        """Give the segments their names by what has been told of since."""
        rewritings = self._rewritings
        if self._named == len(rewritings.all):
            return
        self._named = len(rewritings.all)
        self._wire[:] = map(rewritings.renamed, self._wire)
        for host, segments in self._arrived.items():
            segments[:] = [rewritings.renamed_at(host, each, self.names) for each in segments]
        renamed = rewritings.renamed
        self._sent_between = {renamed(each): host for each, host in self._sent_between.items()}
        self._unsound = {
            rewritings.renamed_at(host, each, self.names): host
            for each, host in self._unsound.items()
        }

    def _comes_by_cable(self, frame: CapturedFrame) -> bool:
        """Whether its checksum has been computed: over loopback none ever is (NETIF_F_HW_CSUM)."""
        return (
            self._is_of_a_lab and frame.direction == "in" and not frame.interface.endswith(LOOPBACK)
        )

    def _first_seen_here(self, host: str, frame: CapturedFrame) -> bool:
        if frame.interface.endswith(LOOPBACK):
            return True
        return frame.direction == "out" and host not in self.between

    def _made_between(self, host: str, frame: CapturedFrame, segment: Segment) -> bool:
        """Whether a router sent a segment that had not come to it: its one capture is in order."""
        if host not in self.between:
            return False
        if self._is_of_a_lab and not self.names.addresses.get(host):
            return False
        said = _said(segment)
        if frame.direction == "in":
            self._came[host].add(said)
        return frame.direction == "out" and said not in self._came[host]

    def beginning(self) -> int:
        """The moment (ns) that every time in a report is counted from."""
        if self.origin or not (self.events or self.wire):
            return self.origin
        return min(each.time for each in (*self.events[:1], *self.wire[:1]))

    def history(self, key: EndpointKey) -> list[SocketSeen]:
        """Every change that was seen of an endpoint, oldest first."""
        every = self._sockets.get(key, [])
        return (
            [seen for seen in every if _is_of(seen, key)] if isinstance(key, SocketKey) else every
        )

    def changes(self, key: EndpointKey) -> list[StateChanged]:
        """Every change of state of an endpoint that the kernel's tracepoint showed, by time."""
        return self._exact.get(key, [])

    def glances(self, key: EndpointKey) -> list[SocketGlanced]:
        """Every change of an endpoint that sock_diag alone showed, oldest first."""
        return [each for each in self._glanced.get(key, []) if _is_of(each, key)]

    def resets_taken_in(self, key: EndpointKey) -> list[int]:
        """When (ns) the kernel's tracepoint showed an endpoint taking in an RST."""
        return self._resets.get(key, [])

    def joined(self, witness: str, host: str = "") -> bool:
        """Whether a witness was there: one of the whole machine, or of this host."""
        return any(
            isinstance(event, WitnessJoined)
            and (event.witness, event.host) == (witness, host)
            and not event.missing
            for event in self.events
        )

    def latest(self, key: EndpointKey) -> SocketSeen | None:
        """The endpoint as it was seen last, or None if it never was."""
        history = self.history(key)
        return history[-1] if history else None

    def endpoints(self) -> Iterator[EndpointKey]:
        """Every endpoint that a sample ever saw; others may have seen more (`witnessed`)."""
        return iter(self._sockets)

    def witnessed(self) -> list[EndpointKey]:
        """Every endpoint that anybody saw: samples, sock_diag alone, or the kernel's tracepoint.

        Without the tracepoint's first word of a client, which has no port yet.
        """
        traced = (key for key in self._exact if key[1].port)
        return list(dict.fromkeys([*self._sockets, *self._glanced, *traced]))

    def sockets_at(self, key: EndpointKey) -> Iterator[EndpointKey]:
        """Each socket that was ever seen at an endpoint, for itself."""
        told: list[SocketSeen | SocketGlanced] = [
            *self._sockets.get(key, []),
            *self._glanced.get(key, []),
        ]
        cookies = dict.fromkeys(each.cookie for each in told if each.cookie)
        yield from (SocketKey.of(key, cookie) for cookie in cookies) if cookies else (key,)

    def glanced_endpoints(self) -> Iterator[EndpointKey]:
        """Every endpoint that sock_diag alone ever showed, sampled too or not."""
        return iter(self._glanced)

    def call(self, number: int) -> CallEnded | None:
        """How a call ended, or None while it has not."""
        return self._calls.get(number)

    def steps(self) -> list[Step]:
        """The scenario's steps so far."""
        return [event for event in self.events if isinstance(event, Step)]

    def figures(self) -> list[Figure]:
        """What the scenario kept as the proof of its claims."""
        return [event for event in self.events if isinstance(event, Figure)]
