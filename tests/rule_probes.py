"""The packets that rules are tried on: every kind a rule can tell apart, ready to be sent. Pure.

Both twins get the very same bytes, so what they make of them can be compared byte by byte.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.rule_grammar import BEYOND, SOURCES, TARGET

SENDER_MAC, TWIN_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"

_TCP = (
    (40000, 80, "S", 0),
    (40000, 80, "A", 0),
    (40000, 80, "PA", 60),
    (80, 40000, "SA", 0),
    (22, 443, "FA", 8),
    (40001, 22, "R", 0),
    (443, 8080, "S", 0),
    (8080, 443, "RA", 0),
    (40000, 65535, "SF", 0),
    (53, 53, "UA", 4),
    (40002, 79, "", 0),
    (40003, 1023, "FSRPAU", 0),
)
_UDP = ((53, 53, 0), (40000, 80, 36), (8080, 443, 72), (40000, 8081, 470))


@dataclass(frozen=True)
class Probe:
    """One IP packet, and the frame that carries it to a twin."""

    family: int
    destination: str
    packet: bytes
    frame: bytes


@cache
def probes(chain: str, family: int) -> tuple[Probe, ...]:
    """All packets for a chain: they come in, pass through, or go out."""
    if chain == "OUTPUT":
        pairs = [(TARGET[family], peer) for peer in SOURCES[family]]
    else:
        target = TARGET[family] if chain == "INPUT" else BEYOND[family]
        pairs = [(source, target) for source in SOURCES[family]]
    made = [packet for pair in pairs for packet in _packets(family, *pair)]
    if chain == "FORWARD" and family == 4:
        made += _fragments(*pairs[0])
    return tuple(_probe(family, packet, number) for number, packet in enumerate(made, 1))


def _probe(family: int, packet: Any, number: int) -> Probe:
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether

    if family == 4:
        packet[IP].id = packet[IP].id if packet[IP].id > 1 else number + 100
    else:
        packet[IPv6].fl = number
    frame = Ether(src=SENDER_MAC, dst=TWIN_MAC) / packet
    return Probe(family, packet.dst, bytes(packet), bytes(frame))


def _packets(family: int, source: str, target: str) -> list[Any]:
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.packet import Raw

    if family == 4:
        head, other = IP(src=source, dst=target), IP(src=source, dst=target, proto=47)
    else:
        head, other = IPv6(src=source, dst=target), IPv6(src=source, dst=target, nh=47)
    made = [
        head / TCP(sport=sport, dport=dport, flags=flags, seq=1000, ack=2000) / Raw(b"x" * size)
        for sport, dport, flags, size in _TCP
    ]
    made += [head / UDP(sport=sport, dport=dport) / Raw(b"x" * size) for sport, dport, size in _UDP]
    return [*made, other / Raw(bytes(20)), *_control_messages(head, source, target)]


def _control_messages(head: Any, source: str, target: str) -> list[Any]:
    """Echoes, the second of which is ESTABLISHED, and an error about an answer: RELATED."""
    from scapy.layers.inet import ICMP, IP
    from scapy.layers.inet6 import (
        ICMPv6DestUnreach,
        ICMPv6EchoReply,
        ICMPv6EchoRequest,
        IPv6,
    )
    from scapy.packet import Raw

    if isinstance(head, IP):
        quoted = IP(src=target, dst=source, id=9) / ICMP(type=0, id=7, seq=1) / Raw(b"x" * 8)
        echo = head / ICMP(type=8, id=7, seq=1) / Raw(b"x" * 8)
        stray = head / ICMP(type=0, id=99, seq=1) / Raw(b"x" * 8)
        return [echo.copy(), echo.copy(), stray, head / ICMP(type=3, code=1) / quoted]
    quoted = IPv6(src=target, dst=source) / ICMPv6EchoReply(id=7, seq=1, data=b"x" * 8)
    echo = head / ICMPv6EchoRequest(id=7, seq=1, data=b"x" * 8)
    stray = head / ICMPv6EchoReply(id=99, seq=1, data=b"x" * 8)
    return [echo.copy(), echo.copy(), stray, head / ICMPv6DestUnreach(code=3) / quoted]


def _fragments(source: str, target: str) -> list[Any]:
    """Pieces of a datagram: only the first has the ports that a rule may ask for."""
    from scapy.layers.inet import IP, UDP, fragment
    from scapy.packet import Raw

    whole = IP(src=source, dst=target, id=60000) / UDP(sport=53, dport=80) / Raw(b"x" * 400)
    return list(fragment(whole, fragsize=160))
