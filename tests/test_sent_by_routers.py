"""Who sent a segment: a router passes on what has come to it; all else it sends is its own."""

from pathlib import Path

import pytest

from sockstates import CLOSED, ESTABLISHED, Host, Lab
from sockstates.__main__ import main
from sockstates.lab.schedule import is_from
from sockstates.record.frames import CapturedFrame
from sockstates.record.timeline import HostNames, Timeline
from sockstates.report.delivery import lost_segments
from sockstates.report.folder import write_folder
from sockstates.report.text import ladder
from tests.recorded import ADDRESSES, End, Written, at, empty_timeline, frame_octets

CLIENT, SERVER, ROUTER = ("10.0.0.1", 40000), ("10.0.0.2", 8080), ("10.0.0.9", 80)
DATA, RESET = Written("P.", 1000, 7, b"abc"), Written("R", 7)
FORTH = (("client", "out"), ("router", "in"), ("router", "out"), ("server", "in"))
REFUSED = (("router", "out"), ("client", "in"))


@pytest.fixture
def timeline() -> Timeline:
    """A lab whose router has an address, with nothing recorded yet."""
    timeline = empty_timeline("router")
    timeline.names = HostNames({**ADDRESSES, "router": (ROUTER[0],)})
    return timeline


def _passes(
    timeline: Timeline,
    seconds: float,
    way: tuple[tuple[str, str], ...],
    ends: tuple[End, End],
    written: Written,
) -> None:
    octets = frame_octets(*ends, written)
    for number, (host, direction) in enumerate(way):
        timeline.add_frames(
            host,
            [
                CapturedFrame(
                    at(seconds) + 1000 * number,
                    f"{host}:eth0",
                    "in" if direction == "in" else "out",
                    octets,
                    len(octets),
                )
            ],
        )


def _flags_and_senders(timeline: Timeline) -> list[tuple[str, str]]:
    return [(each.flags, timeline.sender(each)) for each in timeline.wire]


def test_what_a_router_passes_on_is_its_senders(timeline: Timeline) -> None:
    _passes(timeline, 0.1, FORTH, (CLIENT, SERVER), DATA)
    assert _flags_and_senders(timeline) == [("P.", "client")]
    assert not timeline.sent_between


def test_a_routers_reset_in_the_servers_name(timeline: Timeline) -> None:
    _passes(timeline, 0.1, FORTH[:2], (CLIENT, SERVER), DATA)
    _passes(timeline, 0.2, REFUSED, (SERVER, CLIENT), RESET)
    assert _flags_and_senders(timeline) == [("P.", "client"), ("R", "router")]
    assert "sent by router, in server's name" in ladder(timeline, width=120)
    assert list(lost_segments(timeline).values()) == ["router"], "the data, and not the RST"


def test_each_of_a_routers_equal_resets(timeline: Timeline) -> None:
    for moment in (0.1, 0.3):
        _passes(timeline, moment, FORTH[:2], (CLIENT, SERVER), DATA)
        _passes(timeline, moment + 0.1, REFUSED, (SERVER, CLIENT), RESET)
    assert [sender for _, sender in _flags_and_senders(timeline)] == ["client", "router"] * 2


def test_a_routers_reset_that_did_not_arrive_was_last_seen_nowhere_else(timeline: Timeline) -> None:
    _passes(timeline, 0.1, REFUSED[:1], (SERVER, CLIENT), RESET)
    assert list(lost_segments(timeline).values()) == [""]


def test_what_a_router_sends_in_its_own_name_needs_no_remark(timeline: Timeline) -> None:
    _passes(timeline, 0.1, REFUSED, (ROUTER, CLIENT), RESET)
    assert _flags_and_senders(timeline) == [("R", "router")]
    assert "in router's name" not in ladder(timeline, width=120)


def test_what_else_was_rewritten_has_come_before(timeline: Timeline) -> None:
    _passes(timeline, 0.1, FORTH[:2], (CLIENT, ROUTER), DATA)
    _passes(timeline, 0.2, FORTH[2:], (CLIENT, SERVER), DATA)
    assert _flags_and_senders(timeline) == [("P.", "client")]


def test_a_switch_and_a_wire_send_nothing_of_their_own(timeline: Timeline) -> None:
    timeline.names = HostNames(ADDRESSES)
    _passes(timeline, 0.1, REFUSED, (SERVER, CLIENT), RESET)
    assert timeline.wire == []


def test_show_counts_and_draws_a_routers_reset(
    timeline: Timeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _passes(timeline, 0.1, FORTH, (CLIENT, SERVER), Written("S", 999))
    back = ("server", "out"), *FORTH[1:3], ("client", "in")
    _passes(timeline, 0.2, back, (SERVER, CLIENT), Written("S.", 6, 1000))
    _passes(timeline, 0.3, FORTH[:2], (CLIENT, SERVER), DATA)
    _passes(timeline, 0.4, REFUSED, (SERVER, CLIENT), RESET)
    write_folder(timeline, tmp_path)
    assert main(["show", str(tmp_path / "all_hosts.pcapng"), "--width", "120"]) == 0
    shown = capsys.readouterr().out
    assert "4 segments of 1 TCP connection" in shown
    assert "2+2      0    0     0       1" in shown, "sent both ways, and one reset"
    reset = next(line for line in shown.splitlines() if "[R]" in line)
    assert "sent by router, in server's name" in reset
    assert "lost" not in reset, "the last segment arrives after it was sent"


def test_show_draws_a_rewritten_connection_as_one(
    timeline: Timeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segments = [Written("S", 999), Written("S.", 6, 1000), Written(".", 1000, 7), DATA]
    for number, written in enumerate(segments):
        moment = 0.1 * (number + 1)
        if written.flags == "S.":
            back = ("server", "out"), ("router", "in")
            _passes(timeline, moment, back, (SERVER, CLIENT), written)
            back = ("router", "out"), ("client", "in")
            _passes(timeline, moment + 0.01, back, (ROUTER, CLIENT), written)
        else:
            _passes(timeline, moment, FORTH[:2], (CLIENT, ROUTER), written)
            _passes(timeline, moment + 0.01, FORTH[2:], (CLIENT, SERVER), written)
    write_folder(timeline, tmp_path)
    assert main(["show", str(tmp_path / "all_hosts.pcapng"), "--width", "120"]) == 0
    shown = capsys.readouterr().out
    assert "4 segments of 1 TCP connection" in shown
    assert "lost" not in shown
    assert "router rewrote client.40000 > 10.0.0.9.80 to client.40000 > server.8080" in shown
    assert shown.splitlines()[-1].endswith("ESTABLISHED ESTABLISHED?")
    assert sum("[" in line for line in shown.splitlines()) == 4, "each segment is one arrow"


def test_in_a_lab_the_reset_is_no_endpoints(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    router.iptables("-A FORWARD -p tcp --dport 16868 -j REJECT --reject-with tcp-reset")
    connection.client.send(b"refused")
    reset = lab.sees("""
        ...
        client > server.16868: Flags [P.], seq M, ack K, length 7
        server.16868 > client: Flags [R], seq K
    """)[-1]
    connection.client.reaches(CLOSED)
    assert lab.timeline.sender(reset) == "router"
    assert not is_from(connection.server, reset)
