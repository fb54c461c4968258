"""Whether a frame is one that a line of tcpdump's notation describes, asked of every frame.

Pure. What the line says of bytes that lie in fixed places (who speaks to whom, flags, numbers that
are known, the length) is a regular expression over the frame's beginning, which takes less than a
microsecond. It never misses a frame; one that it finds is read as a segment, and compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Final

from sockstates.tcp.comparison import Places, differences
from sockstates.tcp.dissect import Malformed
from sockstates.tcp.headers import read_segment
from sockstates.tcp.links import IPV4_TYPE, IPV6_TYPE, VLAN_TYPES
from sockstates.tcp.pattern import ANYTHING, Endpoint, Line, Number
from sockstates.tcp.segment import FLAG_LETTERS, NO_FLAGS

_TCP: Final = b"\x06"
_TAGGED: Final = b"|".join(re.escape(kind.to_bytes(2, "big")) for kind in sorted(VLAN_TYPES))
_HEADER_SIZES: Final = range(5, 16)
"""Of a TCP header, in words of four bytes: RFC 9293, section 3.1."""


class Sieve:
    """Tests frames of Ethernet against one line.

    places: the addresses of every host that the line names. bindings: what letters stand for; a
    letter that is not among them is any number, the same one wherever the line has it.
    """

    def __init__(self, line: Line, places: Places, bindings: Mapping[str, int]) -> None:
        self._line, self._places, self._bindings = line, places, dict(bindings)
        self.expression: Final = self._expression()
        """A regular expression (with DOTALL) that every frame matches which :meth:`takes` takes."""
        self._may_be = re.compile(self.expression, re.DOTALL)

    def takes(self, frame: bytes) -> bool:
        """Whether the frame is one of these; a malformed one never is."""
        if not self._may_be.match(frame):
            return False
        try:
            segment = read_segment(frame, 0)
        except Malformed:
            return False
        if segment is None:
            return False
        bindings = dict(self._bindings)
        return next(differences(self._line, segment, self._places, bindings), None) is None

    def _expression(self) -> bytes:
        """With IP options, extension headers or VLAN tags nothing lies in a fixed place."""
        return b".{12}(?:%s%s|%s%s|(?:%s))" % (
            re.escape(IPV4_TYPE.to_bytes(2, "big")),
            self._ipv4(),
            re.escape(IPV6_TYPE.to_bytes(2, "big")),
            self._ipv6(),
            _TAGGED,
        )

    def _ipv4(self) -> bytes:
        """RFC 791, section 3.1."""
        ends = self._addresses(4)
        plain = b"E.%s.{5}%s..%s%s" % (self._length(20, 28), _TCP, ends, self._tcp())
        return b"(?:%s|[F-O].{8}%s..%s)" % (plain, _TCP, ends)

    def _ipv6(self) -> bytes:
        """RFC 8200, section 3."""
        ends = self._addresses(16)
        plain = b"%s%s.%s%s" % (self._length(0, 46), _TCP, ends, self._tcp())
        return b".{4}(?:%s|..[^%s].%s)" % (plain, _TCP, ends)

    def _addresses(self, size: int) -> bytes:
        """Source and destination of one family; what never matches where a host has none of it."""
        hosts = self._line.source.host, self._line.destination.host
        return b"".join(_one_of(self._places[host], size) for host in hosts)

    def _length(self, more: int, distance: int) -> bytes:
        """The field of IP that says how long the packet is; 0 leaves it open.

        more: bytes that it counts beside TCP's; distance: bytes from behind it to the size of the
        TCP header.
        """
        length = self._value(self._line.length)
        if length is None:
            return b".."
        choices = [
            b"%s(?=.{%d}[%s-%s])"
            % (re.escape(total.to_bytes(2, "big")), distance, *_sizes_between(words))
            for words in _HEADER_SIZES
            if (total := more + 4 * words + length) < 1 << 16
        ]
        return b"(?:%s)" % b"|".join([*choices, re.escape(bytes(2))])

    def _tcp(self) -> bytes:
        """RFC 9293, section 3.1: what the line says of the header's first 16 bytes."""
        line = self._line
        flags = b"." if line.flags == ANYTHING else re.escape(bytes([_bits(line.flags) & 0xFF]))
        return b"%s%s%s%s.%s%s" % (
            _port(line.source),
            _port(line.destination),
            self._number(line.sequence, 4),
            self._number(line.acknowledgement, 4),
            flags,
            self._number(line.window, 2),
        )

    def _number(self, number: Number | None, size: int) -> bytes:
        value = self._value(number)
        if value is None or value >= 1 << 8 * size:
            return b".{%d}" % size
        return re.escape(value.to_bytes(size, "big"))

    def _value(self, number: Number | None) -> int | None:
        return None if number is None else number.value(self._bindings)


def _one_of(addresses: Iterable[str], size: int) -> bytes:
    packed = (ip_address(each).packed for each in sorted(addresses))
    choices = [re.escape(each) for each in packed if len(each) == size]
    return b"(?:%s)" % b"|".join(choices) if choices else b"(?!)"


def _sizes_between(words: int) -> tuple[bytes, bytes]:
    """The least and the largest byte whose upper half says that a header has so many words."""
    return re.escape(bytes([words << 4])), re.escape(bytes([words << 4 | 15]))


def _port(end: Endpoint) -> bytes:
    return b".." if end.port is None else re.escape(end.port.to_bytes(2, "big"))


def _bits(flags: str) -> int:
    if flags == NO_FLAGS:
        return 0
    return sum(1 << FLAG_LETTERS.index(letter) for letter in flags)
