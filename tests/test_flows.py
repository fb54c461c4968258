"""Judging what connection tracking told: the states of a connection, on timelines made by hand."""

import pytest

from sockstates.evidence.flows import Flow, explain_flow, first_difference, lost_events, state_of
from sockstates.record.events import FramesLost
from sockstates.record.kernel_events import FlowChanged, RecordsLost
from sockstates.record.timeline import Timeline
from sockstates.tcp.segment import Address
from tests.recorded import at, empty_timeline

CLIENT, SERVER = Address("10.0.0.1", 40000), Address("10.0.0.2", 16868)
FLOW = Flow("router", CLIENT, SERVER)
OPENED = ["SYN_SENT", "SYN_RECV", "ESTABLISHED"]


def _told(*changes: tuple[str, str], host: str = "router", source: Address = CLIENT) -> Timeline:
    timeline = empty_timeline("router")
    for number, (change, state) in enumerate(changes):
        moment = at(0.001 * number)
        timeline.add(FlowChanged(moment, host, source, SERVER, change, state))
    return timeline


def _states(timeline: Timeline) -> list[str]:
    return [state_of(event) for event in FLOW.changes(timeline)]


def test_states_are_those_that_were_told_each_once() -> None:
    timeline = _told(
        ("new", "SYN_SENT"),
        ("updated", "SYN_RECV"),
        ("updated", "ESTABLISHED"),
        ("updated", "ESTABLISHED"),
    )
    assert _states(timeline) == OPENED


def test_a_state_that_comes_back_is_told_again() -> None:
    timeline = _told(("new", "SYN_SENT"), ("updated", "SYN_RECV"), ("updated", "SYN_SENT"))
    assert _states(timeline) == ["SYN_SENT", "SYN_RECV", "SYN_SENT"]


def test_the_end_of_a_connection_is_a_state_of_its_own() -> None:
    timeline = _told(("updated", "TIME_WAIT"), ("destroyed", "TIME_WAIT"))
    assert _states(timeline) == ["TIME_WAIT", "DESTROYED"]


def test_of_a_connection_that_came_again_the_last_life_counts() -> None:
    timeline = _told(("new", "SYN_SENT"), ("updated", "CLOSE"), ("new", "SYN_SENT"))
    assert _states(timeline) == ["SYN_SENT"]


def test_other_hosts_and_other_connections_do_not_count() -> None:
    assert not _states(_told(("new", "SYN_SENT"), host="server"))
    assert not _states(_told(("new", "SYN_SENT"), source=Address("10.0.0.1", 40001)))
    backwards = Flow("router", SERVER, CLIENT)
    assert not backwards.changes(_told(("new", "SYN_SENT")))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([], OPENED),
        (["SYN_SENT"], OPENED),
        (OPENED, OPENED),
        ([*OPENED, "FIN_WAIT"], OPENED),
        ([], []),
    ],
)
def test_what_agrees_or_may_still_agree(seen: list[str], expected: list[str]) -> None:
    assert not first_difference(seen, expected)


@pytest.mark.parametrize(
    ("seen", "expected", "difference"),
    [
        (["ESTABLISHED"], OPENED, "at the beginning: ESTABLISHED, expected SYN_SENT"),
        (["SYN_SENT", "CLOSE"], OPENED, "after SYN_SENT: CLOSE, expected SYN_RECV"),
        (["SYN_SENT", "ESTABLISHED"], OPENED, "after SYN_SENT: ESTABLISHED, expected SYN_RECV"),
        (["SYN_SENT"], [], "at the beginning: SYN_SENT, expected nothing"),
    ],
)
def test_what_can_never_agree_again(seen: list[str], expected: list[str], difference: str) -> None:
    assert first_difference(seen, expected) == difference


def test_the_explanation_has_expected_beside_seen_and_when() -> None:
    timeline = _told(("new", "SYN_SENT"), ("updated", "CLOSE"))
    assert explain_flow(timeline, FLOW, OPENED, 5.0) == (
        "conntrack on router did not see client.40000 > server.16868 pass through the states "
        "expected, within 5.0 s\n\n"
        "  expected  SYN_SENT, SYN_RECV, ESTABLISHED\n"
        "  seen      SYN_SENT, CLOSE\n"
        "  differs   after SYN_SENT: CLOSE, expected SYN_RECV\n"
        "  when         0.000 s  SYN_SENT\n"
        "               0.001 s  CLOSE"
    )


def test_the_explanation_says_what_is_still_to_come() -> None:
    text = explain_flow(_told(("new", "SYN_SENT")), FLOW, OPENED, 5.0)
    assert "differs   still to come: SYN_RECV, ESTABLISHED" in text


def test_the_explanation_of_nothing_names_the_other_connections() -> None:
    other = _told(("new", "SYN_SENT"), source=Address("10.0.0.1", 40001))
    text = explain_flow(other, FLOW, OPENED, 5.0)
    assert "seen      nothing" in text
    assert "others    client.40001 > server.16868 SYN_SENT" in text
    nothing = explain_flow(empty_timeline("router"), FLOW, OPENED, 5.0)
    assert "others    conntrack on router told of no connection at all" in nothing


def test_losses_of_this_witness_on_this_host_are_counted() -> None:
    timeline = empty_timeline("router")
    assert not lost_events(timeline, "router")
    timeline.add(RecordsLost(at(0), "router", "conntrack", 2))
    timeline.add(RecordsLost(at(0), "router", "filter trace", 4))
    timeline.add(RecordsLost(at(0), "server", "conntrack", 8))
    timeline.add(FramesLost(at(0), "router", 16))
    assert lost_events(timeline, "router") == 2
