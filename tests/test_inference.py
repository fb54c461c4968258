"""States inferred from segments: what is proved, what is only possible, what is withdrawn."""

import pytest

from sockstates import Segment
from sockstates.tcp.inference import Inferred, infer_states
from sockstates.tcp.segment import Address
from sockstates.tcp.transitions import Event

A, B = Address("10.0.0.1", 40000), Address("10.0.0.2", 80)


def capture(*written: str) -> list[Segment]:
    """Segments as ``A S 100`` or ``B F. 300 ack 102 len 5``; one each millisecond."""
    segments = []
    for number, line in enumerate(written, 1):
        end, flags, sequence, *rest = line.split()
        more = dict(zip(rest[::2], map(int, rest[1::2]), strict=True))
        ends = (A, B) if end == "A" else (B, A)
        payload = b"x" * more.get("len", 0)
        acknowledged = more.get("ack") if "." in flags else None
        times = number * 1_000_000
        segments.append(
            Segment(times, *ends, flags, int(sequence), acknowledged, 500, payload=payload)
        )
    return segments


HANDSHAKE = ("A S 100", "B S. 300 ack 101", "A . 101 ack 301")
OPEN = (*HANDSHAKE, "A P. 101 ack 301 len 5", "B . 301 ack 106")


def told(*written: str) -> list[str]:
    """What was inferred, a line each: end, states, and a question mark when only possible."""
    return [line(each) for each in infer_states(capture(*written), captured_at_host=True)]


def line(each: Inferred) -> str:
    end = "A" if each.local == A else "B"
    doubt = "" if each.certain else "?"
    return f"{end} {each.before or 'unknown'}>{each.after}{doubt} {each.segment.time // 1_000_000}"


def test_the_handshake() -> None:
    assert told(*HANDSHAKE) == [
        "A CLOSED>SYN_SENT 1",
        "B LISTEN>SYN_RECV 2",
        "A SYN_SENT>ESTABLISHED 2",
        "B SYN_RECV>ESTABLISHED? 3",
    ]


def test_only_what_is_answered_was_received_for_certain() -> None:
    *_, last = told(*HANDSHAKE, "B P. 301 ack 101 len 5")
    assert last == "B SYN_RECV>ESTABLISHED 3"


def test_which_of_two_segments_completed_the_handshake_cannot_be_said() -> None:
    *_, last = told(*OPEN)
    assert last == "B SYN_RECV>ESTABLISHED? 3"


def test_a_repeated_syn_ack_withdraws_that_the_server_was_established() -> None:
    assert "B SYN_RECV>ESTABLISHED" not in "".join(told(*HANDSHAKE, "B S. 300 ack 101"))


def test_the_later_copy_of_a_syn_ack_is_the_one_that_arrived() -> None:
    lines = told("A S 100", "B S. 300 ack 101", "B S. 300 ack 101", "A . 101 ack 301")
    assert "A SYN_SENT>ESTABLISHED 3" in lines


def test_the_four_segments_of_a_close() -> None:
    lines = told(
        *OPEN, "B F. 301 ack 106", "A . 106 ack 302", "A F. 106 ack 302", "B . 302 ack 107"
    )
    assert lines[4:] == [
        "B ESTABLISHED>FIN_WAIT1 6",
        "A ESTABLISHED>CLOSE_WAIT 6",
        "B FIN_WAIT1>FIN_WAIT2? 7",
        "A CLOSE_WAIT>LAST_ACK 8",
        "B FIN_WAIT2>TIME_WAIT 8",
        "A LAST_ACK>CLOSED? 9",
    ]


def test_a_fin_that_nobody_acknowledges_changes_its_sender_only() -> None:
    lines = told(*OPEN, "B F. 301 ack 106", "B F. 301 ack 106", "A P. 106 ack 301 len 1")
    assert lines[4:] == ["B ESTABLISHED>FIN_WAIT1 6"]


def test_three_segments_close_when_fin_and_ack_are_one() -> None:
    lines = told(*OPEN, "B F. 301 ack 106", "A F. 106 ack 302", "B . 302 ack 107")
    assert lines[4:] == [
        "B ESTABLISHED>FIN_WAIT1 6",
        "A ESTABLISHED>CLOSE_WAIT 6",
        "A CLOSE_WAIT>LAST_ACK 7",
        "B FIN_WAIT1>TIME_WAIT 7",
        "A LAST_ACK>CLOSED? 8",
    ]


def test_simultaneous_close() -> None:
    lines = told(
        *OPEN, "A F. 106 ack 301", "B F. 301 ack 106", "A . 107 ack 302", "B . 302 ack 107"
    )
    assert lines[4:] == [
        "A ESTABLISHED>FIN_WAIT1 6",
        "B ESTABLISHED>FIN_WAIT1 7",
        "A FIN_WAIT1>CLOSING 7",
        "B FIN_WAIT1>CLOSING? 6",
        "B CLOSING>TIME_WAIT? 8",
        "A CLOSING>TIME_WAIT? 9",
    ]


def test_an_acknowledgement_lost_behind_the_capture_proves_nothing() -> None:
    lines = told(
        *OPEN,
        "A F. 106 ack 301",
        "B F. 301 ack 106",
        "A . 107 ack 302",
        "A F. 106 ack 302",
        "B . 302 ack 107",
    )
    assert "B FIN_WAIT1>FIN_WAIT2 8" not in lines
    assert any(each.startswith("B") and each.endswith("TIME_WAIT 9") for each in lines)


