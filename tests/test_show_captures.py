"""`sockstates show` of captures from anywhere: what it counts, what it draws, what it says of both.

Every capture is made here. tests/test_show.py has the command itself.
"""

import re
from pathlib import Path

import pytest

from sockstates.__main__ import main
from sockstates.captures.pcapng_writer import CaptureInterface, Section, write_pcapng
from sockstates.record.frames import CapturedFrame
from tests.made_captures import Stamped, write_stamped
from tests.recorded import START, Written, frame_octets

CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)
CONVERSATION = [
    (0, CLIENT, SERVER, Written("S", 100)),
    (10_000, SERVER, CLIENT, Written("S.", 500, 101)),
    (10_100, CLIENT, SERVER, Written(".", 101, 501)),
    (11_000, CLIENT, SERVER, Written("P.", 101, 501, b"x" * 100)),
    (21_000, SERVER, CLIENT, Written(".", 501, 201)),
    (30_000, CLIENT, SERVER, Written("F.", 201, 501)),
    (40_000, SERVER, CLIENT, Written("F.", 501, 202)),
    (40_100, CLIENT, SERVER, Written(".", 202, 502)),
]
"""Microsecond, from, to, what it says: eight segments, nothing repeated."""


def conversation(later: int = 0) -> list[Stamped]:
    return [
        (later + time, frame_octets(source, target, said))
        for time, source, target, said in CONVERSATION
    ]


def shown(capsys: pytest.CaptureFixture[str], path: Path, *arguments: str, width: int = 100) -> str:
    """What is printed, with each `!` line unfolded."""
    assert main(["show", str(path), *arguments, "--width", str(width)]) == 0
    said = capsys.readouterr()
    assert not said.err
    return re.sub(r"\n  (?=\S)(?! *\d+\.\d)", " ", said.out)


def arrows(text: str) -> int:
    return len(re.findall(r"--+>\||\|<--+", text))


