"""Netlink messages taken apart: a datagram into messages, a message into its attributes.

Written on bare bytes because a witness reads hundreds of them a second. Reads only what it is
given; opens nothing. netlink(7), linux/netlink.h, linux/netfilter/nfnetlink.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
FAMILY_HEADER = 4
"""Octets of struct nfgenmsg, which stands between the header and the attributes."""
_KIND = 0x3FFF
"""An attribute's type without the bits that say "nested" and "network byte order"."""


class Message(NamedTuple):
    """One message: its type and flags, the protocol family (nfgenmsg), its attributes."""

    kind: int
    flags: int
    family: int
    attributes: dict[int, bytes]


def messages(datagram: bytes) -> Iterator[Message]:
    """Every nfnetlink message in what one recv(2) returned."""
    offset = 0
    while offset + _HEADER.size <= len(datagram):
        length, kind, flags, _, _ = _HEADER.unpack_from(datagram, offset)
        body = datagram[offset + _HEADER.size : offset + length]
        family = body[0] if body else 0
        yield Message(kind, flags, family, attributes(body[FAMILY_HEADER:]))
        offset += (max(length, _HEADER.size) + 3) & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes in `data` by their type; of several with one type the last."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        found[kind & _KIND] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (max(length, _ATTRIBUTE.size) + 3) & ~3
    return found


def number(octets: bytes) -> int:
    """An attribute's value in network byte order, as nfnetlink has all its numbers."""
    return int.from_bytes(octets, "big")
