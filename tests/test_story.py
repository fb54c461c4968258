"""A story that is read once and drawn twice: its order, its silences, and what became of frames."""

import struct
from ipaddress import ip_address

import pytest

from sockstates.record.events import (
    CallBegan,
    CallEnded,
    ProgramEnded,
    ProgramStarted,
    ProgramWrote,
    RuleChanged,
    Step,
)
from sockstates.record.frames import CapturedFrame
from sockstates.record.kernel_events import FilterDecided, StateChanged, WireActed
from sockstates.record.timeline import Timeline
from sockstates.report.html.page import scenario_page
from sockstates.report.story import Note, Silence, Story, with_silences
from sockstates.report.text import ladder, text_timeline
from sockstates.report.words import action, shortened
from sockstates.tcp.icmp import IcmpError, read_icmp_error
from sockstates.tcp.segment import Address
from sockstates.tcp.states import CLOSED, ESTABLISHED, FIN_WAIT1, SYN_SENT
from tests.recorded import Written, at, empty_timeline, frame_octets, sends
from tests.report_samples import result_of

CLIENT, SERVER = ("10.0.0.1", 43210), ("10.0.0.2", 16868)
HERE, THERE = Address(*CLIENT), Address(*SERVER)
REJECT = "-A INPUT -p tcp --dport 16868 -j REJECT --reject-with icmp-port-unreachable"
SIX_CLIENT, SIX_SERVER = ("fd00::1", 43210), ("fd00::2", 16868)


def lines_of(timeline: Timeline) -> list[str]:
    """What stands between the lanes of the diagram, line by line."""
    return [line[12:].strip("| ") for line in ladder(timeline, calls=True).splitlines()[1:]]


def page_of(timeline: Timeline) -> str:
    return scenario_page(timeline, result_of(timeline), {}, [])


def icmp_frame(kind: int, code: int, about: bytes, *, rest: bytes = bytes(4)) -> bytes:
    """The server's ICMP error about a frame of the client's, checksums left out."""
    six = about[12:14] == b"\x86\xdd"
    message = bytes([kind, code, 0, 0]) + rest + about[14 : 14 + (48 if six else 28)]
    ends = [
        ip_address(end[0]).packed for end in ((SIX_SERVER, SIX_CLIENT) if six else (SERVER, CLIENT))
    ]
    if six:
        header = struct.pack("!IHBB", 6 << 28, len(message), 58, 64)
    else:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 0, 0, 64, 1, 0)
    return about[:14] + header + b"".join(ends) + message


SYN = frame_octets(CLIENT, SERVER, Written("S", 1000))
SIX_SYN = frame_octets(SIX_CLIENT, SIX_SERVER, Written("S", 1000))


@pytest.fixture
def rejected() -> Timeline:
    """A SYN that the server's filter rejects with an ICMP error, and what connect says."""
    made = empty_timeline()
    made.add(RuleChanged(at(0.01), "server", REJECT, "applied"))
    made.add(CallBegan(at(0.1), "client", 1, "connect", "server port 16868", HERE, THERE))
    made.add(StateChanged(at(0.1001), "client", HERE, THERE, CLOSED, SYN_SENT))
    sends(made, 0.1002, CLIENT, SERVER, Written("S", 1000))
    decided = FilterDecided(
        at(0.10025), "server", REJECT, "reject", HERE, THERE, "S", 1000, None, 0, "INPUT"
    )
    made.add(decided)
    answer = icmp_frame(3, 3, SYN)
    sent = CapturedFrame(at(0.1003), "server:eth0", "out", answer, len(answer))
    came = CapturedFrame(at(0.1004), "client:eth0", "in", answer, len(answer))
    made.add_frames("server", [sent])
    made.add_frames("client", [came])
    made.add(StateChanged(at(0.1005), "client", HERE, THERE, SYN_SENT, CLOSED))
    made.add(CallEnded(at(0.1006), "client", 1, "connect", 111))
    return made


