"""``sockstates show``: what it draws, and what it says where there is nothing to draw."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from sockstates.__main__ import main
from sockstates.commands import show
from sockstates.report.folder import write_folder
from tests.large_capture import frame, talk, write
from tests.made_captures import made, write_pcap
from tests.module_trees import PROJECT
from tests.recorded import Written, empty_timeline, frame_octets, sends

CLIENT, SERVER = ("10.0.0.1", 43210), ("10.0.0.2", 80)
HANDSHAKE = [
    (CLIENT, SERVER, Written("S", 100)),
    (SERVER, CLIENT, Written("S.", 500, 101)),
    (CLIENT, SERVER, Written(".", 101, 501)),
]
CLOSE = [
    (CLIENT, SERVER, Written("F.", 101, 501)),
    (SERVER, CLIENT, Written(".", 501, 102)),
]
LADDER = """\
capture: 5 segments of 1 TCP connection

            10.0.0.1.43210                                                10.0.0.2.80
  0.000000  |---- [S] seq 0 ------------------------------------------------------->|
  0.000000  | (SYN_SENT)                                                            |
  0.001000  |<--- [S.] seq 0, ack 1 ------------------------------------------------|
  0.001000  |                                                            (SYN_RECV) |
  0.001000  | (ESTABLISHED)                                                         |
  0.002000  |---- [.] ack 1 ------------------------------------------------------->|
"""


def pcap(path: Path, frames: list[bytes], link: int = 1) -> Path:
    octets = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    for number, each in enumerate(frames):
        octets += struct.pack("<IIII", 1_700_000_000, number * 1000, len(each), len(each)) + each
    path.write_bytes(octets)
    return path


def frames(*said: tuple[tuple[str, int], tuple[str, int], Written]) -> list[bytes]:
    return [frame_octets(*each) for each in said]


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["show", *map(str, arguments), "--width", "85"]) == 0
    said = capsys.readouterr()
    assert not said.err
    commands = "To see one: "  # not folded, so that they can be copied
    assert all(len(line) <= 85 for line in said.out.splitlines() if not line.startswith(commands))
    return said.out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["show", *map(str, arguments)]) == 1
    said = capsys.readouterr()
    assert not said.out
    return said.err


def test_one_connection_is_drawn_with_its_states(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(capsys, pcap(tmp_path / "capture", frames(*HANDSHAKE, *CLOSE)))
    assert text.startswith(LADDER)
    assert "(FIN_WAIT1)" in text
    assert "inferred from the segments (RFC 9293), not seen" in text


@pytest.mark.parametrize("cut", [1, 17, 60])
def test_of_a_file_cut_off_what_there_is_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cut: int
) -> None:
    path = pcap(tmp_path / "capture", frames(*HANDSHAKE))
    path.write_bytes(path.read_bytes()[:-cut])
    text = shown(capsys, path)
    assert "! the file ends within" in text
    assert "the 2 frames before it are not" in " ".join(text.split())
    assert "[S.] seq 0, ack 1" in text


def test_what_a_capture_lacks_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = (CLIENT, SERVER, Written("P.", 301, 501, b"abc"))
    text = shown(capsys, pcap(tmp_path / "one", frames(HANDSHAKE[2], later)))
    assert "! connection 0 began before the capture" in text
    assert "! connection 0: only what 10.0.0.1 sent was captured, or nobody answered" in text
    assert "! connection 0: segments are missing in the capture in 1 places" in text
    broken = [*frames(*HANDSHAKE), frames(HANDSHAKE[0])[0][:40]]
    text = shown(capsys, pcap(tmp_path / "two", broken))
    assert "! 1 frames contradict themselves or are cut short" in text


def test_many_connections_are_a_table_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "large.pcap"
    write(path, 4000)
    text = shown(capsys, path)
    assert "4000 segments of 50 TCP connections" in text
    assert "and 20 more, in which less went wrong" in text
    assert f"sockstates show {path} --connection" in " ".join(text.split())
    one = shown(capsys, path, "--connection", 7, "--most", 20)
    assert "the first 20 of" in one
    assert "443" in one
    assert one.count("-->|") + one.count("|<--") == 20
    source = one.split("\n\n")[1].split()[0]
    assert source.startswith("10.0.0.1.")
    assert shown(capsys, path, "--connection", source, "--most", 20) == one
    assert shown(capsys, path, "--connection", source[9:], "--most", 20) == one


def test_a_connection_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = pcap(tmp_path / "capture", frames(*HANDSHAKE))
    assert "none of its 1 connections is '9': give a number below 1" in refused(
        capsys, path, "--connection", "9"
    )
    assert "none of its 1 connections is '10.0.0.1.4'" in refused(
        capsys, path, "--connection", "10.0.0.1.4"
    )


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "it is empty"),
        (b"hello, world", "neither pcap nor pcapng"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 9, 1), "no TCP segment is in it"),
        (b"\xd4\xc3\xb2\xa1\0", "no TCP segment is in it; the file ends within its header"),
    ],
)
def test_what_cannot_be_shown_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], octets: bytes, why: str
) -> None:
    path = tmp_path / "capture"
    path.write_bytes(octets)
    assert why in refused(capsys, path)


def test_a_file_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such file or directory" in refused(capsys, tmp_path / "missing")
    assert "it is a folder" in refused(capsys, tmp_path)


def test_a_link_type_that_is_not_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pcap(tmp_path / "capture", frames(*HANDSHAKE), link=147)
    assert "3 frames have link type 147, which is not read here" in refused(capsys, path)


def test_another_link_is_drawn_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = [each[14:] for each in frames(*HANDSHAKE)]
    text = shown(capsys, pcap(tmp_path / "capture", raw, link=101))
    assert "3 segments of 1 TCP connection" in text
    assert "(ESTABLISHED)" in text


def test_our_own_folder_is_shown_from_each_of_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    timeline = empty_timeline()
    for number, (source, target, written) in enumerate((*HANDSHAKE, *CLOSE)):
        arrives = ("client",) if source is SERVER else ("server",)
        sends(timeline, number, source, target, written, seen_at=arrives if number != 4 else ())
    write_folder(timeline, tmp_path)
    whole = shown(capsys, tmp_path / "all_hosts.pcapng")
    assert "5 segments of 1 TCP connection" in whole
    assert "client.43210" in whole
    assert "lost x" in whole
    assert "5 segments" in shown(capsys, tmp_path / "server.pcapng")
    assert "4 segments" in shown(capsys, tmp_path / "client.pcapng")
    assert "client.43210" in shown(capsys, tmp_path / "timeline.jsonl")


def test_whatever_was_made_up_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pcap(tmp_path / "made", made(3, 20))
    for number in range(10):
        shown(capsys, tmp_path / "made", "--connection", number)


def test_who_has_seen_enough_may_close_the_pipe(tmp_path: Path) -> None:
    write(tmp_path / "large.pcap", 60_000)
    command = [sys.executable, "-m", "sockstates", "show", str(tmp_path / "large.pcap")]
    with subprocess.Popen(
        [*command, "--connection", "443", "--table"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == 0


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["show"])
    assert ended.value.code == 2
    assert "usage: sockstates show" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["show", "--help"])
    assert ended.value.code == 0
    assert "--connection" in capsys.readouterr().out


def test_a_talk_of_the_large_capture_is_one_connection() -> None:
    import random

    first = next(talk(random.Random(1)))
    assert len(frame(3, first)) == 66
    assert show.MOST > show.ROWS
