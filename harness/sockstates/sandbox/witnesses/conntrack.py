"""Connection tracking's events in a host: each change of state of each TCP connection it sees.

Lives in a host's agent, and listens when it is told to, or before the first rule that rewrites
addresses: what it tells of the answers is how a rewritten segment is known again. The kernel tracks
connections in a namespace when a rule there needs it, so a rule that does nothing is put in
(``rules.watching``); it then tells every change on netlink (nfnetlink_conntrack,
include/uapi/linux/netfilter/nfnetlink_conntrack.h). Decides about no packet, and judges nothing.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import time
from collections.abc import Callable
from typing import Final

from sockstates.record.events import Event
from sockstates.record.kernel_events import FlowChanged, RecordsLost, WitnessJoined
from sockstates.sandbox.network import gate
from sockstates.sandbox.rules import AnyCommand, RuleNotAppliedError, watching
from sockstates.sandbox.rules.rule import Append, Insert
from sockstates.sandbox.rules.table import Table
from sockstates.sandbox.witnesses.netfilter_events import NetfilterEvents
from sockstates.sandbox.witnesses.netlink_attributes import Message, attributes, number
from sockstates.tcp.segment import Address

WITNESS: Final = "conntrack"
GROUPS: Final = (1, 2, 3)
"""NFNLGRP_CONNTRACK_NEW, _UPDATE, _DESTROY."""
ADVICE: Final = (
    "the kernel must have connection tracking: `modprobe -a nf_conntrack nf_conntrack_netlink "
    "nft_ct` on the machine, as root"
)
REWRITE: Final = ("DNAT", "REDIRECT")
"""Targets that give a connection other addresses."""
STATES: Final = (
    *("NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK"),
    *("TIME_WAIT", "CLOSE", "SYN_SENT2"),
)
"""enum tcp_conntrack, by number; the last is that of a simultaneous open."""

_CONNTRACK, _DELETED = 1 << 8, 1 << 8 | 2
"""Types of messages: NFNL_SUBSYS_CTNETLINK with IPCTNL_MSG_CT_NEW and IPCTNL_MSG_CT_DELETE."""
_CREATED: Final = 0x400
"""NLM_F_CREATE, which tells a new connection from a changed one."""
_ORIGINAL, _REPLY, _PROTOCOL_DETAILS, _EVENT_TIME = 1, 2, 4, 27
_ADDRESSES, _PROTOCOL = 1, 2
_PROTOCOL_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_TCP_DETAILS, _TCP_STATE = 1, 1
_ADDRESS_KINDS: Final = ((socket.AF_INET, 1, 2), (socket.AF_INET6, 3, 4))
"""Family, and the attributes of source and destination."""


class ConntrackEvents:
    """The events of one host; there is nothing before `begin`."""

    def __init__(
        self,
        host: str,
        table: Table,
        selector: selectors.BaseSelector,
        record: Callable[[Event], None],
    ) -> None:
        self._host = host
        self._table = table
        self._selector = selector
        self._record = record
        self._events: NetfilterEvents | None = None

    def prepare(self, command: AnyCommand) -> None:
        """Listen before this command of iptables is carried out, when it rewrites addresses.

        Errors: RuleNotAppliedError where nobody would tell what it rewrites.
        """
        if not isinstance(command, Append | Insert) or command.rule.target not in REWRITE:
            return
        missing = self.begin()
        if missing:
            raise RuleNotAppliedError(
                errno.EOPNOTSUPP,
                f"{command.line!r} is not put in force: what it rewrites would look lost, because "
                f"connection tracking cannot be heard: {missing}",
            )

    def begin(self) -> str:
        """Listen from now on; why that is not possible, with what to do, or an empty string."""
        if self._events is not None:
            return ""
        missing = ""
        try:
            self._table.put_beside(watching.track_connections(), "tracking connections")
            gate.write_sysctl("net.netfilter.nf_conntrack_events", 1)
            with contextlib.suppress(OSError):  # then an event has the time of its arrival
                gate.write_sysctl("net.netfilter.nf_conntrack_timestamp", 1)
            self._events = NetfilterEvents(*GROUPS)
            self._selector.register(self._events, selectors.EVENT_READ, self)
        except OSError as error:
            missing = f"{error}; {ADVICE}"
        self._record(WitnessJoined(time.time_ns(), WITNESS, self._host, missing))
        return missing

    def ready(self) -> None:
        """Read all events that are there."""
        if self._events is None:
            return
        for message in self._events.read():
            change = flow_changed(message, self._host, time.time_ns())
            if change is not None:
                self._record(change)

    def settle(self) -> None:
        """Read what there is; say what was lost."""
        self.ready()
        lost = 0 if self._events is None else self._events.count_losses()
        if lost:
            self._record(RecordsLost(time.time_ns(), self._host, WITNESS, lost))


def flow_changed(message: Message, host: str, now: int) -> FlowChanged | None:
    """An event of connection tracking; None when it is not about TCP.

    now: when it arrived (ns), for kernels that do not say when it happened.
    """
    if message.kind not in (_CONNTRACK, _DELETED):
        return None
    change = "destroyed"
    if message.kind == _CONNTRACK:
        change = "new" if message.flags & _CREATED else "updated"
    ends = _ends(message.attributes.get(_ORIGINAL, b""))
    if ends is None:
        return None
    replier, replies_to = _ends(message.attributes.get(_REPLY, b"")) or (None, None)
    details = attributes(message.attributes.get(_PROTOCOL_DETAILS, b""))
    state = attributes(details.get(_TCP_DETAILS, b"")).get(_TCP_STATE)
    happened = number(message.attributes.get(_EVENT_TIME, b""))
    return FlowChanged(
        happened or now,
        host,
        *ends,
        change,
        "" if state is None else _name(number(state)),
        arrived=not happened,
        replier=replier,
        replies_to=replies_to,
    )


def _name(state: int) -> str:
    return STATES[state] if state < len(STATES) else str(state)


def _ends(direction: bytes) -> tuple[Address, Address] | None:
    """Source and destination of one direction; None for other protocols than TCP."""
    parts = attributes(direction)
    addresses, protocol = (attributes(parts.get(each, b"")) for each in (_ADDRESSES, _PROTOCOL))
    if number(protocol.get(_PROTOCOL_NUMBER, b"")) != socket.IPPROTO_TCP:
        return None
    ports = [number(protocol[each]) for each in (_SOURCE_PORT, _DESTINATION_PORT)]
    for family, *kinds in _ADDRESS_KINDS:
        if kinds[0] in addresses:
            source, destination = (socket.inet_ntop(family, addresses[each]) for each in kinds)
            return Address(source, ports[0]), Address(destination, ports[1])
    return None
