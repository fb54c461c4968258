"""Segments written by hand: what the notation makes of them, and what it refuses with which words.

What is made is read back by our own reading of a frame, and by scapy's own layers.
"""

from collections.abc import Mapping

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from sockstates import Segment
from sockstates.tcp.crafting import (
    USUAL_WINDOW,
    CraftingError,
    frame_of,
    frame_text,
    packet_of,
    read_layer,
)
from sockstates.tcp.dissect import dissect
from sockstates.tcp.notation import format_segment
from sockstates.tcp.segment import Address

ENDS = {
    4: (Address("10.0.0.1", 40000), Address("10.0.0.2", 80)),
    6: (Address("fd00::1", 40000), Address("fd00::2", 80)),
}
MACS = "02:00:00:00:00:01", "02:00:00:00:00:02"


def frame(layer: object, version: int = 4, checksum: int | None = None) -> bytes:
    return frame_of(packet_of(layer, *ENDS[version], checksum), *MACS)


def made(
    text: str,
    letters: Mapping[str, int] | None = None,
    *,
    version: int = 4,
    payload: bytes = b"",
) -> Segment:
    found = dissect(frame(read_layer(text, letters or {}, payload), version), 0)
    assert found is not None
    return found


@pytest.mark.parametrize("version", ENDS)
@pytest.mark.parametrize(
    ("written", "payload"),
    [
        ("Flags [S], seq 1000, win 64240, options [mss 1460], length 0", b""),
        ("Flags [P.], seq 1:6, ack 9, win 5, length 5", b"hello"),
        ("Flags [PU], seq 1:6, win 5, urg 3, length 5", b"hello"),
        ("Flags [R], seq 4294967295, win 0, length 0", b""),
        ("Flags [none], win 1, length 0", b""),
        ("Flags [FSRP.UEWe], seq 7, ack 8, win 1, urg 9, length 0", b""),
        (
            "Flags [S], seq 1, win 1, options [mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7], "
            "length 0",
            b"",
        ),
        ("Flags [.], ack 5, win 1, options [nop,nop,sack 2 {5:9}{20:30}], length 0", b""),
    ],
)
def test_what_is_written_is_what_tcpdump_prints(version: int, written: str, payload: bytes) -> None:
    text = written if "seq" in written else written.replace(", ", ", seq 3, ", 1)
    segment = made(text, version=version, payload=payload)
    assert format_segment(segment).partition(": ")[2] == written
    assert (segment.source, segment.destination) == ENDS[version]
    assert segment.payload == payload


def test_letters_stand_for_what_was_seen() -> None:
    segment = made(
        "Flags [.], seq J+1, ack K+1, options [nop,nop,sack 1 {K+5:K+9}]", {"J": 7, "K": 2**32 - 1}
    )
    assert (segment.sequence, segment.acknowledgement) == (8, 0)
    assert str(segment.options[-1]) == "sack 1 {4:8}"
    assert segment.window == USUAL_WINDOW


@pytest.mark.parametrize("version", ENDS)
def test_the_checksum_is_right_unless_another_is_given(version: int) -> None:
    layer = read_layer("Flags [S], seq 1", {})
    right = Ether(frame(layer, version))
    again = right.copy()
    del again[TCP].chksum
    assert Ether(bytes(again))[TCP].chksum == right[TCP].chksum
    assert Ether(frame(layer, version, 0xDEAD))[TCP].chksum == 0xDEAD
    assert "cksum" not in frame_text(bytes(right), lambda end: end.ip)
    text = frame_text(frame(layer, version, 0xDEAD), lambda end: end.ip)
    assert f"cksum 0xdead (incorrect -> 0x{right[TCP].chksum:04x}), seq 1" in text


def test_of_a_layer_only_what_is_not_set_is_filled_in() -> None:
    whole = Ether(frame(IP(src="10.0.0.99", ttl=3) / TCP(sport=7, seq=5, flags="R") / b"x"))
    assert (whole.src, whole.dst) == MACS
    assert (whole[IP].src, whole[IP].dst, whole[IP].ttl) == ("10.0.0.99", "10.0.0.2", 3)
    assert (whole[TCP].sport, whole[TCP].dport, whole[TCP].seq) == (7, 80, 5)
    assert Ether(frame(TCP(), 6))[IPv6].src == "fd00::1"


def test_a_layer_is_not_changed_by_sending_it() -> None:
    layer = TCP(flags="S")
    frame(layer)
    assert set(layer.fields) == {"flags"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read from ''"),
        ("Flags S, seq 1", "expected the flags in brackets"),
        ("Flags [S], sequence 1", "expected seq, ack, win, urg, options or length"),
        ("Flags [S], seq 1\nFlags [S], seq 2", "one segment at a time, not 2 lines"),
        ("a > b: Flags [S], seq 1\na > b: Flags [S], seq 2", "one segment at a time, not 2 lines"),
        ("Flags [_], seq 1", "write the flags"),
        ("Flags [S]", "seq is missing"),
        ("Flags [.], seq 1", "has the flag '.', and the line gives no 'ack'"),
        ("Flags [S], seq 1, ack 2", "lacks the flag '.', and the line gives 'ack'"),
        ("Flags [U], seq 1", "has the flag 'U', and the line gives no 'urg'"),
        (
            "Flags [.], seq 1, ack K+1",
            "ack K+1: K stands for no number. Letters that lab.sees has bound: J",
        ),
        ("Flags [S], seq _", "stands for no number"),
        ("Flags [S], seq 1:6", "written with 5 bytes, and payload=… has 0"),
        ("Flags [S], seq 1, length 5", "written with 5 bytes, and payload=… has 0"),
        (
            "Flags [S], seq 1, options [md5]",
            "option md5 cannot be made; these can: options [mss 1460,",
        ),
        ("Flags [S], seq 1, options [mss]", "option mss cannot be made"),
        ("Flags [S], seq 1, options [mss 70000]", "option mss 70000: at most 65535"),
        ("Flags [S], seq 1, options [TS val 1]", "option TS val 1 cannot be made"),
        ("Flags [S], seq 1, options [sack 2 {1:2}]", "option sack 2 {1:2} has 1 blocks"),
        ("Flags [S], seq 1, options [sack]", "option sack cannot be made"),
        ("Flags [S], seq 1, options [" + ",".join(["mss 1"] * 11) + "]", "take 44 bytes"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_what_can(text: str, said: str) -> None:
    with pytest.raises(CraftingError) as refused:
        frame(read_layer(text, {"J": 1}))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "layer", [5, b"octets", IP(), Ether(dst="02:00:00:00:00:01") / IP() / TCP(), IPv6() / TCP()]
)
def test_other_layers_are_refused(layer: object) -> None:
    with pytest.raises(CraftingError, match=r"layer"):
        frame(layer)


def test_what_is_no_segment_any_more_is_said_to_be_none() -> None:
    assert "no segment that can be read" in frame_text(frame(TCP(dataofs=15)), lambda end: end.ip)
    assert "no TCP" in frame_text(frame(IP(frag=7) / TCP()), lambda end: end.ip)
