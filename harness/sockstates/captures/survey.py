"""Goes through a capture file once and follows every connection in it, in little memory.

Frames are not kept: what comes out is each connection with its counts, and what could not be read.
One that is to be looked at is fetched afterwards, see `capture_timeline`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from sockstates.captures.carriers import carrier
from sockstates.captures.copies import Copies
from sockstates.captures.file import CaptureFile
from sockstates.captures.pcapng_reader import CapturedOn, Record
from sockstates.captures.view import captured_hosts, senders_view
from sockstates.tcp.connection import Connection, Said
from sockstates.tcp.dissect import Malformed
from sockstates.tcp.following import Following
from sockstates.tcp.following_rules import mark
from sockstates.tcp.headers import (
    ACK,
    FIN,
    FLAG_BITS,
    LINK_LAYERS,
    RST,
    SYN,
    Headers,
    addresses,
    read_headers,
    turned,
)
from sockstates.tcp.links import ETHERNET, IPV4_TYPE
from sockstates.tcp.options import WINDOW_SCALE, read_options

_USUAL: Final = Struct(">12xHBxHxxHxBxx12sIIHH")
"""Ethernet, IPv4 without options, TCP: type, version and length of the header, length, fragment,
protocol, ends, sequence, acknowledgement, length of the header and flags, window."""
_ENDS: Final = SYN | FIN | RST


@dataclass(slots=True)
class Survey:
    """What one capture point saw of TCP."""

    following: Following = field(default_factory=Following)
    copies: Copies = field(default_factory=Copies)
    segments: int = 0
    other: int = 0
    """Frames that carry no TCP."""
    carriers: Counter[str] = field(default_factory=Counter)
    """Those of them that may carry it in what is not read here."""
    malformed: int = 0
    """Frames that say they carry TCP and then contradict themselves."""
    not_read: Counter[int] = field(default_factory=Counter)
    """Frames by the number of a link type that is not read here."""

    @property
    def connections(self) -> list[Connection]:
        """In the order in which they began."""
        return self.following.connections


def survey(capture: CaptureFile) -> Survey:
    """Follow every connection of the capture. Raises OSError; what is broken is remarked.

    A file whose stamps are not in order is read once more, by them; so is then all that is read of
    it later.
    """
    seen = _survey(capture)
    if seen.copies.several and not capture.has_copies and not captured_hosts(capture):
        capture.has_copies = True
        seen = _survey(capture)
    if capture.found.backwards and not capture.disorder:
        capture.disorder = capture.found.backwards
        seen = _survey(capture)
    return seen


def _survey(capture: CaptureFile) -> Survey:
    seen = Survey()
    known, unpack = seen.following.known, _USUAL.unpack_from
    links: list[CapturedOn] = []
    own = None if capture.has_copies else seen.copies
    for time, interface, data, _, _ in senders_view(capture, seen.copies):
        if interface >= len(links):
            links = capture.found.interfaces
        if links[interface].link_type == ETHERNET and len(data) >= 54:
            kind, version, total, fragment, protocol, ends, sequence, ack, flags, window = unpack(
                data
            )
            size = flags >> 10 & 0x3C
            place = known.get(ends)
            length = total - 20 - size
            if (
                place is not None
                and not flags & _ENDS
                and not place[0].watched
                and kind == IPV4_TYPE
                and version == 0x45
                and protocol == 6
                and not fragment & 0x1FFF
                and length >= 0
                and size >= 20
                and len(data) >= 34 + size
            ):
                acknowledged = ack if flags & ACK else None
                bits = flags & FLAG_BITS
                mark(place, Said(time, sequence, acknowledged, bits, window, length))
                continue
        _take(seen, links[interface].link_type, (time, interface, data, 0, ""), own)
    seen.segments = sum(each.segments for each in seen.connections)
    return seen


def _take(seen: Survey, link_type: int, frame: Record, copies: Copies | None) -> None:
    """A frame that is not the usual one: opens or closes a connection, or has another link.

    copies: looks whether the capture has any. A capture that has some has them of these too.
    """
    time, interface, data, _, _ = frame
    if link_type not in LINK_LAYERS:
        seen.not_read[link_type] += 1
        return
    try:
        headers = read_headers(data, link_type)
    except Malformed:
        seen.malformed += 1
        return
    if headers is None:
        seen.other += 1
        if name := carrier(data, link_type):
            seen.carriers[name] += 1
        return
    ends = headers.ends
    if copies is not None:
        copies.is_copy(data, headers, time, interface, link_type)
    said = Said(
        time,
        headers.sequence,
        headers.acknowledgement if headers.bits & ACK else None,
        headers.bits,
        headers.window,
        headers.length,
    )
    scale = _scale(data, headers) if headers.bits & SYN else None
    seen.following.take((ends, turned(ends), *addresses(ends)), said, scale)


def _scale(data: bytes, headers: Headers) -> int | None:
    """The shift that a SYN offers for its windows."""
    try:
        options = read_options(data[headers.options : headers.payload])
    except ValueError:
        return None
    values = [each.values for each in options if each.kind == WINDOW_SCALE]
    return next((value[0] for value in values if value), None)
