"""Altered copies of captured Ethernet frames that carry a TCP segment: rewritten, or damaged.

Pure: bytes in, bytes out; the frame that was given is never changed. A rewritten segment gets the
checksum that is right for it (RFC 9293, section 3.1), so that its receiver cannot tell; a damaged
one keeps the checksum of what it was, unless that is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from struct import Struct
from typing import Final

from sockstates.tcp.headers import FLAG_BITS, Headers, read_headers
from sockstates.tcp.segment import FLAG_LETTERS

_U16, _U32 = Struct(">H"), Struct(">I")
_IP_AT: Final = 14
"""Where an Ethernet frame without tags begins its IP header."""
_WINDOW_AT, _CHECKSUM_AT, _URGENT_AT = 14, 16, 18
"""In the TCP header."""
_NO_OPERATION: Final = 1

LARGEST: Final[Mapping[str, int]] = {
    "sequence": (1 << 32) - 1,
    "acknowledgement": (1 << 32) - 1,
    "window": (1 << 16) - 1,
    "urgent": (1 << 16) - 1,
    "mss": (1 << 16) - 1,
    "window_scale": 255,
    "ttl": 255,
}
"""The numbers that can be rewritten: as on the wire, from 0 to this. `ttl` is IPv6's hop limit too;
`mss` and `window_scale` are options, which only a segment that has them can have rewritten."""
OPTION_KINDS: Final[Mapping[str, int]] = {"mss": 2, "wscale": 3, "sackOK": 4, "sack": 5, "TS": 8}
"""The options that can be taken out, as tcpdump calls them (RFC 9293 3.1, 7323, 2018)."""


def rewritten(
    frame: bytes,
    *,
    numbers: Mapping[str, int],
    flags: str | None = None,
    without: Collection[str] = (),
) -> bytes:
    """The frame with these numbers and flags and without these options, and right checksums.

    numbers: as `LARGEST` names them. flags: tcpdump's letters, those that are set and no others.
    without: names of `OPTION_KINDS`; a no-operation (kind 1) takes an option's place, so that
    nothing moves. The frame itself when nothing of that is in it. Raises Malformed, and ValueError
    when it carries no TCP segment.
    """
    headers, copy = _headers(frame), bytearray(frame)
    start = headers.options - 20
    for name, number in numbers.items():
        _write(copy, headers, name, number)
    if flags is not None:
        bits = sum(1 << FLAG_LETTERS.index(letter) for letter in set(flags))
        size = _U16.unpack_from(copy, start + 12)[0] & ~FLAG_BITS
        _U16.pack_into(copy, start + 12, size | bits)
    for name in without:
        for at, length in _options(copy, headers, OPTION_KINDS[name]):
            copy[at : at + length] = bytes([_NO_OPERATION]) * length
    return frame if bytes(copy) == frame else with_right_checksum(bytes(copy))


def _write(copy: bytearray, headers: Headers, name: str, number: int) -> None:
    start = headers.options - 20
    if name in ("sequence", "acknowledgement"):
        _U32.pack_into(copy, start + (4 if name == "sequence" else 8), number)
    elif name in ("window", "urgent"):
        _U16.pack_into(copy, start + (_WINDOW_AT if name == "window" else _URGENT_AT), number)
    elif name == "mss":
        for at, _ in _options(copy, headers, OPTION_KINDS["mss"]):
            _U16.pack_into(copy, at + 2, number)
    elif name == "window_scale":
        for at, _ in _options(copy, headers, OPTION_KINDS["wscale"]):
            copy[at + 2] = number
    else:
        _write_ttl(copy, number)


def _write_ttl(copy: bytearray, number: int) -> None:
    if copy[_IP_AT] >> 4 == 6:
        copy[_IP_AT + 7] = number
        return
    copy[_IP_AT + 8] = number
    copy[_IP_AT + 10 : _IP_AT + 12] = b"\0\0"
    end = _IP_AT + (copy[_IP_AT] & 15) * 4
    _U16.pack_into(copy, _IP_AT + 10, _checksum(bytes(copy[_IP_AT:end])))


def damaged(frame: bytes, *, header: bool = False, checksum_fixed: bool = False) -> bytes:
    """The frame with one bit turned: in the payload's last byte, or in the window.

    header: in the header in any case; a segment without payload has nothing else. checksum_fixed:
    the checksum is right again, so that nobody can tell. Raises as :func:`rewritten`.
    """
    headers, copy = _headers(frame), bytearray(frame)
    if header or headers.payload >= headers.end:
        copy[headers.options - 20 + _WINDOW_AT + 1] ^= 1
    else:
        copy[headers.end - 1] ^= 1
    return with_right_checksum(bytes(copy)) if checksum_fixed else bytes(copy)


def has_payload(frame: bytes) -> bool:
    """Whether the frame's segment carries data."""
    return _headers(frame).length > 0


def is_sound(frame: bytes) -> bool:
    """Whether the TCP checksum is right; True for what carries no whole TCP segment."""
    headers = read_headers(frame)
    if headers is None or headers.missing:
        return True
    return _sum(_covered(frame, headers)) == 0


def with_right_checksum(frame: bytes) -> bytes:
    """The frame with the TCP checksum that it should have. Raises as :func:`rewritten`."""
    headers, copy = _headers(frame), bytearray(frame)
    at = headers.options - 20 + _CHECKSUM_AT
    copy[at : at + 2] = b"\0\0"
    _U16.pack_into(copy, at, _checksum(_covered(bytes(copy), headers)))
    return bytes(copy)


def _headers(frame: bytes) -> Headers:
    headers = read_headers(frame)
    if headers is None:
        raise ValueError("the frame carries no TCP segment, or not the beginning of one")
    return headers


def _covered(frame: bytes, headers: Headers) -> bytes:
    """What the checksum covers: pseudo-header (RFC 9293 3.1, RFC 8200 8.1), TCP header, data."""
    segment = frame[headers.options - 20 : headers.end]
    addresses = headers.ends[:-4]
    return addresses + _U32.pack(len(segment)) + _U32.pack(6) + segment


def _sum(data: bytes) -> int:
    """The ones' complement sum of 16 bit words (RFC 1071), of which 0 and 0xFFFF are one number."""
    return int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xFFFF


def _checksum(data: bytes) -> int:
    return -_sum(data) % 0xFFFF


def _options(frame: bytes | bytearray, headers: Headers, kind: int) -> list[tuple[int, int]]:
    """Where the options of this kind are, and how long: RFC 9293, section 3.2."""
    found: list[tuple[int, int]] = []
    at = headers.options
    while at < headers.payload and frame[at] != 0:
        length = 1
        if frame[at] != _NO_OPERATION:
            if at + 1 >= headers.payload or frame[at + 1] < 2:
                break
            length = frame[at + 1]
            if frame[at] == kind:
                found.append((at, length))
        at += length
    return found
