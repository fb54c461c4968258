"""The timeline as text, on timelines made by hand: no lab, no root, no Linux."""

from dataclasses import replace

import pytest

from sockstates.evidence.expectations import EndpointLooks, explain_not_reached, observation_text
from sockstates.record.events import (
    CallBegan,
    CallEnded,
    FramesLost,
    HostReady,
    ProgramStarted,
    ProgramWrote,
    RuleChanged,
    SocketSeen,
    Step,
    SysctlSet,
)
from sockstates.record.kernel_events import StateChanged
from sockstates.record.timeline import Timeline
from sockstates.report.delivery import lost_segments
from sockstates.report.text import ladder, states_table, text_timeline
from sockstates.tcp.segment import Address
from sockstates.tcp.states import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT1,
    LISTEN,
    SYN_SENT,
    State,
)
from tests.recorded import START, Written, at, empty_timeline, sends

CLIENT, SERVER = ("10.0.0.1", 43210), ("10.0.0.2", 16868)


def seen(
    seconds: float,
    host: str,
    state: State,
    owner: int | None = None,
    queues: tuple[int, int] = (0, 0),
) -> SocketSeen:
    ends = (Address(*CLIENT), Address(*SERVER))
    local, remote = ends if host == "client" else ends[::-1]
    return SocketSeen(at(seconds), host, local, remote, state, owner, *queues)


def handshake(timeline: Timeline) -> None:
    sends(timeline, 0.001, CLIENT, SERVER, Written("S", 1000))
    sends(timeline, 0.002, SERVER, CLIENT, Written("S.", 5000, 1001))
    sends(timeline, 0.003, CLIENT, SERVER, Written(".", 1001, 5001))


@pytest.fixture
def timeline() -> Timeline:
    """A handshake, a rule, a FIN sent twice with two seconds between, and the server's states."""
    made = empty_timeline()
    made.add(Step(at(0), "A connection is established."))
    handshake(made)
    made.add(seen(0.004, "client", ESTABLISHED, owner=1))
    made.add(seen(0.005, "server", ESTABLISHED))
    made.add(RuleChanged(at(0.5), "client", "-A INPUT -s server -j DROP", "applied"))
    made.add(Step(at(0.6), "The server closes, and nobody acknowledges its FIN. " * 3))
    sends(made, 0.7, SERVER, CLIENT, Written("F.", 5001, 1001))
    made.add(
        replace(
            seen(0.71, "server", FIN_WAIT1, queues=(1, 0)),
            timer="retransmit",
            timer_expires=200_000_000,
            retransmits=2,
        )
    )
    sends(made, 2.7, SERVER, CLIENT, Written("F.", 5001, 1001))
    made.add(RuleChanged(at(2.8), "client", "-A INPUT -s server -j DROP", "deleted", 2, 104))
    return made


def test_the_ladder_is_drawn_like_this(timeline: Timeline) -> None:
    assert ladder(timeline, until=at(4.2)).splitlines() == [
        "            client.43210                                            server.16868",
        "",
        "  0.000000  == A connection is established.",
        "  0.001000  |---- [S] seq 0 -------------------------------------------------->|",
        "  0.002000  |<--- [S.] seq 0, ack 1 -------------------------------------------|",
        "  0.003000  |---- [.] ack 1 -------------------------------------------------->|",
        "  0.004000  | ESTABLISHED                                                      |",
        "  0.005000  |                                                      ESTABLISHED |",
        "  0.500000     client: iptables -A INPUT -s server -j DROP",
        "",
        "  0.600000  == The server closes, and nobody acknowledges its FIN. The server",
        "               closes, and nobody acknowledges its FIN. The server closes, and",
        "               nobody acknowledges its FIN.",
        "  0.700000  |<--- [F.] seq 1, ack 1 -------------------------------------------|",
        "  0.710000  |                                                        FIN_WAIT1 |",
        "            |                    ... 1.99 s of silence ...                     |",
        "  2.700000  |<--- [F.] seq 1, ack 1, again ------------------------------------|",
        "  2.800000     client: iptables -A INPUT -s server -j DROP: deleted, 2 packets",
        "            |              ... 1.40 s of silence since then ...                |",
    ]


def test_of_the_last_segments_only_with_the_step_they_belong_to(timeline: Timeline) -> None:
    drawn = ladder(timeline, last=1)
    assert drawn.count("[F.]") == 1
    assert "again" in drawn, "numbers and repetitions are those of the whole connection"
    assert "The server closes" in drawn
    assert "A connection is established" not in drawn


@pytest.mark.parametrize("width", [60, 80, 132])
def test_nothing_is_wider_than_asked_for(timeline: Timeline, width: int) -> None:
    for number in range(6):
        sends(
            timeline,
            3 + number,
            ("10.0.0.1", 1000 + number),
            SERVER,
            Written("P.", 9, 9, b"x" * 1400),
        )
    timeline.add(
        RuleChanged(at(3.5), "client", "-A INPUT " + "-m tcp " * 30 + "-j DROP", "applied")
    )
    lines = ladder(timeline, width=width).splitlines()
    assert max(map(len, lines)) == width
    assert max(map(len, states_table(timeline, width=width).splitlines())) <= width


