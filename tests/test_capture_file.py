import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockstates.captures.file import CaptureFile, NotACapture
from sockstates.captures.pcapng_writer import CaptureInterface, Section, pcapng_blocks
from sockstates.record.frames import CapturedFrame

TIME = 1_700_000_000_123_456_789
ORDERS = {"<": "little", ">": "big"}


def pcap(order: str, *, nano: bool, frames: list[tuple[int, bytes]], link: int = 1) -> bytes:
    magic, unit = (0xA1B23C4D, 1) if nano else (0xA1B2C3D4, 1000)
    octets = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    for time, data in frames:
        seconds, rest = divmod(time, 10**9)
        octets += (
            struct.pack(order + "IIII", seconds, rest // unit, len(data), len(data) + 5) + data
        )
    return octets


def block(order: str, kind: int, body: bytes) -> bytes:
    size = struct.pack(order + "I", 12 + len(body) + -len(body) % 4)
    return struct.pack(order + "I", kind) + size + body + bytes(-len(body) % 4) + size


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str, *options: bytes) -> bytes:
    body = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    return block(order, 0x0A0D0D0A, body + b"".join(options))


def interface(order: str, link: int = 1, *options: bytes) -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link, 0, 0) + b"".join(options))


def enhanced(order: str, number: int, ticks: int, data: bytes, *options: bytes) -> bytes:
    sizes = len(data), len(data)
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, *sizes)
    return block(order, 6, head + data + bytes(-len(data) % 4) + b"".join(options))


def read(
    tmp_path: Path, octets: bytes
) -> tuple[CaptureFile, list[tuple[int, int, bytes, int, str]]]:
    path = tmp_path / "capture"
    path.write_bytes(octets)
    capture = CaptureFile(path)
    return capture, list(capture.records())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("nano", [True, False])
def test_pcap_of_either_order_and_either_fraction(tmp_path: Path, order: str, nano: bool) -> None:
    frames = [(TIME, b"abc"), (TIME + 10**9, b"")]
    capture, records = read(tmp_path, pcap(order, nano=nano, frames=frames, link=113))
    expected = TIME if nano else TIME // 1000 * 1000
    assert records == [(expected, 0, b"abc", 8, ""), (expected + 10**9, 0, b"", 5, "")]
    assert [each.link_type for each in capture.found.interfaces] == [113]
    assert capture.found.remarks == []


def test_a_link_type_has_sixteen_bits(tmp_path: Path) -> None:
    """Above them stands how long the frame check sequence is."""
    capture, _ = read(tmp_path, pcap("<", nano=True, frames=[], link=0x14000001))
    assert capture.found.interfaces[0].link_type == 1


def test_our_own_pcapng_comes_back(tmp_path: Path) -> None:
    frames = [
        CapturedFrame(TIME, "client:eth0", "out", b"abc", 3),
        CapturedFrame(TIME + 1, "server:eth0", "in", b"abcd", 90),
    ]
    interfaces = [CaptureInterface("client:eth0", received=3, dropped=2)]
    blocks = pcapng_blocks(frames, interfaces, {1: "a step"}, Section(comment="a title"))
    capture, records = read(tmp_path, b"".join(blocks))
    assert records == [(TIME, 0, b"abc", 3, "out"), (TIME + 1, 1, b"abcd", 90, "in")]
    assert [each.name for each in capture.found.interfaces] == ["client:eth0", "server:eth0"]
    assert [(each.frame, each.text) for each in capture.found.comments] == [
        (None, "a title"),
        (1, "a step"),
    ]
    assert capture.found.remarks == ["the capture lost 2 frames on client:eth0 while it was made"]