def test_simultaneous_open() -> None:
    first, second = ("A S 100", "B S 300"), ("A S. 100 ack 301", "B S. 300 ack 101")
    lines = told(*first, *second, "A P. 101 ack 301 len 1")
    assert lines == [
        "A CLOSED>SYN_SENT 1",
        "B CLOSED>SYN_SENT 2",
        "A SYN_SENT>SYN_RECV 3",
        "B SYN_SENT>SYN_RECV 4",
        "A SYN_RECV>ESTABLISHED 4",
        "B SYN_RECV>ESTABLISHED? 5",
    ]


class TestResets:
    def test_an_abort(self) -> None:
        lines = told(*OPEN, "A R. 106 ack 301")
        assert lines[4:] == ["A ESTABLISHED>CLOSED 6", "B ESTABLISHED>CLOSED? 6"]

    def test_a_refused_syn(self) -> None:
        segments = capture("A S 100", "B R. 0 ack 101")
        found = [each for each in infer_states(segments) if each.local == A]
        assert [each.after for each in found] == ["SYN_SENT", "CLOSED"]
        assert found[1].arc is not None
        assert found[1].arc.event is Event.RST

    def test_one_with_a_number_that_is_not_expected_does_nothing(self) -> None:
        assert told(*OPEN, "A R 5000")[4:] == ["A ESTABLISHED>CLOSED 6"]

    def test_one_that_acknowledges_no_syn_does_nothing(self) -> None:
        lines = told("A S 100", "B R. 0 ack 5")
        assert not [each for each in lines if each.startswith("A SYN_SENT>")]

    def test_one_that_was_dropped_is_withdrawn_when_the_peer_goes_on(self) -> None:
        lines = told(*OPEN, "A R. 106 ack 301", "B P. 301 ack 106 len 3")
        assert lines[4:] == ["A ESTABLISHED>CLOSED 6"]

    def test_one_that_refuses_data_after_a_close(self) -> None:
        segments = capture(*OPEN, "B F. 301 ack 106", "A P. 106 ack 301 len 3", "B R 301")
        *_, found = [each for each in infer_states(segments) if each.local == B]
        assert found.arc is not None
        assert found.arc.event is Event.DATA

    def test_one_that_refuses_another_syn(self) -> None:
        lines = (*OPEN, "B F. 301 ack 106", "A . 106 ack 302", "A S 150", "B R. 0 ack 151")
        found = [each.arc for each in infer_states(capture(*lines)) if each.local == B]
        assert found[-1] is not None
        assert found[-1].name == "FIN_WAIT2 -> CLOSED by rcv SYN"

    def test_one_in_a_passive_open_returns_to_listen(self) -> None:
        assert "B SYN_RECV>LISTEN? 3" in told("A S 100", "B S. 300 ack 101", "A R 101")
        lines = told("A S 100", "B S. 300 ack 101", "A R 999")
        assert not [each for each in lines if each.startswith("B SYN_RECV>")]

    def test_nothing_is_certain_at_first(self) -> None:
        lines = told("A . 101 ack 301", "B . 301 ack 101")
        assert lines == ["A unknown>ESTABLISHED? 1", "B unknown>ESTABLISHED? 2"]

    def test_when_both_have_sent_the_rest_is_certain(self) -> None:
        lines = told("A P. 101 ack 301 len 5", "B P. 301 ack 106 len 5", "A F. 106 ack 306")
        assert lines[2:] == ["A ESTABLISHED>FIN_WAIT1 3", "B ESTABLISHED>CLOSE_WAIT? 3"]

    def test_one_direction_only(self) -> None:
        lines = told("B F. 301 ack 106", "B F. 301 ack 106")
        assert lines == ["B unknown>ESTABLISHED? 1", "B ESTABLISHED>FIN_WAIT1? 1"]


def test_a_new_connection_of_the_same_addresses() -> None:
    closed = (*OPEN, "B F. 301 ack 106", "A F. 106 ack 302", "B . 302 ack 107")
    lines = told(*closed, "A S 9000", "B S. 8000 ack 9001")
    assert lines[-4:] == [
        "A LAST_ACK>CLOSED? 8",
        "A CLOSED>SYN_SENT 9",
        "B TIME_WAIT>SYN_RECV 10",
        "A SYN_SENT>ESTABLISHED? 10",
    ]


@pytest.mark.parametrize("flags", ["none", "U", "FSRP.", "S.F"])
def test_nonsense_is_survived(flags: str) -> None:
    infer_states(capture(f"A {flags} 1 ack 2", f"B {flags} 3 ack 4", f"A {flags} 1 ack 2"))


def test_each_change_begins_where_the_one_before_it_ended() -> None:
    state: dict[Address, str] = {}
    lines = (*OPEN, "B F. 301 ack 106", "A . 106 ack 302", "A F. 106 ack 302", "B . 302 ack 107")
    for each in infer_states(capture(*lines)):
        if each.before not in (None, "LISTEN"):
            assert state.get(each.local, "CLOSED") == each.before
        state[each.local] = each.after
