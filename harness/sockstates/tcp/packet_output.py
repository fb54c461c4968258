"""Prints any frame in a line, as tcpdump 4.99 does with -nn: TCP, and what comes with it.

TCP is `tcpdump_output`'s. Here are UDP, ARP, and of ICMP echoes and unreachable ports; what is none
of these gets a line that names its protocol, which is not tcpdump's. Never reads a file.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Final

from sockstates.tcp.links import COOKED_2, ETHERNET, IPV4_TYPE, IPV6_TYPE, RAW_IP
from sockstates.tcp.tcpdump_output import Style, TcpdumpPrinter, stamp

_ARP_TYPE: Final = 0x0806
_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_COOKED_2: Final = struct.Struct("!HxxIHBB8s")
_KINDS: Final = ("In", "B", "M", "P", "Out")
"""The kinds of packet(7), PACKET_HOST and on, as tcpdump prints them."""
_ECHOES: Final = {
    _ICMP: {8: "echo request", 0: "echo reply"},
    _ICMPV6: {128: "echo request", 129: "echo reply"},
}
_UNREACHABLE_PORT: Final = {_ICMP: (3, 3), _ICMPV6: (1, 4)}
_PROTOCOLS: Final = {_TCP: "tcp", _UDP: "udp"}


class PacketPrinter:
    """Prints the frames of one capture, in its order."""

    def __init__(self, style: Style | None = None) -> None:
        self._style = style or Style()
        self._tcp = TcpdumpPrinter(replace(self._style, times=False))

    def text(self, time: int, frame: bytes, link_type: int, interfaces: Mapping[int, str]) -> str:
        """The frame's line (with -v over IPv4 two for TCP).

        time: nanoseconds since the epoch. link_type: ETHERNET, or COOKED_2, for which a line also
        says which of the `interfaces`, by number, and which way.
        """
        where = ""
        if link_type == COOKED_2:
            protocol, index, _, kind, *_ = _COOKED_2.unpack_from(frame)
            way = _KINDS[kind] if kind < len(_KINDS) else ""
            where = f"{interfaces.get(index, f'ifindex {index}'):<5} {way:<3} "
            packet = frame[_COOKED_2.size :]
        elif link_type == ETHERNET:
            protocol, packet = int.from_bytes(frame[12:14], "big"), frame[14:]
        else:
            raise ValueError(f"link type {link_type} is not printed here")
        head = f"{stamp(time, self._style)} " if self._style.times else ""
        return head + where + self._packet(time, protocol, packet)

    def _packet(self, time: int, protocol: int, packet: bytes) -> str:
        try:
            if protocol in (IPV4_TYPE, IPV6_TYPE):
                text = self._tcp.text(time, packet, RAW_IP)
                return text or (_ipv4(packet) if protocol == IPV4_TYPE else _ipv6(packet))
            if protocol == _ARP_TYPE:
                return _arp(packet)
        except (struct.error, IndexError, ValueError):
            return f"ethertype 0x{protocol:04x}, cut short or malformed, length {len(packet)}"
        return f"ethertype 0x{protocol:04x}, length {len(packet)}"


def _ipv4(packet: bytes) -> str:
    size = (packet[0] & 15) * 4
    total, _, fragment = struct.unpack_from("!HHH", packet, 2)
    source, destination = (str(ip_address(packet[at : at + 4])) for at in (12, 16))
    data = packet[size:total]
    if fragment & 0x1FFF:
        return f"IP {source} > {destination}: fragment, length {len(data)}"
    return f"IP {_carried(packet[9], source, destination, data)}"


def _ipv6(packet: bytes) -> str:
    (length,) = struct.unpack_from("!H", packet, 4)
    source, destination = (str(ip_address(packet[at : at + 16])) for at in (8, 24))
    return f"IP6 {_carried(packet[6], source, destination, packet[40 : 40 + length])}"


def _carried(protocol: int, source: str, destination: str, data: bytes) -> str:
    if protocol == _UDP:
        sending, receiving, length, _ = struct.unpack_from("!HHHH", data)
        return f"{source}.{sending} > {destination}.{receiving}: UDP, length {length - 8}"
    return f"{source} > {destination}: {_message(protocol, data)}, length {len(data)}"


def _message(protocol: int, data: bytes) -> str:
    if protocol not in _ECHOES:
        return f"protocol {protocol}"
    kind, code, _, number, sequence = struct.unpack_from("!BBHHH", data)
    after = "" if protocol == _ICMP else "6,"
    echo = _ECHOES[protocol].get(kind)
    if echo:
        return f"ICMP{after} {echo}, id {number}, seq {sequence}"
    if (kind, code) == _UNREACHABLE_PORT[protocol]:
        return f"ICMP{after} {_unreachable(data[8:])}"
    return f"ICMP{after} type {kind}, code {code}"


def _unreachable(packet: bytes) -> str:
    """Which port was not reached: from the packet that the message is about."""
    if packet[0] >> 4 == 4:
        protocol, target, start = packet[9], packet[16:20], (packet[0] & 15) * 4
        text = "{target} {protocol} port {port} unreachable"
    else:
        protocol, target, start = packet[6], packet[24:40], 40
        text = "destination unreachable, unreachable port, {target} {protocol} port {port}"
    (port,) = struct.unpack_from("!H", packet, start + 2)
    name = _PROTOCOLS.get(protocol, str(protocol))
    return text.format(target=ip_address(target), protocol=name, port=port)


def _arp(packet: bytes) -> str:
    _, _, sizes, action = struct.unpack_from("!HHHH", packet)
    if sizes != 0x0604 or action not in (1, 2):
        return f"ARP, operation {action}, length {len(packet)}"
    sender, source, _, target = struct.unpack_from("!6s4s6s4s", packet, 8)
    if action == 2:
        text = f"Reply {ip_address(source)} is-at {sender.hex(':')}"
    else:
        text = f"Request who-has {ip_address(target)} tell {ip_address(source)}"
    return f"ARP, {text}, length {len(packet)}"