@given(st.lists(st.tuples(st.integers(0, 2**63), st.binary(max_size=30)), max_size=5), st.data())
def test_whatever_we_write_is_read(
    tmp_path_factory: pytest.TempPathFactory, frames: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    captured = [
        CapturedFrame(time, f"host:eth{len(octets) % 2}", "in", octets, len(octets) + 1)
        for time, octets in frames
    ]
    octets = b"".join(pcapng_blocks(captured))
    capture, records = read(tmp_path_factory.mktemp("c"), octets)
    assert [(time, octets, length) for time, _, octets, length, _ in records] == [
        (each.time, each.data, each.length) for each in captured
    ]
    assert capture.found.remarks == []
    cut = octets[: data.draw(st.integers(4, len(octets)))]
    _, some = read(tmp_path_factory.mktemp("c"), cut)
    assert some == records[: len(some)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("resolution", "ticks", "time"),
    [
        (None, 5, 5000),
        (b"\x09", 5, 5),
        (b"\x00", 5, 5 * 10**9),
        (b"\x0c", 5000, 5),
        (b"\x8a", 1024, 10**9),
        (b"\x81", 3, 1_500_000_000),
    ],
)
def test_every_clock(
    tmp_path: Path, order: str, resolution: bytes | None, ticks: int, time: int
) -> None:
    said = [] if resolution is None else [option(order, 9, resolution)]
    octets = section(order) + interface(order, 1, *said) + enhanced(order, 0, ticks, b"x")
    assert [record[0] for record in read(tmp_path, octets)[1]] == [time]


@pytest.mark.parametrize("order", ORDERS)
def test_a_clock_may_begin_elsewhere(tmp_path: Path, order: str) -> None:
    offset = option(order, 14, struct.pack(order + "q", -3))
    octets = section(order) + interface(order, 1, offset) + enhanced(order, 0, 5_000_000, b"x")
    assert read(tmp_path, octets)[1][0][0] == 2 * 10**9


def test_sections_have_interfaces_of_their_own_and_their_own_order(tmp_path: Path) -> None:
    first = section("<") + interface("<", 1, option("<", 2, b"a")) + enhanced("<", 0, 1, b"x")
    second = section(">") + interface(">", 101, option(">", 2, b"b")) + enhanced(">", 0, 2, b"yy")
    capture, records = read(tmp_path, first + second)
    assert [(each.name, each.link_type) for each in capture.found.interfaces] == [
        ("a", 1),
        ("b", 101),
    ]
    assert [record[:3] for record in records] == [(1000, 0, b"x"), (2000, 1, b"yy")]


@pytest.mark.parametrize("order", ORDERS)
def test_older_kinds_of_frames_and_unknown_blocks(tmp_path: Path, order: str) -> None:
    simple = block(order, 3, struct.pack(order + "I", 3) + b"abc")
    old = block(order, 2, struct.pack(order + "HHIIII", 0, 9, 0, 7, 2, 4) + b"xy")
    strange = block(order, 0x40000BAD, b"whatever")
    octets = section(order) + interface(order) + simple + strange + old
    capture, records = read(tmp_path, octets)
    assert records == [(0, 0, b"abc", 3, ""), (7000, 0, b"xy", 4, "")]
    assert capture.found.remarks == []


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("bits", "direction"), [(1, "in"), (2, "out"), (0, ""), (3, "")])
def test_directions_and_comments(tmp_path: Path, order: str, bits: int, direction: str) -> None:
    flags = option(order, 2, struct.pack(order + "I", bits | 0x80))
    comments = option(order, 1, "grüße".encode()) + option(order, 1, b"again")
    frame = enhanced(order, 0, 1, b"x", comments, flags)
    capture, records = read(tmp_path, section(order) + interface(order) + frame)
    assert records[0][4] == direction
    assert [each.text for each in capture.found.comments] == ["grüße", "again"]


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "it is empty"),
        (b"#!/bin/sh\n", "it begins with the octets 23 21 2f 62"),
        (b"\x1f\x8b\x08\x00", "gunzip"),
        (b"\x0a", "it begins with"),
    ],
)
def test_what_is_no_capture_is_refused(tmp_path: Path, octets: bytes, why: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(octets)
    with pytest.raises(NotACapture, match=why):
        CaptureFile(path)


WHOLE = pcap("<", nano=True, frames=[(TIME, b"abc"), (TIME, b"defg")])
BLOCKS = section("<") + interface("<")
FRAME = enhanced("<", 0, 1, b"x")


@pytest.mark.parametrize(
    ("octets", "frames", "why"),
    [
        (WHOLE[:20], 0, "ends within its header; not one frame"),
        (WHOLE[:-1], 1, "ends within frame 2; what follows is lost, the one frame before"),
        (WHOLE[:50], 1, "ends within the header of frame 2"),
        (WHOLE[:24] + b"\xff" * 16, 0, "frame 1 is said to have 4294967295 octets"),
        (BLOCKS + FRAME[:-6], 0, "ends within a block, the one at octet 48"),
        (BLOCKS + FRAME + FRAME + b"\x06\0", 2, "the 2 frames before it are not"),
        (BLOCKS + struct.pack("<II", 6, 3), 0, "the block at octet 48, kind 6, says it has 3"),
        (BLOCKS + struct.pack("<II", 6, 2**31), 0, "says it has 2147483648 octets"),
        (BLOCKS + enhanced("<", 7, 1, b"x"), 0, "interface 7, which is not described"),
        (section("<") + block("<", 3, bytes(8)), 0, "an interface that is not described"),
        (BLOCKS + block("<", 6, bytes(8)), 0, "no room for its header"),
        (BLOCKS + block("<", 2, bytes(8)), 0, "no room for its header"),
        (section("<") + block("<", 1, b""), 0, "no room for its link type"),
        (
            BLOCKS + block("<", 6, struct.pack("<IIIII", 0, 0, 1, 99, 99)),
            0,
            "frame 1 is said to have 99 octets",
        ),
        (b"\x0a\x0d\x0d\x0a" + bytes(20), 0, "does not say its order of octets"),
    ],
)
def test_a_broken_file_gives_what_comes_before(
    tmp_path: Path, octets: bytes, frames: int, why: str
) -> None:
    capture, records = read(tmp_path, octets)
    assert len(records) == frames == capture.found.frames
    assert len(capture.found.remarks) == 1
    assert why in capture.found.remarks[0]


@given(st.binary(max_size=200), st.sampled_from([BLOCKS, BLOCKS + FRAME, WHOLE, WHOLE[:24]]))
def test_no_octets_break_the_reader(
    tmp_path_factory: pytest.TempPathFactory, octets: bytes, before: bytes
) -> None:
    capture, records = read(tmp_path_factory.mktemp("c"), before + octets)
    assert capture.found.frames == len(records)


def test_the_records_can_be_read_again(tmp_path: Path) -> None:
    capture, records = read(tmp_path, WHOLE)
    assert list(capture.records()) == records
    assert capture.found.frames == len(records) == 2
