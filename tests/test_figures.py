"""Figures: what expectations return, said so that a reader sees what proves a claim."""

from dataclasses import replace

import pytest

from sockstates.evidence.durations import Lasted
from sockstates.evidence.figures import NoFigure, figure_text
from sockstates.evidence.passages import Stage
from sockstates.record.events import SocketSeen
from sockstates.record.timeline import Timeline
from sockstates.tcp.options import Option
from sockstates.tcp.segment import Address
from sockstates.tcp.states import CLOSED, ESTABLISHED, FIN_WAIT1, LISTEN, SYN_SENT
from tests.recorded import Written, at, empty_timeline, sends

CLIENT, SERVER = ("10.0.0.1", 43210), ("10.0.0.2", 80)
HERE, THERE = Address(*CLIENT), Address(*SERVER)


def opened() -> Timeline:
    timeline = empty_timeline()
    sends(timeline, 0.1, CLIENT, SERVER, Written("S", 1000))
    sends(timeline, 0.2, SERVER, CLIENT, Written("S.", 5000, 1001))
    sends(timeline, 0.3, CLIENT, SERVER, Written(".", 1001, 5001))
    sends(timeline, 0.4, CLIENT, SERVER, Written("P.", 1001, 5001, b"abc"))
    return timeline


def test_a_text_stays_as_it_is() -> None:
    assert figure_text(empty_timeline(), " 4 SYN ") == "4 SYN"


def test_segments_are_lines_of_tcpdump_with_names_and_moments() -> None:
    timeline = opened()
    assert figure_text(timeline, timeline.wire).splitlines() == [
        "0.100000 client.43210 > server.80: Flags [S], seq 1000, win 500, length 0",
        "0.200000 server.80 > client.43210: Flags [S.], seq 5000, ack 1001, win 500, length 0",
        "0.300000 client.43210 > server.80: Flags [.], ack 1, win 500, length 0",
        "0.400000 client.43210 > server.80: Flags [P.], seq 1:4, ack 1, win 500, length 3",
    ]
    assert "seq 1:4, ack 1," in figure_text(timeline, timeline.wire[-1])


def test_options_are_shown_but_for_timestamps_and_padding() -> None:
    timeline = opened()
    options = (Option(2, b"\x05\xb4"), Option(1, b""), Option(8, bytes(8)))
    shown = figure_text(timeline, replace(timeline.wire[0], options=options))
    assert shown.endswith("seq 1000, win 500, options [mss 1460], length 0")


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (
            SocketSeen(at(1), "server", THERE, HERE, FIN_WAIT1, send_queue=1, receive_queue=0),
            "server.80 FIN_WAIT1, 1 to send, owner nobody",
        ),
        (
            SocketSeen(at(1), "client", HERE, THERE, SYN_SENT, 7, 1, 0, retransmits=2),
            "client.43210 SYN_SENT, 1 to send, 2 retransmissions, owner process 7",
        ),
        (
            SocketSeen(at(1), "client", HERE, THERE, ESTABLISHED, 7, 0, 9),
            "client.43210 ESTABLISHED, 9 to read, owner process 7",
        ),
        (
            SocketSeen(at(1), "server", THERE, None, LISTEN, 7, 3, 0),
            "server.80 LISTEN, 0 to accept, backlog 3, owner process 7",
        ),
        (
            SocketSeen(at(1), "server", THERE, None, LISTEN, 7),
            "server.80 LISTEN, owner process 7",
        ),
        (SocketSeen(at(1), "server", THERE, HERE, CLOSED), "server.80 CLOSED"),
    ],
)
def test_an_endpoint_is_said_with_its_state_queues_and_owner(seen: SocketSeen, text: str) -> None:
    assert figure_text(empty_timeline(), seen) == text


def test_states_passed_through_and_time_spent() -> None:
    passed = [Stage(state, (at(1), at(1)), "psutil", True) for state in (SYN_SENT, ESTABLISHED)]
    assert figure_text(empty_timeline(), passed) == "SYN_SENT -> ESTABLISHED"
    assert figure_text(empty_timeline(), passed[0]) == "SYN_SENT"
    assert figure_text(empty_timeline(), Lasted(60.0, 60.0)) == "60.000 s"


def test_several_things_are_a_line_each() -> None:
    closed = SocketSeen(at(1), "server", THERE, HERE, CLOSED)
    assert figure_text(empty_timeline(), ["at its end", closed]) == "at its end\nserver.80 CLOSED"


@pytest.mark.parametrize("nothing", ["", "  \n", (), ["", " "]])
def test_an_empty_figure_is_refused(nothing: str) -> None:
    with pytest.raises(NoFigure, match="an empty figure proves nothing: give it a text made from"):
        figure_text(empty_timeline(), nothing)


@pytest.mark.parametrize("wrong", [None, 4, {}, [4], b"SYN"])
def test_what_was_not_seen_is_no_figure(wrong: str) -> None:
    with pytest.raises(NoFigure, match="a figure is a text made from"):
        figure_text(empty_timeline(), wrong)
