"""The one gate to the network: nothing here works in the namespace that the process started in.

Every change of network state in this project goes through a function of this module: netlink
sockets, sysctls under ``/proc/sys/net``, interface ioctls. Each of them first calls
:func:`prove_outside_host`, and no other module opens such a thing (``tests/test_gate.py`` reads
the whole package to hold that). A process that imported this module can therefore never change
the network that it was started in, whatever else it does wrong.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from pathlib import Path
from typing import Any

from sockstates.system import kernel_part

NamespaceId = tuple[int, int]

NETLINK_HEADER = struct.Struct("=IHHII")
NLM_F_ACK, NLMSG_ERROR, NLMSG_DONE = 4, 2, 3
RTMGRP_LINK = 1
NETLINK_NETFILTER, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 12, 270, 1


def network_namespace() -> NamespaceId:
    """The network namespace that this thread is in: device and inode of its file in /proc.

    Of the thread, because setns(2) moves one thread only; /proc/self would tell the main thread's.
    """
    status = os.stat("/proc/thread-self/ns/net")
    return status.st_dev, status.st_ino


STARTED_IN: NamespaceId = network_namespace()
"""Read when this module is imported, which is before any code of ours can have moved."""


class HostNetworkError(RuntimeError):
    """A change of network state was asked for in the machine's own network namespace."""


def prove_outside_host() -> None:
    """Raise :class:`HostNetworkError` unless this process has left the namespace it started in."""
    if network_namespace() == STARTED_IN:
        raise HostNetworkError(
            "refused: this would change the network namespace that the process was started in "
            f"(inode {STARTED_IN[1]}). Network state is changed inside a lab's hosts only; "
            "use the methods of a Host."
        )


def message_encoder() -> Any:
    """pyroute2's ``IPBatch``: the methods of ``IPRoute``, but messages are kept, not sent."""
    prove_outside_host()
    from pyroute2 import IPBatch

    return IPBatch()


def send_messages(messages: bytes) -> None:
    """Send rtnetlink(7) messages to the present namespace; OSError for the first one refused."""
    prove_outside_host()
    numbered = bytearray(messages)
    offset = count = 0
    while offset < len(numbered):
        length, kind, flags, _, _ = NETLINK_HEADER.unpack_from(numbered, offset)
        NETLINK_HEADER.pack_into(numbered, offset, length, kind, flags | NLM_F_ACK, count, 0)
        offset += (length + 3) & ~3
        count += 1
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(numbered)
        for _ in range(count):
            _check_answer(netlink.recv(1 << 16))


def _check_answer(answer: bytes) -> None:
    """One message is answered by one datagram: an error, which is 0 when all is well."""
    _, kind, _, number, _ = NETLINK_HEADER.unpack_from(answer)
    (error,) = struct.unpack_from("=i", answer, NETLINK_HEADER.size)
    if kind != NLMSG_ERROR or error:
        (refused,) = struct.unpack_from("=xxxxH", answer, NETLINK_HEADER.size + 4)
        reason = os.strerror(-error)
        raise OSError(-error, f"rtnetlink message {number} (type {refused}): {reason}")


def dump(request: bytes) -> bytes:
    """The answers of the present namespace to an rtnetlink(7) dump; OSError when it is refused."""
    prove_outside_host()
    answers = bytearray()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(request)
        offset = 0
        while True:
            answers += netlink.recv(1 << 16)
            while offset < len(answers):
                length, kind, _, _, _ = NETLINK_HEADER.unpack_from(answers, offset)
                if kind == NLMSG_DONE:
                    return bytes(answers[:offset])
                if kind == NLMSG_ERROR:
                    _check_answer(bytes(answers[offset:]))
                offset += (length + 3) & ~3


def link_events() -> socket.socket:
    """A socket that tells changes of the present namespace's interfaces; rtnetlink(7)."""
    prove_outside_host()
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    events.bind((0, RTMGRP_LINK))
    return events


def filter_socket() -> Any:
    """pyroute2's ``NFTSocket`` in the present namespace, bound: nf_tables.

    Errors: OSError says that the kernel has none, and what to do.
    """
    prove_outside_host()
    from pyroute2.netlink.nfnetlink.nftsocket import NFTSocket

    with kernel_part("nf_tables", "CONFIG_NF_TABLES", "nf_tables"):
        nft = NFTSocket()
    nft.bind()
    return nft


def netfilter_events(*groups: int) -> socket.socket:
    """A socket, not blocking, that hears these multicast groups of nfnetlink (NFNLGRP_…).

    In the present namespace: connection tracking's events, the packet filter's trace. With as much
    room as net.core.rmem_max allows.
    """
    prove_outside_host()
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    events = socket.socket(socket.AF_NETLINK, kind, NETLINK_NETFILTER)
    events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    events.bind((0, 0))
    for group in groups:
        events.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    return events


def frame_sender(interface: str) -> socket.socket:
    """A packet(7) socket that sends frames from an interface of the present namespace, as given.

    It receives nothing.
    """
    prove_outside_host()
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.bind((interface, 0))
    return sender


def unbound_packet_socket() -> socket.socket:
    """A packet(7) socket of the present namespace that hears nothing before it is bound."""
    prove_outside_host()
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)


def interface_socket() -> socket.socket:
    """A datagram socket in the present namespace for interface ioctls (netdevice(7))."""
    prove_outside_host()
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


SYSCTLS = "/proc/sys/net"


def sysctl_path(name: str) -> str:
    """The file of a network sysctl: ``net.ipv4.tcp_syn_retries``; ``net.`` may be left out."""
    parts = name.removeprefix("net.").split(".")
    if not all(re.fullmatch(r"[A-Za-z0-9_-]+", part) for part in parts):
        raise ValueError(
            f"{name!r} is not the name of a sysctl; an example is net.ipv4.tcp_syn_retries"
        )
    return f"{SYSCTLS}/{'/'.join(parts)}"


def sysctl_names() -> list[str]:
    """The network sysctls that the present namespace has, whole: ``net.ipv4.tcp_syn_retries``."""
    top = Path(SYSCTLS)
    files = (path for path in sorted(top.rglob("*")) if path.is_file())
    return [".".join((top.name, *path.relative_to(top).parts)) for path in files]


def write_sysctl(name: str, value: str | int) -> None:
    """Set a network sysctl of the present namespace; the kernel's ``OSError`` with its name."""
    prove_outside_host()
    try:
        descriptor = os.open(sysctl_path(name), os.O_WRONLY)
        try:
            os.write(descriptor, str(value).encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = f"{name} = {value}: {error.strerror}"
        raise type(error)(error.errno, reason) from error


def read_sysctl(name: str) -> str:
    """A network sysctl of the present namespace, as one line."""
    descriptor = os.open(sysctl_path(name), os.O_RDONLY)
    try:
        return " ".join(os.read(descriptor, 1 << 12).decode().split())
    finally:
        os.close(descriptor)
