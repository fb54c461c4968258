"""Timelines made by hand, as a lab would have recorded them: for what only reads timelines."""

import struct
from ipaddress import ip_address
from typing import NamedTuple

from sockstates.record.events import HostReady
from sockstates.record.frames import CapturedFrame
from sockstates.record.timeline import HostNames, Timeline
from sockstates.tcp.altering import with_right_checksum

START = 1_700_000_000_000_000_000
"""When the hand-made scenarios begin (ns)."""
ADDRESSES: dict[str, tuple[str, ...]] = {
    "client": ("10.0.0.1", "fd00::1"),
    "server": ("10.0.0.2", "fd00::2"),
}
FLAG_BITS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16}


End = tuple[str, int]


class Written(NamedTuple):
    """What a segment says."""

    flags: str
    sequence: int
    acknowledgement: int = 0
    payload: bytes = b""


def at(seconds: float) -> int:
    """A moment of the hand-made scenario."""
    return START + round(seconds * 1_000_000) * 1000


def empty_timeline(*between: str) -> Timeline:
    names = HostNames(ADDRESSES | {"localhost": ("127.0.0.1", "::1")})
    timeline = Timeline("A title", names, START, frozenset(between))
    for host in (*ADDRESSES, *between):
        timeline.add(HostReady(at(-0.01), host, 1, {"net.ipv4.tcp_syn_retries": "6"}))
        timeline.frames[host] = []
    return timeline


def frame_octets(source: End, target: End, written: Written) -> bytes:
    """An Ethernet frame with a TCP segment, IPv4's checksum left out."""
    flags, sequence, acknowledgement, payload = written
    bits = sum(FLAG_BITS[letter] for letter in flags)
    ports = struct.pack("!HH", source[1], target[1])
    tcp = ports + struct.pack("!IIBBHHH", sequence, acknowledgement, 5 << 4, bits, 500, 0, 0)
    tcp += payload
    ends = ip_address(source[0]).packed + ip_address(target[0]).packed
    if ip_address(source[0]).version == 4:
        kind = 0x0800
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0)
    else:
        kind = 0x86DD
        header = struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64)
    ethernet = b"\x02\0\0\0\0\x02" + b"\x02\0\0\0\0\x01" + struct.pack("!H", kind)
    return with_right_checksum(ethernet + header + ends + tcp)


def sends(
    timeline: Timeline,
    seconds: float,
    source: End,
    target: End,
    written: Written,
    *,
    seen_at: tuple[str, ...] | None = None,
) -> None:
    """A segment leaves the host of `source`. `seen_at`: hosts that captured it after that.

    By default its destination did. A host in between that forwards it is named twice.
    """
    octets = frame_octets(source, target, written)
    sender, receiver = (timeline.names.host(end[0]) for end in (source, target))
    loopback = sender == receiver
    captures = [(sender, "in" if loopback else "out")]
    if not loopback:
        captures += [(host, "in") for host in (seen_at if seen_at is not None else (receiver,))]
    for delay, (host, direction) in enumerate(captures):
        interface = f"{host}:{'lo' if loopback else 'eth0'}"
        frame = CapturedFrame(
            at(seconds) + 1000 * delay,
            interface,
            "out" if direction == "out" else "in",
            octets,
            len(octets),
        )
        timeline.add_frames(host, [frame])
