"""The messages of nf_tables' trace: which of them the kernel is to pass on, and what they say.

Pure. Of each packet that is traced the kernel tells every rule that matched and every chain's end;
the packet's headers stand in the first message of each chain. Most packets pass, so most messages
are of no interest: a socket filter of the old kind (classic BPF, with its extensions for netlink's
attributes) lets through only what may be the end of a packet. linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import socket
import struct
from typing import Final, NamedTuple

from sockstates.sandbox.witnesses.netlink_attributes import Message, attributes, number
from sockstates.tcp.segment import Address, flags_from_bits

TABLE, CHAIN, HANDLE, VERDICT, IDENTITY, NETWORK, TRANSPORT, POLICY = 1, 2, 3, 5, 6, 8, 9, 16
"""enum nft_trace_attributes."""
_VERDICT_CODE: Final = 1
_DROP, _CONTINUE = 0, 0xFFFF_FFFF
_ADDRESSES = {4: (socket.AF_INET, 12, 4), 6: (socket.AF_INET6, 8, 16)}
"""By IP version: where the source address stands in the header, and how long it is."""
_TCP_HEADER = struct.Struct("!HHIIBB")

Instruction = tuple[int, int, int, int]
_NUMBER, _NUMBER_TO_X, _LOAD, _LOAD_AT_X, _TO_X, _EQUAL, _RETURN = 0, 1, 0x20, 0x40, 7, 0x15, 6
_FIND, _FIND_NESTED = 0xFFFF_F00C, 0xFFFF_F010
"""SKF_AD_NLATTR, SKF_AD_NLATTR_NEST: A = offset of attribute X, sought from offset A; 0: none."""
_BEHIND_HEADERS: Final = 20
_WHOLE: Final = 0x40000


def sieve(own_table: str, *, every_head: bool) -> tuple[Instruction, ...]:
    """The socket filter: drops by a rule or a policy, and what a rule of `own_table` let go on.

    every_head: also what any other rule, or a chain's end, let go on. To be had when the message
    of a drop may not be the first one of its chain, which alone has the packet's headers.
    """
    begins = int.from_bytes(own_table.encode()[:4], "big")
    return (
        (_NUMBER, 0, 0, _BEHIND_HEADERS),
        (_NUMBER_TO_X, 0, 0, VERDICT),
        (_LOAD, 0, 0, _FIND),
        (_EQUAL, 13, 0, 0),  # no verdict: to the policy
        (_NUMBER_TO_X, 0, 0, _VERDICT_CODE),
        (_LOAD, 0, 0, _FIND_NESTED),
        (_TO_X, 0, 0, 0),
        (_LOAD_AT_X, 0, 0, 4),
        (_EQUAL, 16, 0, _DROP),  # to the end that accepts
        (_EQUAL, 15 if every_head else 0, 14, _CONTINUE),
        (_NUMBER, 0, 0, _BEHIND_HEADERS),
        (_NUMBER_TO_X, 0, 0, TABLE),
        (_LOAD, 0, 0, _FIND),
        (_EQUAL, 10, 0, 0),
        (_TO_X, 0, 0, 0),
        (_LOAD_AT_X, 0, 0, 4),
        (_EQUAL, 8, 7, begins),
        (_NUMBER, 0, 0, _BEHIND_HEADERS),  # the policy
        (_NUMBER_TO_X, 0, 0, POLICY),
        (_LOAD, 0, 0, _FIND),
        (_EQUAL, 3, 0, 0),
        (_TO_X, 0, 0, 0),
        (_LOAD_AT_X, 0, 0, 4),
        (_EQUAL, 1, 0, _DROP),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, _WHOLE),
    )


class Headers(NamedTuple):
    """What the headers of a traced TCP segment say."""

    source: Address
    destination: Address
    flags: str
    sequence: int
    acknowledgement: int | None
    length: int
    """Octets of payload."""


def headers(message: Message) -> Headers | None:
    """The segment's headers, where the message has them (nft_trace_fill_pkt_info)."""
    network = message.attributes.get(NETWORK, b"")
    transport = message.attributes.get(TRANSPORT, b"")
    version = network[0] >> 4 if network else 0
    if version not in _ADDRESSES or len(transport) < _TCP_HEADER.size:
        return None
    family, start, size = _ADDRESSES[version]
    source, destination = (
        socket.inet_ntop(family, network[start + skipped : start + skipped + size])
        for skipped in (0, size)
    )
    source_port, destination_port, sequence, acknowledgement, offset, bits = (
        _TCP_HEADER.unpack_from(transport)
    )
    whole = network[2:4] if version == 4 else network[4:6]
    length = number(whole) - (4 * (network[0] & 15) if version == 4 else 0)
    flags = flags_from_bits(bits | (offset & 1) << 8)
    return Headers(
        Address(source, source_port),
        Address(destination, destination_port),
        flags,
        sequence,
        acknowledgement if "." in flags else None,
        length - 4 * (offset >> 4),
    )


def drops(message: Message) -> bool:
    """Whether this is the end of a packet: a rule that drops or rejects it, or a policy."""
    verdict = message.attributes.get(VERDICT)
    if verdict is None:
        policy = message.attributes.get(POLICY)
        return policy is not None and number(policy) == _DROP
    return number(attributes(verdict)[_VERDICT_CODE]) == _DROP


def text(message: Message, attribute: int) -> str:
    """An attribute that is a string."""
    return message.attributes.get(attribute, b"").rstrip(b"\0").decode(errors="replace")
