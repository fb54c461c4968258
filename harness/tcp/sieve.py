"""Whether a frame is one that a line of tcpdump's notation describes, asked of every frame.

Pure. Who speaks to whom and the flags are compared as octets in the frame, which takes a
microsecond; a frame is read as a segment only when these agree and the line says more.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

from harness.tcp.comparison import Places, differences
from harness.tcp.dissect import Malformed
from harness.tcp.headers import read_segment
from harness.tcp.pattern import ANYTHING, Endpoint, Line
from harness.tcp.segment import FLAG_LETTERS, NO_FLAGS

_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
_TCP: Final = 6


class Sieve:
    """Tests frames of Ethernet against one line.

    places: the addresses of every host that the line names. bindings: what letters stand for; a
    letter that is not among them is any number, the same one wherever the line has it.
    """

    def __init__(self, line: Line, places: Places, bindings: Mapping[str, int]) -> None:
        self._line, self._places, self._bindings = line, places, dict(bindings)
        self._sources = _packed(places[line.source.host])
        self._destinations = _packed(places[line.destination.host])
        self._source_port, self._destination_port = map(_port, (line.source, line.destination))
        self._flags = None if line.flags == ANYTHING else _bits(line.flags)
        told = (line.window, line.urgent, line.length, line.options, *line.numbers())
        self._says_more = any(each is not None for each in told)

    def takes(self, frame: bytes) -> bool:
        """Whether the frame is one of these; a malformed one never is."""
        kind = frame[12:14]
        if kind == _IPV4:
            if frame[23] != _TCP:
                return False
            ends, middle, start = frame[26:34], 4, 14 + (frame[14] & 15) * 4
        elif kind == _IPV6:
            if frame[20] != _TCP:
                return self._reads(frame)
            ends, middle, start = frame[22:54], 16, 54
        else:
            return False
        if ends[:middle] not in self._sources or ends[middle:] not in self._destinations:
            return False
        header = frame[start : start + 14]
        if len(header) < 14 or not self._is_header(header):
            return False
        return not self._says_more or self._reads(frame)

    def _is_header(self, header: bytes) -> bool:
        if self._source_port not in (None, header[:2]):
            return False
        if self._destination_port not in (None, header[2:4]):
            return False
        return self._flags is None or self._flags == header[13] | (header[12] & 1) << 8

    def _reads(self, frame: bytes) -> bool:
        try:
            segment = read_segment(frame, 0)
        except Malformed:
            return False
        if segment is None:
            return False
        bindings = dict(self._bindings)
        return next(differences(self._line, segment, self._places, bindings), None) is None


def _packed(addresses: frozenset[str]) -> frozenset[bytes]:
    return frozenset(ip_address(each).packed for each in addresses)


def _port(end: Endpoint) -> bytes | None:
    return None if end.port is None else end.port.to_bytes(2, "big")


def _bits(flags: str) -> int:
    if flags == NO_FLAGS:
        return 0
    return sum(1 << FLAG_LETTERS.index(letter) for letter in flags)
