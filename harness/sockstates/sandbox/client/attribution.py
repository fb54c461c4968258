"""Whose a sighting is: the kernel's tracepoints speak of every socket of the machine at once.

Pure. A sighting is claimed for a host only on one of these grounds, and for nobody otherwise:

- its local address is one of the host's. Every lab has addresses that no other lab on the machine
  has at that time (`topology`).
- the task that made the socket lives in the host's network namespace. This ties listeners on every
  address and sockets on loopback, whose addresses each host has; and what a task elsewhere made,
  whatever addresses it uses, is nobody's here.
- its socket was tied so before: from one end to its own, a socket keeps its address in the kernel.

What a socket did before it was tied, or before it had a port, waits until it is: the port of a
client that did not bind is chosen after SYN_SENT. What never gets tied is never told.

A record can be missing without being counted as lost. A socket's changes are a chain, so a missing
one shows, and is told as lost; of retransmissions, resets and drops nobody here can know.

A dropped packet has no addresses. It is told when it was for a known socket, or when the kernel
answered it with a reset in the same breath; other drops (by a filter rule, for one) are not told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from sockstates.record.events import Event
from sockstates.record.kernel_events import (
    PacketDropped,
    RecordsLost,
    ResetPassed,
    Retransmitted,
    StateChanged,
)
from sockstates.record.timeline import EndpointKey
from sockstates.sandbox.witnesses.perf_records import Lost, TaskPlaced
from sockstates.sandbox.witnesses.tracepoints import Sighting, What
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State

WITNESS = "tracepoints"
BEGINNINGS = {
    (State.CLOSED, State.SYN_SENT),
    (State.CLOSED, State.LISTEN),
    (State.LISTEN, State.SYN_RECV),
}
"""Changes with which a socket's life begins; the last one is that of a listener's child."""
UNSPECIFIED = ("0.0.0.0", "::")
NOWHERE = Address("", 0)
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A lab: by which addresses and network namespaces its hosts are known, and who records."""

    addresses: Mapping[str, str] = field(default_factory=dict)
    """IP address -> host; loopback is nobody's."""
    namespaces: Mapping[int, str] = field(default_factory=dict)
    """Inode of the network namespace -> host."""
    record: Callable[[Event], None] = lambda _: None


Owner = tuple[Place, str]
"""A lab and one of its hosts."""


@dataclass(slots=True)
class _Socket:
    """A socket in the kernel, from the beginning of its life that was seen to its end."""

    place: Place | None = None
    host: str = ""
    foreign: bool = False
    """Made by a task that lives in no host of ours."""
    local: Address | None = None
    remote: Address | None = None
    listens: bool = False
    state: State = State.CLOSED
    changed: int = 0
    """When its state changed last, and to which."""
    waiting: list[Sighting] = field(default_factory=list)

    def tell(self) -> None:
        """Have recorded what waits, if it is known whose it is and between which ends."""
        if self.foreign:
            self.waiting.clear()
        if self.place is None or self.local is None or not (self.remote or self.listens):
            return
        for each in self.waiting:
            self.place.record(
                StateChanged(
                    time=each.time,
                    host=self.host,
                    local=self.local,
                    remote=self.remote,
                    before=each.before,
                    after=each.after,
                    socket=each.socket,
                )
            )
        self.waiting.clear()