def test_a_rejection_and_its_answer_are_in_the_diagram(rejected: Timeline) -> None:
    *lines, _, _ = lines_of(rejected)
    assert lines == [
        "server: iptables -A INPUT -p tcp --dport 16868 -j REJECT",
        "--reject-with icmp-port-unreachable",
        "connect(server port 16868)",
        "SYN_SENT",
        "---- [S] seq 0 --------------x -j REJECT --reject-with icmp-p...",
        "<--- ICMP port unreachable for 43210 > 16868 ---------------------",
        "CLOSED",
        "connect() failed after 0.6 ms: ECONNREFUSED (Connection refused)",
    ]
    told = "server > client: ICMP port unreachable, for client.43210 > server.16868"
    assert told in text_timeline(rejected)
    page = page_of(rejected)
    assert "ICMP from server: port unreachable, for client.43210 &gt; server.16868" in page
    assert f"server: iptables {REJECT}</code>" in page
    assert "Nothing: as in every lab." not in page


@pytest.mark.parametrize(
    ("frame", "ends", "reason"),
    [
        (icmp_frame(3, 1, SYN), (CLIENT, SERVER), "host unreachable"),
        (icmp_frame(3, 13, SYN), (CLIENT, SERVER), "administratively prohibited"),
        (
            icmp_frame(3, 4, SYN, rest=struct.pack("!HH", 0, 1400)),
            (CLIENT, SERVER),
            "fragmentation needed, mtu 1400",
        ),
        (icmp_frame(3, 200, SYN), (CLIENT, SERVER), "type 3, code 200"),
        (icmp_frame(1, 4, SIX_SYN), (SIX_CLIENT, SIX_SERVER), "port unreachable"),
        (
            icmp_frame(2, 0, SIX_SYN, rest=struct.pack("!I", 1280)),
            (SIX_CLIENT, SIX_SERVER),
            "packet too big, mtu 1280",
        ),
    ],
)
def test_an_icmp_error_says_which_segment_it_is_about(
    frame: bytes, ends: tuple[tuple[str, int], tuple[str, int]], reason: str
) -> None:
    (sender, receiver), error = ends, read_icmp_error(frame, 5)
    assert error == IcmpError(
        5, receiver[0], sender[0], Address(*sender), Address(*receiver), reason
    )


@pytest.mark.parametrize(
    "frame", [SYN, SIX_SYN, icmp_frame(8, 0, SYN), icmp_frame(3, 3, SYN)[:50], b"", bytes(20)]
)
def test_what_is_no_icmp_error_about_a_segment_is_none(frame: bytes) -> None:
    assert read_icmp_error(frame, 5) is None


def test_a_silence_ends_where_the_next_thing_happens() -> None:
    """The state that came with the FIN came after the silence, as the FIN did."""
    made = empty_timeline()
    sends(made, 0.1, CLIENT, SERVER, Written(".", 1001, 5001))
    made.add(StateChanged(at(2.09999), "client", HERE, THERE, ESTABLISHED, FIN_WAIT1))
    sends(made, 2.1, CLIENT, SERVER, Written("F.", 1001, 5001))
    assert lines_of(made)[1:] == [
        "... 2.00 s of silence ...",
        "FIN_WAIT1",
        "---- [F.] seq 1, ack 1 ------------------------------------------>",
    ]
    found = [item for item in with_silences(Story(made).items()) if isinstance(item, Silence)]
    assert [(each.began, each.time) for each in found] == [(at(0.1), at(2.09999))]


def test_what_the_wire_keeps_ends_there_and_goes_on_later() -> None:
    made = empty_timeline("wire")
    sends(made, 0.1, CLIENT, SERVER, Written("S", 1000), seen_at=())
    made.add(RuleChanged(at(0.15), "client", "-A INPUT -j DROP", "applied"))
    for action_, moment in (("held", 0.1001), ("released", 0.3)):
        act = WireActed(
            at(moment), "wire", 1, "hold S", action_, HERE, THERE, "S", 1000, came=at(0.1001)
        )
        made.add(act)
    first, _, second, *_ = lines_of(made)
    assert first.endswith("o held for 200 ms by the wire")
    assert second == "-- [S] 200 ms later ------------>"
    assert "o: the wire kept it" in ladder(made)


