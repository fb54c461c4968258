import contextlib
import logging
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from sockstates import Segment
from sockstates.tcp.dissect import Malformed, dissect
from sockstates.tcp.links import ETHERNET, RAW_IP
from sockstates.tcp.segment import Address, flags_from_bits

WORD, HALF = st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1)
ETHERNET_HEADER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def frame(transport: Any, network: Any = None, trailer: bytes = b"") -> bytes:
    network = IP(src="10.0.0.1", dst="10.0.0.2") if network is None else network
    return bytes(ETHERNET_HEADER / network / transport) + trailer


def read(octets: bytes, link_type: int = ETHERNET) -> Segment:
    segment = dissect(octets, 0, link_type)
    assert segment is not None
    return segment


@st.composite
def networks(draw: st.DrawFn) -> tuple[Any, str, str]:
    if draw(st.booleans()):
        return IP(src="10.0.0.1", dst="10.0.0.2"), "10.0.0.1", "10.0.0.2"
    network = IPv6(src="fd00::1", dst="fd00::2")
    for extension in draw(
        st.lists(
            st.sampled_from((IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt, IPv6ExtHdrRouting)), max_size=3
        )
    ):
        network /= extension()
    return network, "fd00::1", "fd00::2"


@given(
    networks(),
    st.integers(0, 511),
    st.tuples(HALF, HALF, WORD, WORD, HALF, HALF),
    st.binary(max_size=60),
    st.integers(0, 20),
)
def test_what_scapy_builds_is_read_back(
    network: Any, bits: int, numbers: tuple[int, ...], payload: bytes, padding: int
) -> None:
    layers, source, destination = network
    sport, dport, sequence, acknowledgement, window, urgent = numbers
    transport = TCP(
        sport=sport,
        dport=dport,
        seq=sequence,
        ack=acknowledgement,
        window=window,
        urgptr=urgent,
        flags=bits,
        options=[("MSS", 1460), ("Timestamp", (1, 2)), ("WScale", 7)],
    )
    assert dissect(frame(transport / Raw(payload), layers, bytes(padding)), 7) == Segment(
        time=7,
        source=Address(source, sport),
        destination=Address(destination, dport),
        flags=flags_from_bits(bits),
        sequence=sequence,
        acknowledgement=acknowledgement if bits & 0x10 else None,
        window=window,
        urgent=urgent,
        options=read(frame(transport)).options,
        payload=payload,
    )


def test_options_are_those_scapy_wrote() -> None:
    options = [
        ("MSS", 1460),
        ("SAckOK", b""),
        ("Timestamp", (8656013, 0)),
        ("NOP", None),
        ("WScale", 7),
    ]
    segment = read(frame(TCP(options=options)))
    text = "mss 1460,sackOK,TS val 8656013 ecr 0,nop,wscale 7"
    assert ",".join(map(str, segment.options)).removesuffix(",eol") == text


def test_padding_of_a_short_frame_is_no_payload() -> None:
    segment = read(frame(TCP(flags="A"), trailer=bytes(6)))
    assert segment.payload == b""
    assert segment.length == 0


@pytest.mark.parametrize("network", [IP(dst="10.0.0.2"), IPv6(dst="fd00::2")])
def test_a_truncated_capture_keeps_the_length(network: Any) -> None:
    segment = read(frame(TCP() / Raw(b"hello"), network)[:-3])
    assert segment.payload == b"he"
    assert segment.length == 5


def test_segmentation_offload_leaves_the_length_to_the_frame() -> None:
    octets = bytearray(frame(TCP() / Raw(b"hello")))
    octets[16:18] = b"\0\0"
    assert read(bytes(octets)).payload == b"hello"


def test_a_packet_without_ethernet() -> None:
    octets = frame(TCP(sport=5))[14:]
    assert read(octets, RAW_IP).source.port == 5
    assert dissect(b"", 0, RAW_IP) is None
    with pytest.raises(ValueError, match="link type 147"):
        dissect(octets, 0, 147)