class Attribution:
    """Takes what was read, in the order of time, and has the right lab record it."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._by_address: dict[str, Owner] = {}
        self._by_namespace: dict[int, Owner] = {}
        self._tasks: dict[int, int] = {}
        self._sockets: dict[int, _Socket] = {}
        self._answered: dict[int, Sighting] = {}
        """By processor: the latest reset that it sent, with the packet that it answers."""
        self._whole = True
        """Whether every socket's beginning should have been seen: nothing was lost so far."""

    def join(self, place: Place) -> None:
        """From now on a lab's sightings are its own; every socket it has is born after this."""
        self._whole = self._whole or not self._places
        self._places.append(place)
        self._by_address |= {ip: (place, host) for ip, host in place.addresses.items()}
        self._by_namespace |= {each: (place, host) for each, host in place.namespaces.items()}

    def leave(self, place: Place) -> None:
        """A lab is over; nothing is recorded for it any more."""
        if place not in self._places:
            return
        self._places.remove(place)
        self._by_address = _without(place, self._by_address)
        self._by_namespace = _without(place, self._by_namespace)
        for socket in self._sockets.values():
            if socket.place is place:  # an orphan speaks on until its timers have run out
                socket.place, socket.foreign = None, True
        self._answered.clear()

    def take_placed(self, placed: TaskPlaced) -> None:
        """A task was born, or has moved."""
        if placed.task > 0:
            self._tasks[placed.task] = placed.namespace

    def take_lost(self, lost: Lost) -> None:
        """Records are missing: every lab hears it, and no socket is known by its history now."""
        self._whole = False
        self._sockets.clear()
        self._answered.clear()
        for place in self._places:
            place.record(RecordsLost(lost.time, "", WITNESS, lost.number))

    def compare(self, place: Place, ended: Callable[[EndpointKey], int]) -> None:
        """Say so where a lab's socket has ended, by another witness, and no record of it came.

        `ended` says when (ns) an endpoint was seen to be no socket any more; 0: it is one.
        """
        for key, socket in list(self._sockets.items()):
            if socket.place is not place or socket.local is None:
                continue
            moment = ended((socket.host, socket.local, socket.remote))
            if moment > socket.changed:
                _tell_of_a_gap(socket, moment)
                del self._sockets[key]

    def take(self, sighting: Sighting) -> None:
        """Have a sighting recorded by the lab whose it is, now or when that is known."""
        if sighting.what is What.STATE:
            self._take_state(sighting)
        elif sighting.what is What.DROP:
            self._take_drop(sighting)
        else:
            self._take_other(sighting)

    def _take_state(self, sighting: Sighting) -> None:
        if sighting.before is sighting.after:
            return  # close(2) of a socket that was shut down before says so
        begins = (sighting.before, sighting.after) in BEGINNINGS
        socket = self._sockets.get(sighting.socket)
        if socket is not None and (begins or socket.state is not sighting.before):
            _tell_of_a_gap(socket, sighting.time)
        born_unseen = socket is None and not begins
        if socket is None or begins:
            socket = self._sockets[sighting.socket] = _Socket()
        socket.state, socket.changed = sighting.after, sighting.time
        socket.listens = sighting.after is State.LISTEN or (
            (sighting.before, sighting.after) == (State.LISTEN, State.CLOSED)
        )
        self._learn(socket, sighting, begins=begins)
        if born_unseen and self._whole:
            _tell_of_a_gap(socket, sighting.time)
        socket.waiting.append(sighting)
        socket.tell()
        if sighting.after is State.CLOSED:
            del self._sockets[sighting.socket]

    def _learn(self, socket: _Socket, sighting: Sighting, *, begins: bool) -> None:
        """Whose the socket is and between which ends, as far as this sighting tells."""
        local, remote = sighting.local, sighting.remote
        if (
            local is not None
            and local.port
            and (socket.local is None or socket.local.ip in UNSPECIFIED)
        ):
            socket.local = local
        if not socket.listens and remote is not None and remote.port:
            socket.remote = remote
        if socket.place is not None or socket.foreign:
            return
        made_here = begins and sighting.in_task and sighting.before is State.CLOSED
        owner = self._owner_by_task(sighting)
        if made_here and owner is None:
            socket.foreign = sighting.task == 0 or sighting.task in self._tasks
        if owner is None and not socket.foreign:
            owner = self._owner_by_address(sighting)
        if owner is not None:
            socket.place, socket.host = owner

    def _owner_by_task(self, sighting: Sighting) -> Owner | None:
        if not sighting.in_task:
            return None
        return self._by_namespace.get(self._tasks.get(sighting.task, 0))

    def _owner_by_address(self, sighting: Sighting) -> Owner | None:
        return self._by_address.get(sighting.local.ip) if sighting.local is not None else None

    def _take_other(self, sighting: Sighting) -> None:
        """A retransmission or a reset: it has its addresses, and may give them to its socket."""
        socket = self._sockets.get(sighting.socket)
        if sighting.what is What.RESET_SENT:
            self._answered[sighting.processor] = sighting
        if socket is not None and socket.foreign:
            return
        if socket is not None and sighting.what is not What.SYN_ACK and not socket.listens:
            self._learn(socket, sighting, begins=False)
            socket.tell()
        owner = self._owner_by_address(sighting)
        if owner is None and socket is not None and socket.place is not None:
            owner = socket.place, socket.host
        if owner is not None:
            place, host = owner
            place.record(_told(sighting, host))

    def _take_drop(self, sighting: Sighting) -> None:
        socket = self._sockets.get(sighting.socket)
        if socket is not None and socket.place is not None:
            place, host = socket.place, socket.host
            local, remote = socket.local, socket.remote
        else:
            answered = self._answered.get(sighting.processor)
            if answered is None or not answered.packet or answered.packet != sighting.packet:
                return
            owner = self._owner_by_address(answered)
            if owner is None:
                return
            place, host = owner
            local, remote = answered.local, answered.remote
        self._answered.pop(sighting.processor, None)
        place.record(PacketDropped(sighting.time, host, sighting.reason, local, remote))


def _tell_of_a_gap(socket: _Socket, moment: int) -> None:
    """The kernel did not tell all: it drops what happens while a task is already being recorded.

    kernel/events/core.c, get_recursion_context: no record then counts as lost. A socket's changes
    are a chain, and a chain shows that a link is missing.
    """
    if socket.place is not None:
        socket.place.record(RecordsLost(moment, socket.host, WITNESS, 1))


def _without(place: Place, known: dict[Key, Owner]) -> dict[Key, Owner]:
    return {key: owner for key, owner in known.items() if owner[0] is not place}


def _told(sighting: Sighting, host: str) -> Event:
    local, remote = sighting.local or NOWHERE, sighting.remote or NOWHERE
    if sighting.what is What.RETRANSMIT:
        return Retransmitted(sighting.time, host, local, remote, sighting.after)
    if sighting.what is What.SYN_ACK:
        return Retransmitted(sighting.time, host, local, remote, State.SYN_RECV, syn_ack=True)
    sent = sighting.what is What.RESET_SENT
    return ResetPassed(sighting.time, host, local, remote, sent, sighting.reason)
