"""The quick reading of a frame against scapy's, over whatever can be in a frame."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Raw

from sockstates import Segment
from sockstates.captures.file import CaptureFile
from sockstates.tcp.dissect import Malformed, dissect
from sockstates.tcp.headers import LINK_LAYERS, addresses, read_headers, read_segment, turned
from sockstates.tcp.links import (
    BSD_LOOPBACK,
    COOKED,
    COOKED_2,
    ETHERNET,
    OPENBSD_LOOPBACK,
    RAW_IP,
    RAW_IP_IN_FILES,
    RAW_IPV4,
    RAW_IPV6,
)
from tests.real_captures import over_real_captures, real_captures

HALF, WORD = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
MAC = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
Reading = Segment | None | str
OPTIONS = [
    [],
    [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (5, 6)), ("NOP", None), ("WScale", 7)],
    [("NOP", None), ("NOP", None), ("SAck", (5, 6, 9, 12))],
]


def outcome(read: Callable[[bytes, int, int], Segment | None], octets: bytes, link: int) -> Reading:
    """The segment, None, or that it is malformed; the words of the message are nobody's fact."""
    try:
        return read(octets, 7, link)
    except Malformed:
        return "malformed"


def agree(octets: bytes, link: int) -> Reading:
    seen = outcome(read_segment, octets, link)
    assert seen == outcome(dissect, octets, link)
    return seen


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    transport = TCP(
        sport=draw(HALF),
        dport=draw(HALF),
        seq=draw(WORD),
        ack=draw(WORD),
        flags=draw(st.integers(0, 511)),
        window=draw(HALF),
        urgptr=draw(HALF),
        options=draw(st.sampled_from(OPTIONS)),
    ) / Raw(draw(st.binary(max_size=40)))
    if draw(st.integers(0, 9)) == 0:
        transport = UDP() / Raw(draw(st.binary(max_size=10)))
    if draw(st.booleans()):
        length = {"len": draw(HALF)} if draw(st.integers(0, 5)) == 0 else {}
        return IP(
            src="10.0.0.1", dst="10.9.0.2", frag=draw(st.sampled_from((0, 0, 3))), **length
        ) / (transport)
    network = IPv6(src="fd00::1", dst="fd00:9::2")
    extension = draw(
        st.sampled_from((None, IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment))
    )
    return network / transport if extension is None else network / extension() / transport


def in_frame(packet: Packet, link: int, tags: int) -> bytes:
    family = b"\0\0\0\x02" if isinstance(packet, IP) else b"\0\0\0\x1e"
    kind = 0x0800 if isinstance(packet, IP) else 0x86DD
    for tag in (Dot1Q(vlan=5), Dot1AD(vlan=9))[:tags]:
        if link in (ETHERNET, COOKED, COOKED_2):
            tag.type, kind = kind, 0x8100 if isinstance(tag, Dot1Q) else 0x88A8
            packet = tag / packet
    below = {
        ETHERNET: bytes(Ether(src=MAC.src, dst=MAC.dst, type=kind) / Raw(bytes(packet))),
        COOKED: bytes(CookedLinux(proto=kind) / Raw(bytes(packet))),
        COOKED_2: bytes(CookedLinuxV2(proto=kind) / Raw(bytes(packet))),
        BSD_LOOPBACK: family[::-1] + bytes(packet),
        OPENBSD_LOOPBACK: family + bytes(packet),
    }
    return below.get(link, bytes(packet))


@given(packets(), st.sampled_from(sorted(LINK_LAYERS)), st.integers(0, 2))
def test_both_read_the_same_from_every_link(packet: Packet, link: int, tags: int) -> None:
    agree(in_frame(packet, link, tags), link)


@given(packets(), st.sampled_from(sorted(LINK_LAYERS)), st.integers(0, 2), st.data())
def test_both_read_the_same_from_what_is_damaged(
    packet: Packet, link: int, tags: int, data: st.DataObject
) -> None:
    octets = bytearray(in_frame(packet, link, tags))
    for _ in range(data.draw(st.integers(0, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    agree(bytes(octets[: data.draw(st.integers(0, len(octets)))]), link)


@given(st.binary(max_size=120), st.sampled_from(sorted(LINK_LAYERS)))
def test_any_octets_give_a_segment_none_or_malformed(octets: bytes, link: int) -> None:
    with contextlib.suppress(Malformed):
        read_segment(octets, 0, link)
    with contextlib.suppress(Malformed):
        read_headers(octets, link)


@pytest.mark.parametrize("link", sorted(LINK_LAYERS))
@pytest.mark.parametrize("tags", [0, 1, 2])
def test_every_link_gives_the_segment(link: int, tags: int) -> None:
    packet = (
        IPv6(src="fd00::1", dst="fd00::2")
        if link == RAW_IPV6
        else IP(src="10.0.0.1", dst="10.9.0.2")
    )
    seen = agree(in_frame(packet / TCP(sport=5, dport=6, seq=9), link, tags), link)
    assert isinstance(seen, Segment)
    assert (seen.source.port, seen.destination.port, seen.sequence) == (5, 6, 9)


def test_links_that_carry_ip_at_once_are_all_there() -> None:
    assert {RAW_IP, *RAW_IP_IN_FILES, RAW_IPV4, RAW_IPV6} <= set(LINK_LAYERS)


@pytest.mark.parametrize("read", [read_segment, dissect])
def test_another_link_is_refused(read: Callable[[bytes, int, int], Segment | None]) -> None:
    with pytest.raises(ValueError, match="link type 147"):
        read(bytes(60), 0, 147)


def test_what_carries_no_tcp_is_none() -> None:
    assert agree(bytes(MAC / ARP()), ETHERNET) is None
    assert agree(bytes(MAC) + b"\x00\x10" + bytes(40), ETHERNET) is None


@pytest.mark.parametrize(
    "network", [IP(src="10.0.0.1", dst="10.9.0.2"), IPv6(src="fd00::1", dst="::2")]
)
def test_ends_name_both_directions(network: Packet) -> None:
    headers = read_headers(bytes(MAC / network / TCP(sport=5, dport=6)))
    assert headers is not None
    source, destination = addresses(headers.ends)
    assert (source, destination) == ((network.src, 5), (network.dst, 6))
    assert addresses(turned(headers.ends)) == (destination, source)


@over_real_captures
def test_both_read_the_same_from_real_captures() -> None:
    segments = 0
    for path in real_captures():
        capture = CaptureFile(path)
        for _, interface, data, _, _ in capture.records():
            link = capture.found.interfaces[interface].link_type
            segments += isinstance(agree(data, link), Segment)
    assert segments > 0