class TestOrder:
    @pytest.mark.parametrize("early", [1, 150, 2_000_000])
    def test_what_is_counted_is_drawn_in_the_order_of_the_stamps(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], early: int
    ) -> None:
        frames = conversation(5_000_000)
        frames[1] = frames[0][0] - early, frames[1][1]
        text = shown(capsys, write_stamped(tmp_path / "early.pcap", frames))
        assert arrows(text) == 8
        assert "8 segments of 1 TCP connection" in text
        assert "again" not in text.partition("\n\nno.")[0]
        assert text.count("the file's stamps are not in order: 1 frame is stamped up to") == 1
        assert {1: "1 us", 150: "150 us", 2_000_000: "2.00 s"}[early] in text
        first = next(line for line in text.splitlines() if "|" in line)
        assert "[S.]" in first

    def test_the_last_segments_of_a_connection_are_drawn_when_they_are_stamped_early(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Two connections in the same ports, put into the file one after the other, backwards."""
        frames = [*conversation(9_000_000), *conversation()]
        text = shown(capsys, write_stamped(tmp_path / "two.pcap", frames))
        assert arrows(text) == 16
        assert "8 frames are stamped up to 9.04 s before" in text

    def test_of_a_file_in_order_nothing_is_said(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = shown(capsys, write_stamped(tmp_path / "base.pcap", conversation()))
        assert arrows(text) == 8
        assert "!" not in text


class TestStates:
    def test_ladder_and_table_say_the_same(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write_stamped(tmp_path / "base.pcap", conversation())
        text = shown(capsys, path)
        assert "(TIME_WAIT)" in text
        assert "(LAST_ACK?)" in text
        assert "(CLOSED?)" in text
        assert text.rstrip().endswith("TIME_WAIT CLOSED?")
        table = shown(capsys, path, "--table")
        assert "TIME_WAIT CLOSED?" in table


class TestRefusedThenAccepted:
    @pytest.mark.parametrize("number", [5, 2**31 - 5, 2**31 + 5, 3_000_000_000, 2**32 - 2])
    @pytest.mark.parametrize("refusals", [1, 3])
    def test_nothing_is_sent_again_but_the_syn(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        number: int,
        refusals: int,
    ) -> None:
        """RST's number is 0 where no connection is, and the SYN-ACK's has nothing to do with it."""
        said = [
            (CLIENT, SERVER, Written("S", 100)),
            (SERVER, CLIENT, Written("R.", 0, 101)),
        ] * refusals + [
            (CLIENT, SERVER, Written("S", 100)),
            (SERVER, CLIENT, Written("S.", number, 101)),
            (CLIENT, SERVER, Written(".", 101, (number + 1) % 2**32)),
            (SERVER, CLIENT, Written("P.", (number + 1) % 2**32, 101, b"x" * 100)),
            (SERVER, CLIENT, Written("P.", (number + 101) % 2**32, 101, b"x" * 100)),
            (CLIENT, SERVER, Written(".", 101, (number + 201) % 2**32)),
        ]
        frames = [(place * 300_000, frame_octets(*each)) for place, each in enumerate(said)]
        text = shown(capsys, write_stamped(tmp_path / "refused.pcap", frames))
        drawn = [line for line in text.splitlines() if "again" in line and "|" in line]
        assert len(drawn) == refusals
        assert all("[S] seq 0, again" in line for line in drawn)
        assert arrows(text) == len(frames)
        assert "[S.] seq 0, ack 1 --" in text
        assert "[P.] seq 1:101" in text
        assert "not captured" not in text
        assert text.count("(SYN_RECV)") == 1


@pytest.mark.parametrize("length", [0, 1])
def test_what_asks_a_closed_window_is_a_window_probe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], length: int
) -> None:
    """Linux's has no byte and lies one before the next (tcp_xmit_probe_skb); others have one."""
    closed = bytearray(frame_octets(SERVER, CLIENT, Written(".", 501, 201)))
    closed[48:50] = bytes(2)
    probe = Written(".", 200, 501) if not length else Written(".", 201, 501, b"x")
    asks = frame_octets(CLIENT, SERVER, probe)
    later = [(300_000 + place, each) for place, each in enumerate((asks, bytes(closed)) * 3)]
    frames = [*conversation()[:4], (21_000, bytes(closed)), *later]
    text = shown(capsys, write_stamped(tmp_path / "closed.pcap", frames))
    assert "keep-alive" not in text
    assert text.count("zero window probe ") + text.count("zero window probe,") >= 3
    assert text.count("zero window probe ACK") == 3


def test_what_asks_an_open_window_is_a_keep_alive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asks = frame_octets(CLIENT, SERVER, Written(".", 200, 501))
    answers = frame_octets(SERVER, CLIENT, Written(".", 501, 201))
    frames = [*conversation()[:5], (9_000_000, asks), (9_010_000, answers)]
    text = shown(capsys, write_stamped(tmp_path / "idle.pcap", frames))
    assert "keep-alive --" in text
    assert "keep-alive ACK" in text
    assert "probe" not in text


def captured_on(names: list[str], path: Path, application: str) -> Path:
    """The conversation, its segments captured on the first two of these interfaces in turn."""
    frames = [
        CapturedFrame(time * 1000 + START, name, "in", data, len(data))
        for number, (time, data) in enumerate(conversation())
        for name in names[number % 2 : number % 2 + 1]
    ]
    interfaces = [CaptureInterface(name) for name in names]
    write_pcapng(path, frames, interfaces, section=Section(application=application))
    return path


class TestInterfaces:
    def test_a_colon_in_a_name_makes_no_host_of_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = captured_on(["wan:0", "lan:1"], tmp_path / "two.pcapng", "Dumpcap (Wireshark)")
        text = shown(capsys, path)
        assert "10.0.0.1.40000" in text
        assert "lost x" not in text
        assert "x lost" not in text
        assert "captured on 2 interfaces (wan:0, lan:1)" in text

    def test_many_take_one_line(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = captured_on([f"if{n}" for n in range(60)], tmp_path / "many.pcapng", "Dumpcap")
        octets = path.read_bytes()
        assert "captured on 60 interfaces (if0, if1, if2, if3, 56 more)" in shown(capsys, path)
        for number in range(60):  # the same length, so that the option is only renamed: to 2988
            name = f"if{number}".encode()
            option = b"\x02\x00" + len(name).to_bytes(2, "little") + name
            octets = octets.replace(option, b"\xac\x0b" + option[2:], 1)
        path.write_bytes(octets)
        assert "captured on 60 interfaces (60 without a name)" in shown(capsys, path)


def routed(frame: bytes, identification: int, hops: int = 64, station: int = 1) -> bytes:
    """The frame with an IP identification and a TTL, from another station on the link."""
    addresses = bytes([2, 0, 0, 0, 0, station]) * 2
    ip = bytearray(frame[14:34])
    ip[4:6], ip[8] = identification.to_bytes(2, "big"), hops
    return addresses + frame[12:14] + bytes(ip) + frame[34:]


class TestCopies:
    @pytest.mark.parametrize("identified", [True, False])
    def test_what_passes_a_router_is_one_segment(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, identified: bool
    ) -> None:
        frames = []
        for number, (time, data) in enumerate(conversation(), 1):
            name = number if identified else 0
            frames.append((time, routed(data, name)))
            frames.append((time + 30, routed(data, name, 63, 2)))
        text = shown(capsys, write_stamped(tmp_path / "router.pcap", frames))
        assert arrows(text) == 8
        assert "again" not in text.partition("\n\nno.")[0]
        assert "8 of 8 segments were captured more than once, up to 2 times" in text
        assert "with a TTL of 64 and 63" in text

    def test_a_mirrored_port_is_told_by_the_identification(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        frames = []
        for number, (time, data) in enumerate(conversation(), 1):
            frames += [(time + late, routed(data, number)) for late in (0, 9)]
        text = shown(capsys, write_stamped(tmp_path / "mirror.pcap", frames))
        assert arrows(text) == 8
        assert "at one place, with the same IP identification" in text

    def test_a_repetition_is_no_copy(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Sent again it has another identification, or nothing tells: then it counts as sent."""
        for names in ((1, 2), (0, 0), (7, 7)):
            frames = [(time, routed(data, names[0])) for time, data in conversation()]
            frames.insert(4, (11_500, routed(conversation()[3][1], names[1])))
            text = shown(capsys, write_stamped(tmp_path / "again.pcap", frames))
            assert arrows(text) == 9
            assert "length 100, again" in text

    def test_what_comes_once_more_at_the_same_place_later_is_drawn(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Also where it is the same packet: the network has doubled it, its capture has not."""
        talk = conversation()
        frames = [(time, routed(data, number)) for number, (time, data) in enumerate(talk, 1)]
        frames.insert(4, (frames[3][0] + 5_000, frames[3][1]))
        text = shown(capsys, write_stamped(tmp_path / "doubled.pcap", sorted(frames)))
        assert arrows(text) == 9
        assert "length 100, again" in text


def test_an_absurd_argument_is_answered_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_stamped(tmp_path / "base.pcap", conversation())
    assert main(["show", str(path), "--connection", "9" * 5000]) == 1
    said = capsys.readouterr()
    assert not said.out
    assert len(said.err.splitlines()) == 1
    assert len(said.err) < 300 + len(str(path))
    assert max(map(len, shown(capsys, path, width=10**9).splitlines())) <= 1000


def test_what_may_carry_tcp_unread_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = conversation()
    labelled = [(time, data[:12] + b"\x88\x47\0\1\1\x40" + data[14:]) for time, data in plain]
    outer = bytearray(plain[0][1][:34])
    outer[23] = 17
    ports = bytes([0xC0, 0, 0x12, 0xB5, 0, 0, 0, 0])
    wrapped = [(time, bytes(outer) + ports + bytes(8) + data) for time, data in plain]
    named = "frames that may carry TCP in what is not read here"
    text = shown(capsys, write_stamped(tmp_path / "some.pcap", [*plain, *labelled]))
    assert f"{named}: 8 are MPLS" in text
    path = write_stamped(tmp_path / "all.pcap", wrapped)
    assert main(["show", str(path)]) == 1
    assert f"no TCP segment is in it; {named}: 8 are VXLAN" in capsys.readouterr().err
