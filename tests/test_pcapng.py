import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from sockstates.captures.pcapng_writer import CaptureInterface, Section, pcapng_blocks, write_pcapng
from sockstates.record.frames import CapturedFrame

TIME = 1_700_000_000_123_456_789
SYN = bytes(
    Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    / IP(src="10.0.0.1", dst="10.0.0.2")
    / TCP(sport=43210, dport=16868, seq=5, window=64240)
)
FRAMES = [
    CapturedFrame(TIME, "client:eth0", "out", SYN, len(SYN)),
    CapturedFrame(TIME + 1, "server:eth0", "in", SYN, len(SYN)),
    CapturedFrame(TIME + 2_000_000_000, "client:eth0", "out", SYN[:54] + b"abc", 1514),
]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "capture.pcapng"
    write_pcapng(
        path,
        FRAMES,
        [
            CaptureInterface("client:eth0", "cable to server", received=3, dropped=1),
            CaptureInterface("server:eth0", received=1, dropped=0),
            CaptureInterface("router:eth0"),
        ],
        {0: "the SYN — lost", 2: "again"},
        Section("a machine", "Linux 6.18", "sockstates 0.1", "test_syn_sent"),
    )
    return path


def run(*command: str, path: Path) -> subprocess.CompletedProcess[str]:
    with path.open("rb") as file:
        return subprocess.run(command, stdin=file, capture_output=True, text=True, check=True)


@pytest.mark.programs("tshark")
def test_tshark_reads_all_that_was_written(capture: Path) -> None:
    fields = (
        "frame.time_epoch",
        "frame.interface_name",
        "frame.packet_flags_direction",
        "frame.len",
        "frame.cap_len",
        "frame.comment",
    )
    command = ["tshark", "-r", "-", "-T", "fields", "-E", "separator=|"]
    ran = run(*command, *(f"-e{field}" for field in fields), path=capture)
    assert [line.split("|") for line in ran.stdout.splitlines()] == [
        ["1700000000.123456789", "client:eth0", "0x00000002", "54", "54", "the SYN — lost"],
        ["1700000000.123456790", "server:eth0", "0x00000001", "54", "54", ""],
        ["1700000002.123456789", "client:eth0", "0x00000002", "1514", "57", "again"],
    ]
    assert _complaints(ran.stderr) == []


def _complaints(text: str) -> list[str]:
    return [line for line in text.splitlines() if "Running as user" not in line]


@pytest.mark.programs("capinfos")
def test_capinfos_reads_what_is_said_about_the_capture(capture: Path) -> None:
    ran = subprocess.run(["capinfos", capture], capture_output=True, text=True, check=True)
    for said in (
        "pcapng",
        "a machine",
        "Linux 6.18",
        "sockstates 0.1",
        "test_syn_sent",
        "nanoseconds (9)",
        "Name = client:eth0",
        "Description = cable to server",
        "Name = router:eth0",
        "Number of interfaces in file: 3",
        "Number of packets:   3",
    ):
        assert said in ran.stdout
    assert _complaints(ran.stderr) == []


@pytest.mark.programs("tshark")
def test_tshark_reads_the_losses(capture: Path) -> None:
    ran = run("tshark", "-r", "-", "-X", "read_format:MIME Files Format", "-V", path=capture)
    assert _complaints(ran.stderr) == []
    assert "Number of Dropped Packets: 1" in ran.stdout


@pytest.mark.programs("tcpdump")
def test_tcpdump_reads_it(capture: Path) -> None:
    ran = run("tcpdump", "-nnS", "-tt", "--nano", "-r", "-", path=capture)
    assert ran.stdout.splitlines()[:2] == [
        "1700000000.123456789 IP 10.0.0.1.43210 > 10.0.0.2.16868: Flags [S], seq 5, win 64240, "
        "length 0",
        "1700000000.123456790 IP 10.0.0.1.43210 > 10.0.0.2.16868: Flags [S], seq 5, win 64240, "
        "length 0",
    ]
    assert len(ran.stdout.splitlines()) == 3


@pytest.mark.programs("tcpdump")
@pytest.mark.programs("tshark")
def test_a_capture_of_nothing_is_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "nothing.pcapng"
    write_pcapng(path, [], [CaptureInterface("client:eth0", received=0, dropped=0)])
    assert run("tcpdump", "-r", "-", path=path).stdout == ""
    ran = run("tshark", "-r", "-", path=path)
    assert (ran.stdout, _complaints(ran.stderr)) == ("", [])


@given(
    st.lists(
        st.builds(
            lambda time, name, direction, data, more: CapturedFrame(
                time, name, direction, data, len(data) + more
            ),
            st.integers(0, 2**64 - 1),
            st.text(),
            st.sampled_from(("in", "out")),
            st.binary(max_size=40),
            st.integers(0, 9),
        ),
        max_size=5,
    ),
    st.dictionaries(st.integers(0, 4), st.text()),
)
def test_every_block_says_its_length_twice_and_is_aligned(
    frames: list[CapturedFrame], comments: dict[int, str]
) -> None:
    octets = b"".join(pcapng_blocks(frames, comments=comments))
    kinds = []
    position = 0
    while position < len(octets):
        kind, length = struct.unpack_from("<II", octets, position)
        assert length % 4 == 0
        assert struct.unpack_from("<I", octets, position + length - 4) == (length,)
        kinds.append(kind)
        position += length
    assert position == len(octets)
    assert kinds == sorted(kinds, key=[0x0A0D0D0A, 1, 6].index)
    assert kinds.count(6) == len(frames)
    assert kinds.count(1) == len({frame.interface for frame in frames})


@pytest.mark.parametrize(
    "frame",
    [
        CapturedFrame(TIME, "a:b", "in", b"12345", 4),
        CapturedFrame(TIME, "a:b", "in", bytes(262_145), 262_145),
        CapturedFrame(-1, "a:b", "in", b"", 0),
        CapturedFrame(2**64, "a:b", "in", b"", 0),
    ],
)
def test_what_the_format_cannot_hold_is_refused(frame: CapturedFrame) -> None:
    with pytest.raises(ValueError, match=r"octets captured|not a time"):
        list(pcapng_blocks([frame]))