@pytest.mark.parametrize(
    "octets",
    [
        frame(UDP()),
        frame(UDP(), IPv6(dst="fd00::2")),
        bytes(ETHERNET_HEADER / ARP()),
        bytes(ETHERNET_HEADER / Dot1Q(vlan=5) / ARP()),
        frame(TCP(), IP(frag=3)),
        frame(TCP(), IPv6(dst="fd00::2") / IPv6ExtHdrFragment(offset=3)),
        bytes(ETHERNET_HEADER) + b"\x00\x10" + bytes(40),
    ],
    ids=["udp", "udp6", "arp", "vlan", "fragment", "fragment6", "802.3"],
)
def test_what_is_no_segment_is_none(octets: bytes) -> None:
    assert dissect(octets, 0) is None


def test_the_first_fragment_is_a_segment() -> None:
    network = IPv6(dst="fd00::2") / IPv6ExtHdrFragment(offset=0, m=1)
    assert read(frame(TCP(sport=5), network)).source.port == 5


def test_an_authentication_header_counts_its_length_in_words() -> None:
    header = bytes([6, 4]) + bytes(22)  # RFC 4302, section 2.2: 24 bytes are 6 words, less 2
    network = IPv6(src="fd00::1", dst="fd00::2", nh=51) / Raw(header)
    assert read(bytes(ETHERNET_HEADER / network / TCP(sport=5))).source.port == 5


WHOLE = frame(TCP(options=[("MSS", 1460)]))


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (WHOLE[:10], "an Ethernet header has 14"),
        (WHOLE[:20], "IPv4 header; it has at least 20"),
        (WHOLE[:40], "TCP header; it has at least 20"),
        (WHOLE[:55], "TCP header says it has 24 bytes; 21 are there"),
        (WHOLE[:46] + b"\x10" + WHOLE[47:], "says it has 4 bytes; the least is 20"),
        (WHOLE[:14] + b"\x43" + WHOLE[15:], "IPv4 header of version 4 and 12 octets"),
        (WHOLE[:14] + b"\x65" + WHOLE[15:], "IPv4 header of version 6"),
        (WHOLE[:16] + b"\0\x05" + WHOLE[18:], "length 5 is less than its header's, 20"),
        (WHOLE[:55] + b"\x09" + WHOLE[56:], "TCP option 2 at byte 0 of the options says length 9"),
        (frame(TCP(), IPv6(dst="fd00::2"))[:30], "IPv6 header; it has 40"),
        (
            frame(TCP(), IPv6(dst="fd00::2") / IPv6ExtHdrHopByHop())[:56],
            "extension header 0 is cut",
        ),
    ],
)
def test_contradictions_are_malformed_and_say_why(octets: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        dissect(octets, 0)


@given(st.binary(max_size=120))
def test_any_octets_give_a_segment_none_or_malformed(octets: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert dissect(octets, 0) is None or isinstance(dissect(octets, 0), Segment)


@given(st.data())
def test_any_damage_gives_a_segment_none_or_malformed(data: st.DataObject) -> None:
    network = data.draw(st.sampled_from((IP(), IPv6(dst="fd00::2") / IPv6ExtHdrDestOpt())))
    octets = bytearray(frame(TCP(options=[("MSS", 1460), ("SAck", (1, 2))]) / b"hello", network))
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(12, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(octets)))
    with contextlib.suppress(Malformed):
        segment = dissect(bytes(octets[:cut]), 0)
        assert segment is None or segment.length >= len(segment.payload)


def test_nothing_is_printed_or_logged(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for octets in (WHOLE, WHOLE[:55] + b"\x09" + WHOLE[56:], WHOLE[:30]):
        try:
            dissect(octets, 0)
        except Malformed:
            continue
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_scapy_is_imported_only_when_needed_and_quietly() -> None:
    program = (
        "import sys, sockstates.tcp; assert 'scapy' not in sys.modules; "
        f"print(sockstates.tcp.dissect(bytes.fromhex('{WHOLE.hex()}'), 0).flags)"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert (ran.stdout, ran.stderr) == ("S\n", "")
