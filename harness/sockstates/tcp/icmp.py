"""ICMP errors about TCP segments: who says that which segment did not get through, and why.

RFC 792, RFC 1812 (section 5.2.7) and RFC 1191 for IPv4, RFC 4443 for IPv6. Pure; standard library
only.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from sockstates.tcp.headers import LINK_LAYERS
from sockstates.tcp.links import ETHERNET, IPV4_TYPE, IPV6_TYPE
from sockstates.tcp.segment import Address

_TCP, _ICMP, _ICMPV6 = 6, 1, 58
_IPV6_HEADER = 40
_QUOTED_FROM = 8
"""Bytes of an ICMP error before the packet that it is about."""
_REASONS: Final = {
    (_ICMP, 3): {
        0: "net unreachable",
        1: "host unreachable",
        2: "protocol unreachable",
        3: "port unreachable",
        4: "fragmentation needed",
        9: "net prohibited",
        10: "host prohibited",
        13: "administratively prohibited",
    },
    (_ICMP, 11): {0: "time exceeded in transit", 1: "time exceeded in reassembly"},
    (_ICMP, 12): {0: "parameter problem"},
    (_ICMPV6, 1): {
        0: "no route",
        1: "administratively prohibited",
        3: "address unreachable",
        4: "port unreachable",
        5: "source address failed policy",
        6: "route rejected",
    },
    (_ICMPV6, 2): {0: "packet too big"},
    (_ICMPV6, 3): {0: "hop limit exceeded", 1: "time exceeded in reassembly"},
    (_ICMPV6, 4): {0: "parameter problem"},
}
_TELLS_MTU: Final = {(_ICMP, 3, 4): ("!6xH", 8), (_ICMPV6, 2, 0): ("!4xI", 8)}


@dataclass(frozen=True, slots=True)
class IcmpError:
    """An ICMP error about a segment.

    time: when it was captured (ns). source, destination: IP addresses of who sent the error and to
    whom. sender, receiver: the two ends of the segment that it is about, as the error quotes them.
    reason: ``port unreachable``, ``fragmentation needed, mtu 1400``.
    """

    time: int
    source: str
    destination: str
    sender: Address
    receiver: Address
    reason: str


def read_icmp_error(frame: bytes, time: int, link_type: int = ETHERNET) -> IcmpError | None:
    """The error in `frame`; None when it carries none, none about TCP, or is cut short.

    link_type: pcap's number for the frame's outermost layer.
    """
    find = LINK_LAYERS.get(link_type)
    try:
        kind, start = find(frame) if find else (0, 0)
        outer = _packet(frame[start:], kind)
        if outer is None:
            return None
        protocol, source, destination, message = outer
        what, code = message[0], message[1]
        reasons = _REASONS.get((protocol, what))
        version = {_ICMP: IPV4_TYPE, _ICMPV6: IPV6_TYPE}.get(protocol, 0)
        quoted = _packet(message[_QUOTED_FROM:], version)
        if reasons is None or quoted is None or quoted[0] != _TCP:
            return None
        reason = reasons.get(code, f"type {what}, code {code}")
        told = _TELLS_MTU.get((protocol, what, code))
        if told is not None:
            reason += f", mtu {struct.unpack(told[0], message[: told[1]])[0]}"
        ports = struct.unpack_from("!HH", quoted[3])
    except (ValueError, IndexError, struct.error):
        return None
    sender, receiver = Address(quoted[1], ports[0]), Address(quoted[2], ports[1])
    return IcmpError(time, source, destination, sender, receiver, reason)


def _packet(data: bytes, kind: int) -> tuple[int, str, str, bytes] | None:
    """What an IP packet carries: the protocol, source, destination, and what comes behind."""
    if kind == IPV4_TYPE and data[0] >> 4 == 4:
        if int.from_bytes(data[6:8], "big") & 0x1FFF:
            return None  # not the first fragment
        source, destination = str(ip_address(data[12:16])), str(ip_address(data[16:20]))
        return data[9], source, destination, data[(data[0] & 15) * 4 :]
    if kind == IPV6_TYPE and data[0] >> 4 == 6:
        source, destination = str(ip_address(data[8:24])), str(ip_address(data[24:40]))
        return data[6], source, destination, data[_IPV6_HEADER:]
    return None
