"""Two namespaces that are alike but for who put the rule there: iptables, or this project.

Kernel side, and only inside ``own_namespace``. Everything runs on one processor, so that packets
are handled in the order in which they were sent; that all have been handled is known when the
twin answers an ARP request sent after them, which no IP rule can stop.
"""

import os
import select
import socket
import struct
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from pyroute2 import IPRoute, NFTSocket

from sockstates.sandbox.rules.rule import TableName
from sockstates.sandbox.rules.table import Table
from tests.own_namespace import inside, new_namespace
from tests.rule_grammar import BEYOND, SOURCES, TARGET
from tests.rule_probes import SENDER_MAC, TWIN_MAC, Probe

HANGS = 100.0
"""Seconds after which what a busy machine may do slowly hangs."""
_ALL_FRAMES = 0x0003
_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_OUTGOING = 4
_NETFILTER = 12
_CHUNK = 20
_NEIGHBOUR_DISCOVERY = range(130, 138), range(143, 144)


@dataclass
class Seen:
    """What came of a series of probes: who got them, what went out, what sending said."""

    delivered: list[tuple[int, int, bytes]] = field(default_factory=list)
    on_the_wire: list[bytes] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)


def pin_to_one_processor() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


class Twin:
    """A namespace with one interface, eth0, whose other end is held here."""

    def __init__(self, outside: str) -> None:
        self.namespace = new_namespace()
        self._outside = outside
        with IPRoute() as route:
            peer = {"ifname": "eth0", "net_ns_fd": self.namespace, "address": TWIN_MAC}
            route.link("add", ifname=outside, kind="veth", peer=peer, address=SENDER_MAC)
            Path(f"/proc/sys/net/ipv6/conf/{outside}/disable_ipv6").write_text("1")
            route.link("set", index=route.link_lookup(ifname=outside)[0], state="up")
        self._wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_FRAMES))
        self._wire.bind((outside, _ALL_FRAMES))
        with inside(self.namespace):
            _configure()
            self._receivers = _raw_receivers()
            self._senders = {4: _raw_sender(4), 6: _raw_sender(6)}
            self._conntrack = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)

    def run(self, *words: str, feed: str | None = None) -> str:
        """Run a program in the twin; what it printed."""
        with inside(self.namespace):
            done = subprocess.run(
                words, input=feed, capture_output=True, text=True, check=False, timeout=HANGS
            )
        assert done.returncode == 0, (words, feed, done.stderr)
        return done.stdout

    def table(self, table: TableName = "filter") -> Table:
        def open_socket() -> NFTSocket:
            with inside(self.namespace):
                opened = NFTSocket()
                opened.bind()
            return opened

        return Table(open_socket, table=table)

    def forget_connections(self) -> None:
        """Empty connection tracking (IPCTNL_MSG_CT_DELETE without a tuple, for all families)."""
        self._conntrack.send(struct.pack("=IHHIIBBH", 20, 0x0102, 0x0005, 1, 0, 0, 0, 0))
        self._conntrack.recv(4096)

    def try_out(self, chain: str, series: tuple[Probe, ...]) -> Seen:
        """Send the probes to the twin, through it, or from it."""
        seen = Seen()
        for start in range(0, len(series), _CHUNK):
            for number, probe in enumerate(series[start : start + _CHUNK], start):
                if chain == "OUTPUT":
                    self._send_from_inside(probe, number, seen)
                else:
                    self._wire.send(probe.frame)
            self._until_handled(seen)
            self._collect(seen)
        return seen

    def _send_from_inside(self, probe: Probe, number: int, seen: Seen) -> None:
        try:
            self._senders[probe.family].sendto(probe.packet, (probe.destination, 0))
        except OSError as refused:
            seen.refusals.append((number, str(refused)))

    def _until_handled(self, seen: Seen) -> None:
        self._wire.send(_arp_request())
        until = time.monotonic() + HANGS
        while True:
            ready, _, _ = select.select([self._wire], [], [], until - time.monotonic())
            assert ready, f"{self._outside}: no answer to ARP, so nothing is known"
            frame, address = self._wire.recvfrom(65535)
            kind = int.from_bytes(frame[12:14], "big")
            if address[2] == _OUTGOING:
                continue
            if kind == _ARP and frame[21] == 2:
                return
            if not _is_noise(kind, frame):
                seen.on_the_wire.append(_alike(kind, frame))

    def _collect(self, seen: Seen) -> None:
        for (family, protocol), receiver in self._receivers.items():
            while select.select([receiver], [], [], 0)[0]:
                data = receiver.recv(65535)
                if not (protocol == 58 and _is_discovery(data[0])):
                    kept = _alike_ipv4(data) if family == 4 else data
                    seen.delivered.append((family, protocol, kept))


