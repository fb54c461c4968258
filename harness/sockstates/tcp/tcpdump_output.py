"""Prints frames as tcpdump 4.99 does with -nn, -nnS, -nnt and -nnv: the same text, line by line.

Prints TCP directly in IPv4 or IPv6, what tcpdump's filter ``tcp`` lets through, and of fragments
the first one. Left out is what tcpdump prints of protocols above TCP, behind the length, and what
IP options hold beside their names. The module never reads a file and never runs tcpdump.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from sockstates.tcp.dissect import Malformed, dissect
from sockstates.tcp.links import ETHERNET
from sockstates.tcp.notation import ABSOLUTE, Origins, format_segment
from sockstates.tcp.segment import Address, Segment

_NANOSECONDS: Final = 1_000_000_000
_TCP: Final = 6
_IPV4_TYPE, _IPV6_TYPE = b"\x08\x00", b"\x86\xdd"
_IPV4_HEADER, _IPV6_HEADER = 20, 40
_MORE_FRAGMENTS: Final = 0x2000
_FLAGS: Final = ((_MORE_FRAGMENTS, "+"), (0x4000, "DF"), (0x8000, "rsvd"))
_CONGESTION: Final = {0: "", 1: ",ECT(1)", 2: ",ECT(0)", 3: ",CE"}
"""The two lowest bits of the type of service (RFC 3168, section 5)."""
_MOST_OF_RESET: Final = 30
_END, _NO_OPERATION = 0, 1
_IP_OPTIONS: Final = {
    _END: "EOL",
    _NO_OPERATION: "NOP",
    7: "RR",
    68: "timestamp",
    82: "traceroute",
    130: "security",
    131: "LSRR",
    137: "SSRR",
    148: "RA",
}


@dataclass(frozen=True, slots=True)
class Style:
    """What tcpdump's options choose.

    absolute: -S, sequence numbers as they are on the wire. times: false is -t, no time. verbose:
    -v, with the IP header and the checksum. nanoseconds: --nano. zone: of the times; None is where
    this machine is.
    """

    absolute: bool = False
    times: bool = True
    verbose: bool = False
    nanoseconds: bool = False
    zone: tzinfo | None = UTC


class TcpdumpPrinter:
    """Prints the frames of one capture, in its order: relative numbers depend on what came before.

    names: gives the host's name for an address; None prints addresses, as -n does.
    """

    def __init__(
        self, style: Style | None = None, names: Callable[[Address], str] | None = None
    ) -> None:
        self._style = style or Style()
        self._names = names
        self._origins = Origins()

    def text(self, time: int, frame: bytes, link_type: int = ETHERNET) -> str | None:
        """The frame as tcpdump prints it; with -v over IPv4 two lines. None for what is no TCP.

        time: nanoseconds since the epoch. A frame that contradicts itself is left out, too.
        """
        packet = _packet(frame, link_type)
        try:
            segment = dissect(frame, time, link_type) if packet else None
        except Malformed:
            return None
        if segment is None:
            return None
        origin = ABSOLUTE if self._style.absolute else self._origins.of(segment)
        verbose = self._style.verbose
        checksum = checksum_text(packet, segment) if verbose else ""
        line = format_segment(segment, self._names, origin, checksum)
        if verbose and segment.has("R") and segment.length:
            line += _reset_text(segment)
        head = f"{stamp(time, self._style)} " if self._style.times else ""
        if packet[0] >> 4 == 6:
            return f"{head}IP6 {_ipv6_text(packet) if verbose else ''}{line}"
        return f"{head}IP {_ipv4_text(packet) if verbose else ''}{line}"


def stamp(time: int, style: Style) -> str:
    """``03:04:05.678901``; what is finer than the last digit is cut off, not rounded."""
    moment = datetime.fromtimestamp(time // _NANOSECONDS, UTC).astimezone(style.zone)
    fraction = f"{time % _NANOSECONDS:09}"
    return f"{moment:%H:%M:%S}.{fraction if style.nanoseconds else fraction[:6]}"


def tcpdump_lines(
    frames: Iterable[tuple[int, bytes]], style: Style | None = None, link_type: int = ETHERNET
) -> Iterator[str]:
    """The lines that tcpdump prints of a capture: frames with their times in nanoseconds."""
    printer = TcpdumpPrinter(style)
    for time, frame in frames:
        text = printer.text(time, frame, link_type)
        if text is not None:
            yield from text.split("\n")


def _packet(frame: bytes, link_type: int) -> bytes:
    """The IP packet, when TCP follows its header directly; otherwise nothing."""
    packet, kind = frame, frame[:1]
    if link_type == ETHERNET:
        packet, kind = frame[14:], frame[12:14]
        version = {_IPV4_TYPE: 4, _IPV6_TYPE: 6}.get(kind, 0)
    else:
        version = kind[0] >> 4 if kind else 0
    position = {4: 9, 6: 6}.get(version)
    if position is None or len(packet) <= position or packet[position] != _TCP:
        return b""
    return packet


def _ipv4_text(packet: bytes) -> str:
    """``(tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto TCP (6), length 60)`` and a new line.

    The words of print-ip.c, which leaves out a ttl of 0.
    """
    start, service, total, number, fragment, ttl = struct.unpack_from("!BBHHHB", packet)
    size = (start & 15) * 4
    flags = ", ".join(word for bit, word in _FLAGS if fragment & bit) or "none"
    text = f"tos 0x{service:x}{_CONGESTION[service & 3]}" + (f", ttl {ttl}" if ttl else "")
    text += f", id {number}, offset {(fragment & 0x1FFF) * 8}, flags [{flags}]"
    text += f", proto TCP (6), length {total}"
    if size > _IPV4_HEADER:
        text += f", options ({_ip_options_text(packet[_IPV4_HEADER:size])})"
    rest = _sum(packet[:size])
    if rest:
        (found,) = struct.unpack_from("!H", packet, 10)
        text += f", bad cksum {found:x} (->{_right_sum(found, rest):x})!"
    return f"({text})\n    "


def _ipv6_text(packet: bytes) -> str:
    """``(flowlabel 0x12345, hlim 64, next-header TCP (6) payload length: 40) `` of print-ip6.c."""
    word, length, _, limit = struct.unpack_from("!IHBB", packet)
    text = f"class 0x{word >> 20 & 0xFF:02x}, " if word >> 20 & 0xFF else ""
    text += f"flowlabel 0x{word & 0xFFFFF:05x}, " if word & 0xFFFFF else ""
    return f"({text}hlim {limit}, next-header TCP (6) payload length: {length}) "


def checksum_text(packet: bytes, segment: Segment) -> str:
    """What -v says of the TCP checksum; nothing where not all of the segment is there."""
    if packet[0] >> 4 == 6:
        start, ends = _IPV6_HEADER, packet[8:40]
        total = struct.unpack_from("!H", packet, 4)[0] + _IPV6_HEADER
    else:
        start, ends = (packet[0] & 15) * 4, packet[12:20]
        total, _, fragment = struct.unpack_from("!HHH", packet, 2)
        if fragment & _MORE_FRAGMENTS:
            return ""
    if segment.missing:
        return ""
    data = packet[start:total]
    found = int.from_bytes(data[16:18], "big")
    # The pseudo header of RFC 9293, section 3.1, and RFC 8200, section 8.1: equal in their sums.
    rest = _sum(ends + struct.pack("!HH", _TCP, len(data)) + data)
    verdict = f"incorrect -> 0x{_right_sum(found, rest):04x}" if rest else "correct"
    return f"0x{found:04x} ({verdict})"


def _sum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of data that holds its checksum: 0 when that is right."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _right_sum(found: int, rest: int) -> int:
    """What the checksum should be, from what it is and what `_sum` gave (in_cksum.c)."""
    total = found + rest
    return (total & 0xFFFF) + (total >> 16)


def _reset_text(segment: Segment) -> str:
    """The bytes that an RST carries (RFC 9293, 3.5.2), in cat -v's letters."""
    octets = segment.payload[:_MOST_OF_RESET]
    shown = "".join(map(_letter, octets))
    known = "" if not segment.missing else "!"
    return f" [{known}RST{'+' if segment.length > _MOST_OF_RESET else ''} {shown}]"


def _letter(octet: int) -> str:
    prefix, octet = ("M-", octet & 0x7F) if octet & 0x80 else ("", octet)
    return prefix + (chr(octet) if 0x20 <= octet < 0x7F else f"^{chr(octet ^ 0x40)}")


def _ip_options_text(options: bytes) -> str:
    """The IP options by name, as far as their lengths make sense."""
    names: list[str] = []
    while options:
        kind = options[0]
        names.append(_IP_OPTIONS.get(kind, f"unknown {kind}"))
        size = 1 if kind == _NO_OPERATION else options[1] if len(options) > 1 else 0
        if kind == _END or not size:
            break
        options = options[size:]
    return ",".join(names)
