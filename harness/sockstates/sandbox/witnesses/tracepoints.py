"""The kernel's tracepoints that tell of TCP: which ones, filtered how, and what a record says.

Pure: records in, sightings out. What a record looks like is read from the running kernel's own
`format` files (see `event_format`); of the kernel's sources only the names of events and fields
are known here. A sighting says nothing yet of a lab or a host: that is `attribution`'s part.

| event | file of the kernel's sources |
|---|---|
| sock:inet_sock_set_state | include/trace/events/sock.h |
| tcp:tcp_retransmit_skb, tcp:tcp_retransmit_synack, tcp:tcp_send_reset, tcp:tcp_receive_reset | \
include/trace/events/tcp.h |
| skb:kfree_skb | include/trace/events/skb.h, reasons in include/net/dropreason-core.h |
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from sockstates.sandbox.witnesses.event_format import EventFormat
from sockstates.sandbox.witnesses.perf_events import Wanted
from sockstates.sandbox.witnesses.perf_records import Sample
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State


class What(Enum):
    """What was sighted, and the tracepoint that shows it."""

    STATE = "sock:inet_sock_set_state"
    RETRANSMIT = "tcp:tcp_retransmit_skb"
    SYN_ACK = "tcp:tcp_retransmit_synack"
    RESET_SENT = "tcp:tcp_send_reset"
    RESET_RECEIVED = "tcp:tcp_receive_reset"
    DROP = "skb:kfree_skb"


NEEDED = {
    What.STATE: ("skaddr", "oldstate", "newstate", "sport", "dport", "saddr_v6", "daddr_v6"),
    What.RETRANSMIT: ("skaddr", "state", "sport", "dport", "saddr_v6", "daddr_v6"),
    What.SYN_ACK: ("skaddr", "sport", "dport", "saddr_v6", "daddr_v6"),
    What.RESET_SENT: ("skbaddr", "skaddr", "saddr", "daddr"),
    What.RESET_RECEIVED: ("skaddr", "sport", "dport", "saddr_v6", "daddr_v6"),
    What.DROP: ("skbaddr", "reason", "protocol"),
}
"""Fields without which an event says nothing to us. Linux 6.1 to 6.18 have them."""
NO_LOSS = {
    *("NOT_DROPPED_YET", "CONSUMED", "NOT_SPECIFIED", "SOCKET_CLOSE", "QUEUE_PURGE"),
    *("TCP_OFOMERGE", "UNIX_DISCONNECT", "UNIX_SKIP_OOB", "PACKET_SOCK_ERROR"),
}
"""Reasons that are no loss on a path of TCP: a packet was merged, or its queue or socket ended."""
IPV4, IPV6 = 0x0800, 0x86DD
"""linux/if_ether.h."""
STATES = {
    **dict(enumerate((State.ESTABLISHED, State.SYN_SENT, State.SYN_RECV, State.FIN_WAIT1), 1)),
    **dict(enumerate((State.FIN_WAIT2, State.TIME_WAIT, State.CLOSED, State.CLOSE_WAIT), 5)),
    **dict(enumerate((State.LAST_ACK, State.LISTEN, State.CLOSING, State.SYN_RECV), 9)),
}
"""include/net/tcp_states.h; user space has the same numbers in sock_diag(7)."""
INTERRUPTED = 0x08 | 0x10 | 0x80
"""Flags of a record: passed in a hard or soft interrupt, or with soft ones held off; then the task
is whichever was interrupted. linux/trace_events.h: TRACE_FLAG_HARDIRQ, _SOFTIRQ, _BH_OFF."""
SOCKET_ADDRESS = 28
"""Octets of a struct sockaddr_in6: what tcp_send_reset has since Linux 6.10."""
MAPPED = bytes(10) + b"\xff\xff"


class Sighting(NamedTuple):
    """One record, read. `local` is the end whose kernel speaks; port 0 where it has none yet."""

    time: int
    what: What
    task: int
    """The task that caused it; 0 when it cannot be told or seen."""
    processor: int
    in_task: bool
    """Whether the kernel did it for the task that was running, not in an interrupt."""
    socket: int = 0
    """The socket's address in the kernel; for a drop, of the socket that the packet was for."""
    packet: int = 0
    local: Address | None = None
    remote: Address | None = None
    before: State = State.CLOSED
    after: State = State.CLOSED
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Tracepoints:
    """The tracepoints of one running kernel."""

    formats: Mapping[What, EventFormat]
    missing: Mapping[What, str] = field(default_factory=dict)
    """What this kernel lacks, and how."""

    def wanted(self) -> list[Wanted]:
        """What to have recorded, filtered in the kernel."""
        return [Wanted(form.number, _filter(what, form)) for what, form in self.formats.items()]

    def reader(self) -> SightingReader:
        """What reads this kernel's records."""
        return SightingReader(self.formats)