def test_several_connections_name_their_ports() -> None:
    timeline = empty_timeline()
    handshake(timeline)
    assert "43210 > 16868" not in ladder(timeline)
    sends(timeline, 1, ("10.0.0.1", 43211), SERVER, Written("S", 7))
    assert "43210 > 16868 [S] seq 0" in ladder(timeline)
    assert "43211 > 16868 [S] seq 0" in ladder(timeline)


def test_a_connection_over_loopback_has_a_lane_for_each_end() -> None:
    timeline = empty_timeline()
    sends(timeline, 0.001, ("127.0.0.1", 5000), ("127.0.0.1", 80), Written("S", 1))
    sends(timeline, 0.002, ("127.0.0.1", 80), ("127.0.0.1", 5000), Written("S.", 1, 2))
    head, opening, answer = ladder(timeline).splitlines()
    assert head.split() == ["localhost.5000", "localhost.80"]
    assert opening.endswith("->|")
    assert "|<--- [S.]" in answer


def test_ipv6_and_a_reused_port_start_from_zero_again() -> None:
    timeline = empty_timeline()
    ends = ("fd00::1", 43210), ("fd00::2", 80)
    for start, number in ((0.1, 4_294_967_295), (5.0, 77)):
        sends(timeline, start, *ends, Written("S", number))
        sends(timeline, start + 0.1, *ends[::-1], Written("S.", 9, number + 1 & 0xFFFFFFFF))
        sends(timeline, start + 0.2, *ends, Written("P.", number + 1 & 0xFFFFFFFF, 10, b"four"))
    drawn = ladder(timeline)
    assert drawn.count("[S] seq 0 ") == 2
    assert drawn.count("[P.] seq 1:5, ack 1, length 4 ") == 2
    assert "again" not in drawn


class TestLost:
    """What a capture at the sender has and one at the destination has not."""

    def test_a_segment_that_did_not_arrive_is_drawn_broken_off(self) -> None:
        timeline = empty_timeline()
        sends(timeline, 0.1, CLIENT, SERVER, Written("S", 1000), seen_at=())
        sends(timeline, 1.1, CLIENT, SERVER, Written("S", 1000))
        lost, arrived = (line for line in ladder(timeline).splitlines() if "[S]" in line)
        assert lost.rstrip("| ").endswith("---x lost")
        assert arrived.endswith("---->|")
        assert "captured leaving its sender" in ladder(timeline)

    def test_towards_the_left_too(self) -> None:
        timeline = empty_timeline()
        handshake(timeline)
        sends(timeline, 1, SERVER, CLIENT, Written("F.", 5001, 1001), seen_at=())
        assert "lost x--- [F.] seq 1, ack 1 ---" in ladder(timeline)

    def test_the_host_in_between_that_had_it_is_named(self) -> None:
        timeline = empty_timeline("router")
        sends(timeline, 0.1, CLIENT, SERVER, Written("S", 1000), seen_at=("router",))
        sends(timeline, 1.1, CLIENT, SERVER, Written("S", 1000), seen_at=())
        sends(
            timeline,
            2.1,
            CLIENT,
            SERVER,
            Written("S", 1000),
            seen_at=("router", "router", "server"),
        )
        first, second, third = timeline.wire
        assert lost_segments(timeline) == {first: "router", second: ""}
        assert third not in lost_segments(timeline)
        assert "--x in router" in ladder(timeline)

    def test_nothing_is_claimed_where_the_capture_lost_frames(self) -> None:
        timeline = empty_timeline()
        sends(timeline, 0.1, CLIENT, SERVER, Written("S", 1000), seen_at=())
        assert lost_segments(timeline)
        timeline.add(FramesLost(at(0.2), "server", 3))
        assert not lost_segments(timeline)

    def test_nor_of_a_host_that_was_not_captured(self) -> None:
        timeline = empty_timeline()
        del timeline.frames["server"]
        sends(timeline, 0.1, CLIENT, SERVER, Written("S", 1000), seen_at=())
        assert not lost_segments(timeline)


def test_the_states_stand_beside_each_other(timeline: Timeline) -> None:
    timeline.add(seen(2.9, "client", CLOSE_WAIT, owner=7, queues=(0, 1)))
    timeline.add(seen(3.9, "client", CLOSE_WAIT, owner=7))
    timeline.add(ProgramStarted(at(0), "client", 1, 7, ("nc", "server", "80")))
    timeline.add(SocketSeen(at(0), "server", Address("0.0.0.0", 16868), None, LISTEN, 1, 128, 3))
    assert states_table(timeline).splitlines() == [
        "client.43210  CLOSE_WAIT                server.16868  FIN_WAIT1",
        "  since 2.900 s                           since 0.710 s",
        "  owner process 7 (nc)                    owner nobody",
        "  queues 0 to send, 0 to read             queues 1 to send, 0 to read",
        "                                          retransmit timer due at 0.910 s",
        "                                          2 retransmissions",
        "                                        server.16868  LISTEN",
        "                                          since 0.000 s",
        "                                          owner process 1",
        "                                          backlog 128, 3 to accept",
    ]


