"""Altered frames, judged by scapy: what was asked for, right checksums, and nothing else."""

import random
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from sockstates.tcp.altering import (
    OPTION_KINDS,
    damaged,
    has_payload,
    is_sound,
    rewritten,
    with_right_checksum,
)

OPTIONS = [
    ("MSS", 1460),
    ("SAckOK", b""),
    ("Timestamp", (7, 9)),
    ("NOP", None),
    ("WScale", 7),
    ("SAck", (10, 20)),
]
NETWORKS = {
    "IPv4": IP(src="10.0.0.1", dst="10.0.0.2", ttl=64, id=1),
    "IPv4 with options": IP(src="10.0.0.1", dst="10.0.0.2", options=b"\1\1\1\0"),
    "IPv6": IPv6(src="fd00::1", dst="fd00::2"),
    "IPv6 with an extension": IPv6(src="fd00::1", dst="fd00::2") / IPv6ExtHdrDestOpt(),
}


def link() -> Packet:
    """Addresses are named, or scapy asks the machine's network for them."""
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


@pytest.fixture(params=NETWORKS)
def frame(request: pytest.FixtureRequest) -> bytes:
    """A segment with every option that can be taken out, and an odd number of bytes."""
    network = NETWORKS[request.param].copy()
    segment = TCP(sport=4242, dport=80, seq=5, ack=6, window=500, flags="PA", options=OPTIONS)
    return bytes(link() / network / segment / Raw(b"hello"))


def read(frame: bytes) -> Packet:
    return Ether(frame)


def judged(frame: bytes) -> bytes:
    """The frame with every checksum computed by scapy."""
    packet = read(frame)
    for layer, name in ((IP, "chksum"), (TCP, "chksum")):
        if layer in packet:
            delattr(packet[layer], name)
    return bytes(packet)


@pytest.mark.parametrize(
    ("name", "number", "field"),
    [
        ("sequence", 2**32 - 1, "seq"),
        ("acknowledgement", 1, "ack"),
        ("window", 0, "window"),
        ("urgent", 65535, "urgptr"),
    ],
)
def test_a_number_of_the_header(frame: bytes, name: str, number: int, field: str) -> None:
    after = rewritten(frame, numbers={name: number})
    assert getattr(read(after)[TCP], field) == number
    assert after == judged(after)
    assert differing(frame, after) <= 4 + 2, "the number and the checksum, and no byte else"


def differing(before: bytes, after: bytes) -> int:
    return sum(one != other for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(("name", "kind"), [("mss", "MSS"), ("window_scale", "WScale")])
def test_a_number_of_an_option(frame: bytes, name: str, kind: str) -> None:
    after = rewritten(frame, numbers={name: 3})
    expected = [(each, 3 if each == kind else value) for each, value in OPTIONS]
    assert [each for each in read(after)[TCP].options if each[0] != "EOL"] == expected
    assert after == judged(after)


def test_flags(frame: bytes) -> None:
    after = rewritten(frame, numbers={}, flags="R.")
    assert str(read(after)[TCP].flags) == "RA"
    assert read(after)[TCP].dataofs == read(frame)[TCP].dataofs
    assert after == judged(after)


@pytest.mark.parametrize("name", OPTION_KINDS)
def test_an_option_is_taken_out(frame: bytes, name: str) -> None:
    kinds = {
        "mss": "MSS",
        "wscale": "WScale",
        "sackOK": "SAckOK",
        "sack": "SAck",
        "TS": "Timestamp",
    }
    after = rewritten(frame, numbers={}, without=[name])
    left = [each for each in read(after)[TCP].options if each[0] not in ("NOP", "EOL")]
    assert left == [each for each in OPTIONS if each[0] not in (kinds[name], "NOP")]
    assert (after, len(after)) == (judged(after), len(frame))


def test_the_hops_left(frame: bytes) -> None:
    packet = read(rewritten(frame, numbers={"ttl": 1}))
    assert (packet[IP].ttl if IP in packet else packet[IPv6].hlim) == 1
    assert bytes(packet) == judged(bytes(packet))


def test_what_is_not_there_is_not_put_there() -> None:
    bare = bytes(link() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags="A"))
    assert rewritten(bare, numbers={"mss": 3, "window_scale": 1}, without=["TS"]) is bare


@pytest.mark.parametrize("checksum_fixed", [False, True])
@pytest.mark.parametrize("header", [False, True])
def test_damage_is_one_bit(frame: bytes, header: bool, checksum_fixed: bool) -> None:
    after = damaged(frame, header=header, checksum_fixed=checksum_fixed)
    before, now = read(frame)[TCP], read(after)[TCP]
    changed = (now.window ^ before.window, now.load[-1] ^ before.load[-1])
    assert changed == ((1, 0) if header else (0, 1))
    assert (after == judged(after)) is checksum_fixed is is_sound(after)
    assert differing(frame, after) == 1 or checksum_fixed


def test_without_payload_the_header_is_damaged() -> None:
    bare = bytes(link() / IPv6(src="fd00::1", dst="fd00::2") / TCP(flags="A", window=500))
    assert not has_payload(bare)
    assert read(damaged(bare))[TCP].window == 501


def test_checksums_of_any_segment() -> None:
    """Seeded; also a sum that comes out as nothing, which TCP sends as it is."""
    chance = random.Random(4)
    for network in NETWORKS.values():
        for _ in range(50):
            segment = TCP(seq=chance.getrandbits(32), chksum=chance.getrandbits(16))
            made: Any = link() / network / segment / Raw(chance.randbytes(chance.randrange(100)))
            right = with_right_checksum(bytes(made))
            assert (right, is_sound(right)) == (judged(bytes(made)), True)


def test_what_carries_no_segment_is_refused() -> None:
    other = bytes(link() / IP(src="10.0.0.1", dst="10.0.0.2", proto=17) / Raw(bytes(20)))
    with pytest.raises(ValueError, match="carries no TCP segment"):
        rewritten(other, numbers={"window": 1})
    assert is_sound(other)
