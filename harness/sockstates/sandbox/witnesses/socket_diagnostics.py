"""The kernel's own list of TCP sockets with queues and timers: sock_diag(7), read only.

Written on the bare netlink socket because it is read a thousand times a second: one read takes
some tens of microseconds. It changes nothing and so needs no gate.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Final, NamedTuple

from sockstates.system import absent, kernel_part
from sockstates.tcp.segment import Address

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST_DUMP = 0x301
NLMSG_ERROR, NLMSG_DONE = 2, 3
TCP_LISTEN = 10
ALL_STATES = 0xFFF & ~(1 << 7) | 1 << 12
"""Every state but CLOSE; number 12 is a request socket (SYN_RECV before there is a full one)."""

TIMERS = {0: "", 1: "retransmit", 2: "keepalive", 3: "time-wait", 4: "probe"}

_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI48x")
_MESSAGE = struct.Struct("!4BHH16s16s12x")
_NUMBERS = struct.Struct("=IIIII")
_COOKIE = struct.Struct("=II")
_COOKIE_AT = 44
"""Where it lies in the message: behind family, state, timer and the socket's addresses."""


class Diagnosis(NamedTuple):
    """What sock_diag says of one socket: bytes, milliseconds, counts."""

    state: int
    inode: int
    """0 when no process has it open."""
    send_queue: int
    receive_queue: int
    timer: str
    timer_expires_ms: int
    retransmits: int

    @property
    def lasting(self) -> tuple[object, ...]:
        """Everything but the timer's remaining time, which is another one at every look."""
        return self[:5] + self[6:]


Key = tuple[Address, Address | None, int]
"""Local and remote address, and the socket's cookie: two sockets can have the same addresses, as
listeners with SO_REUSEPORT have, or one after the other. The cookie stays the same from the request
socket to TIME_WAIT; no other socket of the machine ever has it."""


_PART: Final = "sock_diag for TCP", "CONFIG_INET_DIAG", "inet_diag", "tcp_diag"


class SocketDiagnostics:
    """An open sock_diag socket in the namespace in which it was made."""

    def __init__(self) -> None:
        with kernel_part(*_PART):
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
        self._netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def read(self, family: int) -> dict[Key, Diagnosis]:
        """Every TCP socket of this address family, by its addresses and its cookie."""
        body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, ALL_STATES)
        header = _HEADER.pack(
            _HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP, 1, 0
        )
        self._netlink.send(header + body)
        found: dict[Key, Diagnosis] = {}
        while True:
            data = self._netlink.recv(1 << 18)
            offset = 0
            while offset < len(data):
                length, kind, *_ = _HEADER.unpack_from(data, offset)
                if kind == NLMSG_DONE:
                    return found
                if kind == NLMSG_ERROR:
                    (number,) = struct.unpack_from("=i", data, offset + _HEADER.size)
                    refused = f"sock_diag: {os.strerror(-number)}"
                    raise OSError(-number, absent(*_PART) if -number == errno.ENOENT else refused)
                key, diagnosis = _decode(data, offset + _HEADER.size)
                found[key] = diagnosis
                offset += (length + 3) & ~3

    def close(self) -> None:
        """Close the netlink socket."""
        self._netlink.close()


def _decode(data: bytes, offset: int) -> tuple[Key, Diagnosis]:
    family, state, timer, retransmits, sport, dport, source, destination = _MESSAGE.unpack_from(
        data, offset
    )
    numbers = _NUMBERS.unpack_from(data, offset + _MESSAGE.size)
    expires, receive_queue, send_queue, _, inode = numbers
    local = Address(address_text(family, source), sport)
    remote = None if state == TCP_LISTEN else Address(address_text(family, destination), dport)
    timer_name = TIMERS.get(timer, str(timer))
    low, high = _COOKIE.unpack_from(data, offset + _COOKIE_AT)
    return (local, remote, high << 32 | low), Diagnosis(
        state, inode, send_queue, receive_queue, timer_name, expires, retransmits
    )


def address_text(family: int, packed: bytes) -> str:
    """An address as text; an IPv4 address mapped into IPv6 is given as the IPv4 one that it is."""
    if family == socket.AF_INET:
        return socket.inet_ntop(family, packed[:4])
    if packed[:12] == b"\0" * 10 + b"\xff\xff":
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(family, packed)