def _configure() -> None:
    with IPRoute() as route:
        for name in ("lo", "eth0"):
            Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad").write_text("0")
            Path(f"/proc/sys/net/ipv6/conf/{name}/router_solicitations").write_text("0")
            route.link("set", index=route.link_lookup(ifname=name)[0], state="up")
        eth0 = route.link_lookup(ifname="eth0")[0]
        route.addr("add", index=eth0, address=TARGET[4], prefixlen=8)
        route.addr("add", index=eth0, address=TARGET[6], prefixlen=32)
        for family in (4, 6):
            for neighbour in (*SOURCES[family], BEYOND[family]):
                route.neigh(
                    "add", dst=neighbour, lladdr=SENDER_MAC, ifindex=eth0, state="permanent"
                )
    for name, value in {
        "ipv4/ip_forward": "1",
        "ipv4/conf/all/send_redirects": "0",
        "ipv4/conf/eth0/send_redirects": "0",
        "ipv4/conf/all/rp_filter": "0",
        "ipv4/conf/eth0/rp_filter": "0",
        "ipv4/icmp_ratemask": "0",
        "ipv4/icmp_ratelimit": "0",
        "ipv6/conf/all/forwarding": "1",
        "ipv6/icmp/ratelimit": "0",
        "ipv6/icmp/ratemask": "",
    }.items():
        Path(f"/proc/sys/net/{name}").write_text(value + "\n")


def _raw_receivers() -> dict[tuple[int, int], socket.socket]:
    """Raw sockets get a copy of what passed INPUT, and of nothing else."""
    made = {}
    for family, domain, control in ((4, socket.AF_INET, 1), (6, socket.AF_INET6, 58)):
        for protocol in (6, 17, 47, control):
            made[family, protocol] = socket.socket(domain, socket.SOCK_RAW, protocol)
    return made


def _raw_sender(family: int) -> socket.socket:
    domain = socket.AF_INET if family == 4 else socket.AF_INET6
    return socket.socket(domain, socket.SOCK_RAW, socket.IPPROTO_RAW)


def _arp_request() -> bytes:
    sender = bytes.fromhex(SENDER_MAC.replace(":", ""))
    asked = socket.inet_aton(TARGET[4])
    head = b"\xff" * 6 + sender + struct.pack("!HHHBBH", _ARP, 1, _IPV4, 6, 4, 1)
    return head + sender + socket.inet_aton(SOURCES[4][0]) + bytes(6) + asked


def _is_discovery(kind: int) -> bool:
    return any(kind in span for span in _NEIGHBOUR_DISCOVERY)


def _is_noise(kind: int, frame: bytes) -> bool:
    """Tell neighbour discovery and multicast reports from what the probes brought about."""
    if kind == _ARP:
        return True
    return kind == _IPV6 and (frame[20] == 0 or (frame[20] == 58 and _is_discovery(frame[54])))


def _alike(kind: int, frame: bytes) -> bytes:
    """Take out what a kernel chooses afresh: identifications and flow labels."""
    if kind == _IPV4:
        return frame[:14] + _alike_ipv4(frame[14:])
    return frame[:14] + b"\x60\0\0\0" + frame[18:]


def _alike_ipv4(packet: bytes) -> bytes:
    return packet[:4] + b"\0\0" + packet[6:10] + b"\0\0" + packet[12:]