def test_what_only_the_tracepoint_saw_is_no_less_seen() -> None:
    """A refused connection comes and goes between two samples."""
    made = empty_timeline()
    ends = Address(*CLIENT), Address(*SERVER)
    made.add(StateChanged(at(0.1), "client", *ends, CLOSED, SYN_SENT))
    made.add(StateChanged(at(0.2), "client", *ends, SYN_SENT, CLOSED))
    assert states_table(made).splitlines() == [
        "client.43210  CLOSED",
        "  since 0.200 s",
        "  (no sample saw it: tracepoint)",
    ]
    looked_for = "server", ends[1], ends[0]
    words = explain_not_reached(made, EndpointLooks(looked_for, LISTEN), 0, 1.0, START)
    assert "no TCP socket was ever seen on server" in words
    listener = "client", ends[0], None
    words = explain_not_reached(made, EndpointLooks(listener, LISTEN), 0, 1.0, START)
    assert "client.43210 (to server.16868) CLOSED" in words


def test_the_table_says_when_its_hosts_were_looked_at(timeline: Timeline) -> None:
    timeline.sampled["server"] = at(4.1)
    assert states_table(timeline).splitlines()[-1] == "looked at last: server at 4.100 s"


def test_an_observation_says_since_when_the_state_is_so(timeline: Timeline) -> None:
    later = seen(2.75, "server", FIN_WAIT1, queues=(2, 0))
    timeline.add(replace(later, timer="retransmit", timer_expires=400_000_000))
    said = observation_text(timeline, timeline.latest(("server", later.local, later.remote)), START)
    assert said.startswith("FIN_WAIT1 since 0.710 s, ")
    assert "retransmit timer due at 3.150 s" in said


def test_of_many_connections_the_table_shows_some_and_counts_the_others() -> None:
    timeline = empty_timeline()
    for port in range(1000, 1020):
        local, remote = Address("10.0.0.1", port), Address(*SERVER)
        timeline.add(SocketSeen(at(port), "client", local, remote, ESTABLISHED))
    table = states_table(timeline, most=3)
    assert table.count("ESTABLISHED") == 3
    assert table.endswith("and 17 more, which are in the timeline")


def test_the_whole_timeline_is_one_line_each_in_order(timeline: Timeline) -> None:
    timeline.add(SysctlSet(at(0.2), "client", "net.ipv4.tcp_retries2", "8", "15"))
    timeline.add(CallBegan(at(0.3), "server", 4, "recv", "100 bytes"))
    timeline.add(CallEnded(at(1.55), "server", 4, "recv", 104))
    timeline.add(ProgramWrote(at(0.31), "client", 1, "stdout", b"hello\nworld\n"))
    text = text_timeline(timeline)
    assert text.startswith("A title\n")
    assert "began    2023-11-14 22:13:20.000000 UTC" in text
    for line in (
        "         net.ipv4.tcp_syn_retries = 6",
        "changed  client: iptables -A INPUT -s server -j DROP",
        "         client: net.ipv4.tcp_retries2 = 8 (was 15)",
        "  0.000000  == A connection is established.",
        "  0.001000  client      client.43210 > server.16868: Flags [S], seq 1000, win 500, "
        "length 0",
        "  0.002000  server      server.16868 > client.43210: Flags [S.], seq 5000, ack 1001, "
        "win 500, length 0",
        "  0.200000  client      net.ipv4.tcp_retries2 = 8 (was 15)",
        "  0.300000  server      recv(100 bytes)",
        "  0.310000  client      program 1 stdout: hello (and 1 more lines)",
        "  1.550000  server      recv() failed after 1.25 s: ECONNRESET (Connection reset by peer)",
        "  0.700000  server      server.16868 > client.43210: Flags [F.], seq 1, ack 1, win 500, "
        "length 0",
        "  0.710000  server      server.16868 (to client.43210) is FIN_WAIT1, owner nobody, "
        "queues 1 to send, 0 to read, retransmit timer due at 0.910 s, 2 retransmissions",
        "  2.800000  client      iptables -A INPUT -s server -j DROP: deleted, 2 packets",
    ):
        assert line in text.splitlines()
    moments = [float(line[:10]) for line in text.splitlines() if line[:10].strip()[:1].isdigit()]
    assert moments == sorted(moments)
    assert len(moments) > 15


def test_settings_that_differ_between_hosts_are_shown_for_each() -> None:
    timeline = empty_timeline()
    timeline.add(HostReady(at(0), "server", 1, {"net.ipv4.tcp_syn_retries": "2"}))
    text = text_timeline(timeline)
    assert "client: net.ipv4.tcp_syn_retries = 6" in text
    assert "server: net.ipv4.tcp_syn_retries = 2" in text


def test_nothing_recorded_is_said_in_words() -> None:
    assert ladder(Timeline()) == "no TCP segment was captured"
    assert states_table(Timeline()) == "no TCP socket was ever seen"
    assert text_timeline(Timeline()).startswith("a lab\n")
