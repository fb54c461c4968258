"""From a captured frame to a TCP segment, header by header with scapy's layers.

Gives a Segment, None for anything that is not the start of a TCP segment, or raises Malformed;
never another exception, whatever the octets are. Each layer is given its own header only, so that
scapy neither guesses at the payload by its port nor spends time on it. Never prints or warns.
"""

import functools
import logging
import warnings
from types import ModuleType
from typing import Final, NamedTuple

from harness.tcp.options import read_options
from harness.tcp.segment import Address, Segment, flags_from_bits

ETHERNET: Final = 1
"""LINKTYPE_ETHERNET of pcap: Ethernet, and Linux's loopback device, which is framed like it."""

RAW_IP: Final = 101
"""LINKTYPE_RAW of pcap: an IPv4 or IPv6 packet with nothing before it (tun devices)."""

_IPV4_TYPE, _IPV6_TYPE = 0x0800, 0x86DD
_ETHERNET_HEADER, _IPV4_HEADER, _IPV6_HEADER, _TCP_HEADER = 14, 20, 40, 20
_TCP, _FRAGMENT, _AUTHENTICATION = 6, 44, 51
_EXTENSIONS: Final = frozenset({0, 43, 60, 135, 139, 140, _FRAGMENT, _AUTHENTICATION})


class Malformed(ValueError):
    """A frame that says it carries TCP and then contradicts itself; the message says how."""


class _Datagram(NamedTuple):
    """What an IP packet carries: the octets captured, and how many there were on the wire."""

    source: str
    destination: str
    data: bytes
    length: int


def dissect(frame: bytes, time: int, link_type: int = ETHERNET) -> Segment | None:
    """The TCP segment in `frame`; None when it carries none, or not the first fragment of one.

    time: nanoseconds since the epoch, copied into the segment.
    link_type: pcap's number for the frame's outermost layer, ETHERNET or RAW_IP.
    Padding after the IP packet is left out. A frame cut short in the capture gives what is there
    of its payload, and Segment.missing counts the rest. Raises Malformed for contradictions, and
    ValueError for another link type.
    """
    packet, network = _network(frame, link_type)
    if network == _IPV4_TYPE:
        datagram = _read_ipv4(packet)
    elif network == _IPV6_TYPE:
        datagram = _read_ipv6(packet)
    else:
        return None
    return None if datagram is None else _read_tcp(datagram, time)


def prepare() -> None:
    """Import scapy's layers now, and not while somebody follows segments that have timers."""
    _layers()


class _Layers(NamedTuple):
    """The modules of scapy in use."""

    ethernet: ModuleType
    ipv4: ModuleType
    ipv6: ModuleType


@functools.cache
def _layers() -> _Layers:
    """The layers of scapy; importing them takes a third of a second, so only when first needed."""
    logging.getLogger("scapy.loading").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scapy.layers import inet, inet6, l2
    return _Layers(ethernet=l2, ipv4=inet, ipv6=inet6)


def _network(frame: bytes, link_type: int) -> tuple[bytes, int]:
    """The IP packet in a frame and the Ethernet type that says which IP it is."""
    if link_type == ETHERNET:
        if len(frame) < _ETHERNET_HEADER:
            raise Malformed(f"{len(frame)} octets captured; an Ethernet header has 14")
        header = _layers().ethernet.Ether(frame[:_ETHERNET_HEADER])
        # scapy takes a small type for the length of an 802.3 frame, which carries no IP.
        return frame[_ETHERNET_HEADER:], getattr(header, "type", 0)
    if link_type == RAW_IP:
        version = frame[0] >> 4 if frame else 0
        return frame, {4: _IPV4_TYPE, 6: _IPV6_TYPE}.get(version, 0)
    raise ValueError(f"link type {link_type} is not read; ETHERNET (1) and RAW_IP (101) are")


def _read_ipv4(packet: bytes) -> _Datagram | None:
    if len(packet) < _IPV4_HEADER:
        raise Malformed(f"{len(packet)} octets captured of an IPv4 header; it has at least 20")
    header = _layers().ipv4.IP(packet[:_IPV4_HEADER])
    start = header.ihl * 4
    if header.version != 4 or start < _IPV4_HEADER:
        raise Malformed(f"an IPv4 header of version {header.version} and {start} octets")
    if header.proto != _TCP or header.frag:
        return None
    # Segmentation offload on the sending host leaves the length 0: then all there is, is meant.
    total = header.len or len(packet)
    if total < start:
        raise Malformed(f"the IPv4 packet's length {total} is less than its header's, {start}")
    return _Datagram(header.src, header.dst, packet[start:total], total - start)


def _read_ipv6(packet: bytes) -> _Datagram | None:
    if len(packet) < _IPV6_HEADER:
        raise Malformed(f"{len(packet)} octets captured of an IPv6 header; it has 40")
    header = _layers().ipv6.IPv6(packet[:_IPV6_HEADER])
    if header.version != 6:
        raise Malformed(f"an IPv6 header of version {header.version}")
    length = header.plen or len(packet) - _IPV6_HEADER
    data = packet[_IPV6_HEADER : _IPV6_HEADER + length]
    start = _after_extensions(data, header.nh)
    if start is None:
        return None
    return _Datagram(header.src, header.dst, data[start:], length - start)


def _after_extensions(data: bytes, kind: int) -> int | None:
    """Where TCP starts after IPv6's extension headers (RFC 8200, section 4); None without TCP."""
    position = 0
    while kind in _EXTENSIONS:
        if len(data) < position + 8:
            raise Malformed(f"IPv6 extension header {kind} is cut off at octet {position}")
        size = (data[position + 1] + 1) * 8
        if kind == _AUTHENTICATION:
            size = (data[position + 1] + 2) * 4  # RFC 4302, section 2.2
        elif kind == _FRAGMENT:
            size = 8
            if int.from_bytes(data[position + 2 : position + 4], "big") >> 3:
                return None
        kind = data[position]
        position += size
    return position if kind == _TCP else None


def _read_tcp(datagram: _Datagram, time: int) -> Segment:
    data = datagram.data
    if len(data) < _TCP_HEADER:
        raise Malformed(f"{len(data)} octets captured of a TCP header; it has at least 20")
    header = _layers().ipv4.TCP(data[:_TCP_HEADER])
    start = header.dataofs * 4
    if start < _TCP_HEADER:
        raise Malformed(f"the TCP header says it has {start} octets; the least is 20")
    if start > len(data):
        raise Malformed(f"the TCP header says it has {start} octets; {len(data)} are there")
    try:
        options = read_options(data[_TCP_HEADER:start])
    except ValueError as error:
        raise Malformed(str(error)) from None
    flags = flags_from_bits(int(header.flags))
    return Segment(
        time=time,
        source=Address(datagram.source, header.sport),
        destination=Address(datagram.destination, header.dport),
        flags=flags,
        sequence=header.seq,
        acknowledgement=header.ack if "." in flags else None,
        window=header.window,
        urgent=header.urgptr,
        options=options,
        payload=data[start:],
        missing=datagram.length - len(data),
    )
