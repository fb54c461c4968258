"""The folder that a scenario leaves: what is in it, and that the real programs open it."""

import errno
import json
import re
import subprocess
from pathlib import Path

import pytest

from sockstates import Host, Lab
from sockstates.record.events import FramesLost, RuleChanged, SocketSeen, Step, SysctlSet
from sockstates.record.kernel_events import StateChanged
from sockstates.record.timeline import Timeline
from sockstates.report.capture_comments import AFTERWARDS
from sockstates.report.folder import ALL_HOSTS, write_folder
from sockstates.report.text import ladder, states_table, text_timeline
from sockstates.report.timeline_file import NAME, read_timeline
from sockstates.tcp.segment import Address
from sockstates.tcp.states import ESTABLISHED, FIN_WAIT1, SYN_SENT, TIME_WAIT, State
from tests.recorded import Written, at, empty_timeline, sends

CLIENT, SERVER = Address("10.0.0.1", 43210), Address("10.0.0.2", 16868)
READERS = {
    "tshark": ("-o", "tcp.check_checksum:FALSE", "-r"),
    "tcpdump": ("-nr",),
    "capinfos": (),
}


def seen(seconds: float, state: State) -> SocketSeen:
    return SocketSeen(at(seconds), "server", SERVER, CLIENT, state)


@pytest.fixture
def timeline() -> Timeline:
    """Three segments on the way to ESTABLISHED; the server's end is seen in two ways."""
    made = empty_timeline()
    made.add(Step(at(0), "A connection is established."))
    made.add(SysctlSet(at(0.0005), "client", "net.ipv4.tcp_retries2", "8", "15"))
    sends(made, 0.001, CLIENT, SERVER, Written("S", 1000))
    made.add(SocketSeen(at(0.0015), "client", CLIENT, SERVER, SYN_SENT))
    sends(made, 0.002, SERVER, CLIENT, Written("S.", 5000, 1001))
    sends(made, 0.003, CLIENT, SERVER, Written(".", 1001, 5001))
    made.add(seen(0.0036, ESTABLISHED))
    made.add(StateChanged(at(0.0035), "server", SERVER, CLIENT, SYN_SENT, ESTABLISHED))
    made.add(RuleChanged(at(0.004), "client", "-A INPUT -j DROP", "applied"))
    made.add(RuleChanged(at(0.0045), "client", "-A INPUT -j DROP", "counted"))
    sends(made, 0.005, SERVER, CLIENT, Written("F.", 5001, 1001))
    made.add(StateChanged(at(0.0055), "server", SERVER, CLIENT, ESTABLISHED, FIN_WAIT1))
    made.add(seen(0.006, FIN_WAIT1))
    made.add(Step(at(1), "Nobody answers — ever."))
    made.add(seen(1.5, TIME_WAIT))
    return made


@pytest.fixture
def folder(timeline: Timeline, tmp_path: Path) -> Path:
    made = tmp_path / "new" / "folder"
    write_folder(timeline, made)
    return made


