"""From a captured frame to the facts of a TCP segment, read with `struct`: many times a second.

The same reading as `dissect`, which has scapy's layers read each header and is the judge of this
one in the tests. Here to follow captures of a million frames, of more link layers. Like there: a
frame gives facts, None when it carries no start of a TCP segment, or raises Malformed; never
another exception, whatever the bytes are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from ipaddress import ip_address
from struct import Struct
from typing import Final, NamedTuple

from sockstates.tcp.dissect import Malformed
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

_TCP, _FRAGMENT, _AUTHENTICATION = 6, 44, 51
_EXTENSIONS: Final = frozenset({0, 43, 60, 135, 139, 140, _FRAGMENT, _AUTHENTICATION})

FIN, SYN, RST, ACK = 1, 2, 4, 16
FLAG_BITS: Final = 0x1FF
_U16 = Struct(">H")
_IPV4 = Struct(">BxHxxHxBxx8s")
_TCP_FIELDS = Struct(">4sIIHHxxH")


class Headers(NamedTuple):
    """What following a connection takes, unpacked but not made into objects.

    ends: source and destination address as on the wire, then both ports; the key of one direction
    of a connection. acknowledgement: as on the wire even without ACK. bits: the nine flags.
    length: bytes of payload on the wire, of which `missing` were not captured.
    options, payload: where they start in the frame; end: where the frame's payload ends.
    """

    ends: bytes
    sequence: int
    acknowledgement: int
    bits: int
    window: int
    length: int
    missing: int
    urgent: int
    options: int
    payload: int
    end: int


def read_headers(frame: bytes, link_type: int = ETHERNET) -> Headers | None:
    """The TCP segment in `frame`; None when it carries none, or not the first fragment of one.

    link_type: pcap's number for the frame's outermost layer. Options are not looked into.
    Raises Malformed for contradictions, and ValueError for a link type that is not read.
    """
    find = LINK_LAYERS.get(link_type)
    if find is None:
        known = ", ".join(map(str, sorted(LINK_LAYERS)))
        raise ValueError(f"link type {link_type} is not read; these are: {known}")
    kind, start = find(frame)
    if kind == IPV4_TYPE:
        return _read_ipv4(frame, start)
    return _read_ipv6(frame, start) if kind == IPV6_TYPE else None


def read_segment(frame: bytes, time: int, link_type: int = ETHERNET) -> Segment | None:
    """The segment in `frame`, as `dissect` gives it. Raises Malformed, also for its options.

    time: nanoseconds since the epoch, copied into the segment.
    """
    headers = read_headers(frame, link_type)
    if headers is None:
        return None
    try:
        options = read_options(frame[headers.options : headers.payload])
    except ValueError as error:
        raise Malformed(str(error)) from None
    source, destination = addresses(headers.ends)
    return Segment(
        time=time,
        source=source,
        destination=destination,
        flags=flags_from_bits(headers.bits),
        sequence=headers.sequence,
        acknowledgement=headers.acknowledgement if headers.bits & ACK else None,
        window=headers.window,
        urgent=headers.urgent,
        options=options,
        payload=frame[headers.payload : headers.end],
        missing=headers.missing,
    )


def addresses(ends: bytes) -> tuple[Address, Address]:
    """Source and destination that `Headers.ends` stands for."""
    size = (len(ends) - 4) // 2
    return (
        Address(_text(ends[:size]), _U16.unpack_from(ends, 2 * size)[0]),
        Address(_text(ends[size : 2 * size]), _U16.unpack_from(ends, 2 * size + 2)[0]),
    )


def turned(ends: bytes) -> bytes:
    """The key of the other direction."""
    size = (len(ends) - 4) // 2
    return ends[size : 2 * size] + ends[:size] + ends[-2:] + ends[-4:-2]


@functools.lru_cache(maxsize=65536)
def _text(ip: bytes) -> str:
    return str(ip_address(ip))


def _ethernet(frame: bytes) -> tuple[int, int]:
    if len(frame) < 14:
        raise Malformed(f"{len(frame)} bytes captured; an Ethernet header has 14")
    return _after_tags(frame, _U16.unpack_from(frame, 12)[0], 14)


def _after_tags(frame: bytes, kind: int, start: int) -> tuple[int, int]:
    """The type and start of what VLAN tags carry."""
    while kind in VLAN_TYPES:
        if len(frame) < start + 4:
            raise Malformed(f"a VLAN tag is cut off at byte {start}")
        kind = _U16.unpack_from(frame, start + 2)[0]
        start += 4
    return kind, start


def _cooked(frame: bytes) -> tuple[int, int]:
    if len(frame) < 16:
        raise Malformed(f"{len(frame)} bytes captured; a Linux cooked header has 16")
    return _after_tags(frame, _U16.unpack_from(frame, 14)[0], 16)


def _cooked_2(frame: bytes) -> tuple[int, int]:
    if len(frame) < 20:
        raise Malformed(f"{len(frame)} bytes captured; a Linux cooked header v2 has 20")
    return _after_tags(frame, _U16.unpack_from(frame, 0)[0], 20)


def _loopback(frame: bytes) -> tuple[int, int]:
    """Who wrote the file is not known, so the family is whichever order makes it a small number."""
    if len(frame) < 4:
        raise Malformed(f"{len(frame)} bytes captured; a loopback header has 4")
    family = min(int.from_bytes(frame[:4], "big"), int.from_bytes(frame[:4], "little"))
    return FAMILIES.get(family, 0), 4


def _raw(frame: bytes) -> tuple[int, int]:
    version = frame[0] >> 4 if frame else 0
    return {4: IPV4_TYPE, 6: IPV6_TYPE}.get(version, 0), 0


LINK_LAYERS: Final[dict[int, Callable[[bytes], tuple[int, int]]]] = {
    BSD_LOOPBACK: _loopback,
    ETHERNET: _ethernet,
    **dict.fromkeys((RAW_IP, *RAW_IP_IN_FILES), _raw),
    OPENBSD_LOOPBACK: _loopback,
    COOKED: _cooked,
    RAW_IPV4: lambda _: (IPV4_TYPE, 0),
    RAW_IPV6: lambda _: (IPV6_TYPE, 0),
    COOKED_2: _cooked_2,
}
"""Link type -> what says the Ethernet type of the packet in a frame, and where it starts."""


def _read_ipv4(frame: bytes, start: int) -> Headers | None:
    captured = len(frame) - start
    if captured < 20:
        raise Malformed(f"{captured} bytes captured of an IPv4 header; it has at least 20")
    first, total, fragment, protocol, ends = _IPV4.unpack_from(frame, start)
    size = (first & 15) * 4
    if first >> 4 != 4 or size < 20:
        raise Malformed(f"an IPv4 header of version {first >> 4} and {size} octets")
    if protocol != _TCP or fragment & 0x1FFF:
        return None
    # Segmentation offload on the sending host leaves the length 0: then all there is, is meant.
    total = total or captured
    if total < size:
        raise Malformed(f"the IPv4 packet's length {total} is less than its header's, {size}")
    return _read_tcp(frame, ends, start + size, total - size)


def _read_ipv6(frame: bytes, start: int) -> Headers | None:
    captured = len(frame) - start
    if captured < 40:
        raise Malformed(f"{captured} bytes captured of an IPv6 header; it has 40")
    if frame[start] >> 4 != 6:
        raise Malformed(f"an IPv6 header of version {frame[start] >> 4}")
    length = _U16.unpack_from(frame, start + 4)[0] or captured - 40
    ends = frame[start + 8 : start + 40]
    start += 40
    skipped = _extensions(frame[start : start + length], frame[start - 34])
    return None if skipped is None else _read_tcp(frame, ends, start + skipped, length - skipped)


def _extensions(data: bytes, kind: int) -> int | None:
    """How long IPv6's extension headers are (RFC 8200, section 4); None when no TCP follows."""
    position = 0
    while kind in _EXTENSIONS:
        if len(data) < position + 8:
            raise Malformed(f"IPv6 extension header {kind} is cut off at byte {position}")
        size = (data[position + 1] + 1) * 8
        if kind == _AUTHENTICATION:
            size = (data[position + 1] + 2) * 4  # RFC 4302, section 2.2
        elif kind == _FRAGMENT:
            size = 8
            if _U16.unpack_from(data, position + 2)[0] >> 3:
                return None
        kind = data[position]
        position += size
    return position if kind == _TCP else None


def _read_tcp(frame: bytes, ends: bytes, start: int, promised: int) -> Headers:
    """`promised`: bytes from the TCP header on that the IP header says there are."""
    captured = max(min(len(frame) - start, promised), 0)
    if captured < 20:
        raise Malformed(f"{captured} bytes captured of a TCP header; it has at least 20")
    ports, sequence, acknowledgement, flags, window, urgent = _TCP_FIELDS.unpack_from(frame, start)
    size = (flags >> 12) * 4
    if size < 20:
        raise Malformed(f"the TCP header says it has {size} bytes; the least is 20")
    if size > captured:
        raise Malformed(f"the TCP header says it has {size} bytes; {captured} are there")
    return Headers(
        ends + ports,
        sequence,
        acknowledgement,
        flags & FLAG_BITS,
        window,
        promised - size,
        promised - captured,
        urgent,
        start + 20,
        start + size,
        start + captured,
    )