def test_a_remark_without_room_stands_below_its_arrow() -> None:
    made = empty_timeline("wire")
    sends(made, 0.1, CLIENT, SERVER, Written("P.", 1000, 7, bytes(1400)))
    act = WireActed(
        at(0.1001), "wire", 1, "", "rewritten", HERE, THERE, "P.", 1000, 7, 1400, at(0.1001),
        "window 0 and more than fits here",
    )  # fmt: skip
    made.add(act)
    arrow, remark = lines_of(made)
    assert arrow.startswith("---- [P.] seq 1:1401, ack 1")
    assert remark == "rewritten by the wire: window 0 and more than fits here"


def test_a_programs_output_stands_beside_the_arrows() -> None:
    made = empty_timeline()
    made.add(ProgramStarted(at(0.1), "client", 1, 7, ("/usr/bin/curl", "http://server")))
    made.add(ProgramStarted(at(0.1), "server", 1, 7, ("nginx",)))
    sends(made, 0.2, CLIENT, SERVER, Written("S", 1000))
    made.add(ProgramWrote(at(0.3), "client", 1, "stderr", b"refused\nreally\n"))
    made.add(ProgramEnded(at(0.4), "client", 1, 7))
    assert lines_of(made) == [
        "curl starts: /usr/bin/curl http://server",
        "nginx starts: nginx",
        "---- [S] seq 0 -------------------------------------------------->",
        "curl stderr: refused (and 1 more lines)",
        "curl ended with exit status 7",
    ]
    assert "curl stderr: refused" in page_of(made)
    assert "curl" not in ladder(made)
    made.add(ProgramWrote(at(0.5), "client", 1, "stderr", b"\x1b[31mred"))
    assert lines_of(made)[-1] == "curl stderr: ␛[31mred"


def test_a_call_that_fails_before_its_socket_has_an_address_is_told() -> None:
    made = empty_timeline()
    sends(made, 0.1, CLIENT, SERVER, Written("S", 1000))
    nowhere = Address("0.0.0.0", 0)
    made.add(CallBegan(at(0.2), "client", 1, "connect", "", nowhere, THERE))
    made.add(CallEnded(at(0.3), "client", 1, "connect", 99))
    assert lines_of(made)[1:] == [
        "connect() failed after 100 ms: EADDRNOTAVAIL (Cannot assign",
        "requested address)",
    ]


def test_a_rule_that_is_counted_again_and_again_is_told_once() -> None:
    made = empty_timeline()
    for seconds, change, count in ((0.1, "applied", 0), (0.2, "counted", 1), (0.3, "counted", 2)):
        made.add(RuleChanged(at(seconds), "server", "-A INPUT -j DROP", change, count))
    said = [item.text for item in Story(made).items() if isinstance(item, Note)]
    assert said == ["iptables -A INPUT -j DROP", "iptables -A INPUT -j DROP: so far 2 packets"]


def test_a_story_without_a_segment_is_told_too() -> None:
    made = empty_timeline()
    made.add(Step(at(0), "The client connects."))
    made.add(CallBegan(at(0.1), "client", 1, "connect", "", HERE, THERE))
    made.add(StateChanged(at(0.2), "client", HERE, THERE, CLOSED, SYN_SENT))
    made.add(CallEnded(at(0.3), "client", 1, "connect", 113))
    drawn = ladder(made, calls=True)
    assert drawn.startswith("no TCP segment was captured\n")
    assert [line[12:].strip("| ") for line in drawn.splitlines()[-3:]] == [
        "connect()",
        "SYN_SENT",
        "connect() failed after 200 ms: EHOSTUNREACH (No route to host)",
    ]


@pytest.mark.parametrize(
    ("rule", "room", "short", "does"),
    [
        (REJECT, 100, REJECT, "REJECT"),
        (REJECT, 60, "-A INPUT -p... -j REJECT --reject-with icmp-port-unreachable", "REJECT"),
        (REJECT, 20, "-j REJECT --rejec...", "REJECT"),
        ("-A INPUT -p tcp --dport 80 -j DROP", 25, "-A INPUT -p tc... -j DROP", "DROP"),
        ("-P INPUT DROP", 40, "-P INPUT DROP", "DROP"),
        ("hold client > server: Flags [S]", 20, "hold client > ser...", "hold"),
        ("wrong checksum", 20, "wrong checksum", "wrong checksum"),
    ],
)
def test_what_a_rule_does_is_the_last_that_is_cut(
    rule: str, room: int, short: str, does: str
) -> None:
    assert shortened(rule, room) == short
    assert action(rule) == does