def comments(path: Path) -> list[str]:
    """tshark's comment of each frame."""
    command = ["tshark", "-r", str(path), "-T", "json", "-e", "frame.comment", "-e", "frame.number"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    layers = [frame["_source"]["layers"] for frame in json.loads(ran.stdout)]
    return ["\n".join(each.get("frame.comment", [])) for each in layers]


def complaints(program: str, path: Path) -> list[str]:
    command = [program, *READERS[program], str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout
    quiet = ("Running as user", "reading from file")
    return [line for line in ran.stderr.splitlines() if not line.startswith(quiet)]


def test_what_is_in_it(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    texts = {"timeline.txt", "timeline.jsonl", "ladder.txt"}
    assert names == {*texts, "client.pcapng", "server.pcapng", ALL_HOSTS}


@pytest.fixture
def lab_folder(lab: Lab, client: Host, server: Host, tmp_path: Path) -> Path:
    """What a real lab leaves, with a router, and loopback captured."""
    lab.step("A connection each.")
    client.connect(server.listen()).server.reaches(ESTABLISHED)
    client.connect(client.listen()).server.reaches(ESTABLISHED)
    client.connect(server, port=9).client.connecting.fails(errno.ECONNREFUSED)
    server.iptables("-A INPUT -p tcp --dport 9 -j DROP").delete()
    client.start(["sh", "-c", "echo hello; echo again >&2"]).ends(0)
    lab.settle()
    write_folder(lab.timeline, tmp_path / "lab")
    return tmp_path / "lab"


@pytest.fixture
def lossy_folder(tmp_path: Path) -> Path:
    """Of a capture that lost frames."""
    lossy = empty_timeline()
    sends(lossy, 0.1, CLIENT, SERVER, Written("S", 1))
    lossy.add(FramesLost(at(1), "server", 3))
    write_folder(lossy, tmp_path / "lossy")
    return tmp_path / "lossy"


@pytest.mark.parametrize(
    "program", [pytest.param(name, marks=pytest.mark.programs(name)) for name in READERS]
)
@pytest.mark.topology(loopback=True, router=True)
def test_the_real_programs_open_all_of_it(
    folder: Path, lab_folder: Path, lossy_folder: Path, program: str
) -> None:
    folders = {folder: 3, lab_folder: 4, lossy_folder: 3}
    for each, count in folders.items():
        captures = list(each.glob("*.pcapng"))
        assert len(captures) == count
        for path in captures:
            assert complaints(program, path) == []


@pytest.mark.topology(loopback=True, router=True)
def test_what_a_real_lab_recorded_is_read_back_whole(lab: Lab, lab_folder: Path) -> None:
    read = read_timeline(lab_folder / NAME)
    assert read.events == lab.timeline.events
    assert {type(each).__name__ for each in read.events} >= {
        *("Step", "SocketSeen", "CallBegan", "CallEnded", "HostReady", "RuleChanged"),
        *("ProgramStarted", "ProgramWrote", "ProgramEnded", "WitnessJoined"),
    }
    assert read.frames == lab.timeline.frames
    assert read.wire == lab.timeline.wire
    assert read.names == lab.timeline.names
    for draw in (ladder, states_table, text_timeline):
        assert draw(read) == draw(lab.timeline)


def test_one_that_lost_frames_is_read_back_too(lossy_folder: Path) -> None:
    (lost,) = [each for each in read_timeline(lossy_folder / NAME).events
               if isinstance(each, FramesLost)]  # fmt: skip
    assert (lost.host, lost.count) == ("server", 3)


@pytest.mark.programs("capinfos")
def test_a_capture_of_nothing_says_what_happened(tmp_path: Path) -> None:
    empty = empty_timeline()
    empty.add(Step(at(0), "Nothing is sent."))
    write_folder(empty, tmp_path)
    for path in tmp_path.glob("*.pcapng"):
        shown = subprocess.run(["capinfos", path], capture_output=True, text=True, check=True)
        assert "Step: Nothing is sent." in shown.stdout
        assert shown.stderr == ""


@pytest.mark.programs("tshark")
class TestComments:
    def test_on_the_frame_that_follows(self, folder: Path) -> None:
        first, second, third, fourth = comments(folder / "client.pcapng")
        assert first.split("\n") == [
            "Step: A connection is established.",
            "client: net.ipv4.tcp_retries2 = 8 (was 15), at 0.000500 s",
        ]
        assert second == "client: client.43210 is seen as SYN_SENT, at 0.001500 s"
        assert third == ""
        assert fourth.split("\n") == [
            "client: iptables -A INPUT -j DROP, at 0.004000 s",
            AFTERWARDS,
            "Step: Nobody answers — ever.",
        ]

    def test_a_state_that_the_kernel_showed_is_not_told_twice(self, folder: Path) -> None:
        *_, last = comments(folder / "server.pcapng")
        assert last.split("\n") == [
            "server: server.16868 becomes ESTABLISHED, at 0.003500 s",
            AFTERWARDS,
            "server: server.16868 becomes FIN_WAIT1, at 0.005500 s",
            "Step: Nobody answers — ever.",
            "server: server.16868 is seen as TIME_WAIT, at 1.500000 s",
        ]

    def test_of_all_hosts_in_the_capture_of_all(self, folder: Path) -> None:
        said = comments(folder / ALL_HOSTS)
        assert len(said) == 8
        whole = "\n".join(said)
        for host in ("client", "server"):
            own = "\n".join(comments(folder / f"{host}.pcapng")).splitlines()
            assert set(own) <= set(whole.splitlines())
        assert whole.count("Step: A connection") == 1


@pytest.mark.programs("tshark")
def test_the_capture_of_all_is_in_order_and_names_every_interface(folder: Path) -> None:
    fields = ("frame.interface_name", "frame.time_epoch", "frame.packet_flags_direction")
    command = ["tshark", "-r", str(folder / ALL_HOSTS), "-T", "fields"]
    command += [f"-e{each}" for each in fields]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in ran.stdout.splitlines()]
    assert [row[0] for row in rows[:4]] == [
        "client:eth0",
        "server:eth0",
        "server:eth0",
        "client:eth0",
    ]
    times = [row[1] for row in rows]
    assert times == sorted(times)
    assert times[0] == "1700000000.001000000"
    assert [row[2] for row in rows[:2]] == ["0x00000002", "0x00000001"]


@pytest.mark.programs("tshark")
def test_losses_are_in_the_captures(timeline: Timeline, tmp_path: Path) -> None:
    timeline.add(FramesLost(at(1), "server", 3))
    write_folder(timeline, tmp_path)
    expected = {"server.pcapng": ["3"], "client.pcapng": ["0"], ALL_HOSTS: ["0", "3"]}
    for name, lost in expected.items():
        command = [
            "tshark",
            "-X",
            "read_format:MIME Files Format",
            "-V",
            "-r",
            str(tmp_path / name),
        ]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        found = re.findall(r"Number of Dropped Packets: (\d+)", ran.stdout)
        assert found == lost
