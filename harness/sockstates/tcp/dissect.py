"""From a captured frame to a TCP segment, header by header with scapy's layers.

Gives a Segment, None for anything that is not the start of a TCP segment, or raises Malformed;
never another exception, whatever the bytes are. Each layer is given its own header only, so that
scapy neither guesses at the payload by its port nor spends time on it. Never prints or warns.
"""

import functools
import logging
import warnings
from types import ModuleType
from typing import Any, Final, NamedTuple

from sockstates.tcp.links import (
    BSD_LOOPBACK,
    COOKED,
    COOKED_2,
    ETHERNET,
    FAMILIES,
    IPV4_TYPE,
    IPV6_TYPE,
    OPENBSD_LOOPBACK,
    RAW_IP,
    RAW_IP_IN_FILES,
    RAW_IPV4,
    RAW_IPV6,
    VLAN_TYPES,
)
from sockstates.tcp.options import read_options
from sockstates.tcp.segment import Address, Segment, flags_from_bits

_IPV4_HEADER, _IPV6_HEADER, _TCP_HEADER = 20, 40, 20
_TCP, _FRAGMENT, _AUTHENTICATION = 6, 44, 51
_EXTENSIONS: Final = frozenset({0, 43, 60, 135, 139, 140, _FRAGMENT, _AUTHENTICATION})


class Malformed(ValueError):
    """A frame that says it carries TCP and then contradicts itself; the message says how."""


class _Datagram(NamedTuple):
    """What an IP packet carries: the bytes captured, and how many there were on the wire."""

    source: str
    destination: str
    data: bytes
    length: int


def dissect(frame: bytes, time: int, link_type: int = ETHERNET) -> Segment | None:
    """The TCP segment in `frame`; None when it carries none, or not the first fragment of one.

    time: nanoseconds since the epoch, copied into the segment.
    link_type: pcap's number for the frame's outermost layer, one of `links`.
    Padding after the IP packet is left out. A frame cut short in the capture gives what is there
    of its payload, and Segment.missing counts the rest. Raises Malformed for contradictions, and
    ValueError for another link type.
    """
    packet, network = _network(frame, link_type)
    if network == IPV4_TYPE:
        datagram = _read_ipv4(packet)
    elif network == IPV6_TYPE:
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
    if link_type in (RAW_IP, *RAW_IP_IN_FILES):
        version = frame[0] >> 4 if frame else 0
        return frame, {4: IPV4_TYPE, 6: IPV6_TYPE}.get(version, 0)
    if link_type in (RAW_IPV4, RAW_IPV6):
        return frame, IPV4_TYPE if link_type == RAW_IPV4 else IPV6_TYPE
    layer, size, name = _link_layer(link_type)
    if len(frame) < size:
        raise Malformed(f"{len(frame)} bytes captured; {name} has {size}")
    header = layer(frame[:size])
    if link_type in (BSD_LOOPBACK, OPENBSD_LOOPBACK):
        families = (int.from_bytes(frame[:4], order) for order in ("little", "big"))
        return frame[size:], FAMILIES.get(min(families), 0)
    # scapy takes a small type for the length of an 802.3 frame, which carries no IP.
    kind = getattr(header, "proto" if link_type in (COOKED, COOKED_2) else "type", 0)
    return _after_tags(frame[size:], kind)


def _link_layer(link_type: int) -> tuple[Any, int, str]:
    """Scapy's layer for a link type, its bytes and its name. Raises ValueError for another one."""
    ethernet = _layers().ethernet
    layers = {
        ETHERNET: (ethernet.Ether, 14, "an Ethernet header"),
        COOKED: (ethernet.CookedLinux, 16, "a Linux cooked header"),
        COOKED_2: (ethernet.CookedLinuxV2, 20, "a Linux cooked header of version 2"),
        BSD_LOOPBACK: (ethernet.Loopback, 4, "a loopback header"),
        OPENBSD_LOOPBACK: (ethernet.Loopback, 4, "a loopback header"),
    }
    if link_type not in layers:
        raise ValueError(f"link type {link_type} is not read; see sockstates.tcp.links")
    return layers[link_type]


def _after_tags(packet: bytes, kind: int) -> tuple[bytes, int]:
    """What VLAN tags carry, and its type."""
    while kind in VLAN_TYPES:
        if len(packet) < 4:
            raise Malformed(f"{len(packet)} bytes captured of a VLAN tag; it has 4")
        kind = getattr(_layers().ethernet.Dot1Q(packet[:4]), "type", 0)
        packet = packet[4:]
    return packet, kind


def _read_ipv4(packet: bytes) -> _Datagram | None:
    if len(packet) < _IPV4_HEADER:
        raise Malformed(f"{len(packet)} bytes captured of an IPv4 header; it has at least 20")
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
        raise Malformed(f"{len(packet)} bytes captured of an IPv6 header; it has 40")
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
            raise Malformed(f"IPv6 extension header {kind} is cut off at byte {position}")
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
        raise Malformed(f"{len(data)} bytes captured of a TCP header; it has at least 20")
    header = _layers().ipv4.TCP(data[:_TCP_HEADER])
    start = header.dataofs * 4
    if start < _TCP_HEADER:
        raise Malformed(f"the TCP header says it has {start} bytes; the least is 20")
    if start > len(data):
        raise Malformed(f"the TCP header says it has {start} bytes; {len(data)} are there")
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