def choose(formats: Mapping[What, EventFormat | None]) -> Tracepoints:
    """The tracepoints that can be read, and why the others cannot."""
    good: dict[What, EventFormat] = {}
    missing: dict[What, str] = {}
    for what, form in formats.items():
        lacking = form.lacking(NEEDED[what]) if form is not None else ()
        if form is None:
            missing[what] = f"this kernel has no tracepoint {what.value}"
        elif lacking:
            missing[what] = f"this kernel's {what.value} has no field {', '.join(lacking)}"
        elif what is What.DROP and "reason" not in form.symbols:
            missing[what] = f"this kernel's {what.value} does not name its reasons"
        else:
            good[what] = form
    return Tracepoints(good, missing)


def _filter(what: What, form: EventFormat) -> str:
    if what is What.STATE and "protocol" in form.fields:
        return f"protocol == {socket.IPPROTO_TCP}"
    if what is not What.DROP:
        return ""
    harmless = sorted(number for number, name in form.symbols["reason"].items() if name in NO_LOSS)
    reasons = "".join(f" && reason != {number}" for number in harmless)
    return f"(protocol == {IPV4} || protocol == {IPV6}){reasons}"


class SightingReader:
    """Reads records of the chosen tracepoints."""

    def __init__(self, formats: Mapping[What, EventFormat]) -> None:
        self._by_number = {form.number: (what, form) for what, form in formats.items()}
        first = next(iter(formats.values()))
        self._kind = first.fields["common_type"]
        self._flags = first.fields["common_flags"]

    def read(self, sample: Sample) -> Sighting | None:
        """What a record says; None for one of an event that was not asked for."""
        raw = sample.raw
        kind = int.from_bytes(raw[self._kind.offset :][: self._kind.size], sys.byteorder)
        what, form = self._by_number.get(kind, (None, None))
        if what is None or form is None:
            return None
        if what is What.RETRANSMIT and form.number_in(raw, "err"):
            return None  # it was tried, and nothing was sent; older kernels do not say even that
        in_task = not raw[self._flags.offset] & INTERRUPTED
        local, remote = _ends(what, form, raw)
        before, after = _states(what, form, raw)
        return Sighting(
            time=sample.time,
            what=what,
            task=max(0, sample.task),
            processor=sample.processor,
            in_task=in_task,
            socket=form.number_in(raw, "rx_sk" if what is What.DROP else "skaddr"),
            packet=form.number_in(raw, "skbaddr"),
            local=local,
            remote=remote,
            before=before,
            after=after,
            reason=form.name_in(raw, "reason"),
        )


def _states(what: What, form: EventFormat, raw: bytes) -> tuple[State, State]:
    if what is What.STATE:
        names = ("oldstate", "newstate")
    elif what is What.RETRANSMIT:
        names = ("state", "state")
    else:
        return State.CLOSED, State.CLOSED
    before, after = (STATES.get(form.number_in(raw, name), State.CLOSED) for name in names)
    return before, after


def _ends(what: What, form: EventFormat, raw: bytes) -> tuple[Address | None, Address | None]:
    if what is What.DROP:
        return None, None
    if what is What.RESET_SENT and form.fields["saddr"].size == SOCKET_ADDRESS:
        return (
            _socket_address(form.octets_in(raw, "saddr")),
            _socket_address(form.octets_in(raw, "daddr")),
        )
    return (
        Address(_ip(form.octets_in(raw, "saddr_v6")), form.number_in(raw, "sport")),
        Address(_ip(form.octets_in(raw, "daddr_v6")), form.number_in(raw, "dport")),
    )


def _ip(octets: bytes) -> str:
    """IPv4 comes mapped into IPv6; ::ffff:0:0/96 of RFC 4291, section 2.5.5.2."""
    if octets.startswith(MAPPED):
        return socket.inet_ntop(socket.AF_INET, octets[12:])
    return socket.inet_ntop(socket.AF_INET6, octets)


def _socket_address(octets: bytes) -> Address:
    """From a struct sockaddr_in or sockaddr_in6: family, port in network order, address."""
    family = int.from_bytes(octets[:2], sys.byteorder)
    port = int.from_bytes(octets[2:4], "big")
    if family == socket.AF_INET6:
        return Address(_ip(octets[8:24]), port)
    return Address(socket.inet_ntop(socket.AF_INET, octets[4:8]), port)
