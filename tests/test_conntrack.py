"""Connection tracking's events in real hosts: when there are any, what they say, what they cost."""

import sys

import pytest

from sockstates import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT2,
    TIME_WAIT,
    Connection,
    ExpectationFailed,
    Host,
    Lab,
    LabError,
)
from sockstates.evidence.verdicts import Inconclusive
from sockstates.record.events import RuleChanged
from sockstates.record.kernel_events import FlowChanged, RecordsLost

OPENED = ["SYN_SENT", "SYN_RECV", "ESTABLISHED"]
NO_SUCH_STATE = "SYN-SENT"
FORGET_ALL = """
import socket, struct
netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
netlink.send(struct.pack("=IHHIIBBH", 20, 0x0102, 0x0005, 1, 0, 0, 0, 0))
netlink.recv(4096)
"""


def _connected(client: Host, server: Host) -> Connection:
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    return connection


def _told(lab: Lab) -> list[FlowChanged]:
    lab.settle()
    return [each for each in lab.timeline.events if isinstance(each, FlowChanged)]


def test_the_states_of_a_whole_life(lab: Lab, client: Host, server: Host) -> None:
    server.watch_conntrack()
    connection = _connected(client, server)
    connection.client.close()
    connection.client.reaches(FIN_WAIT2)
    connection.server.reaches(CLOSE_WAIT)
    connection.server.close()
    connection.server.reaches(CLOSED)
    connection.client.reaches(TIME_WAIT)
    closed = ["FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT"]
    server.sees_flow(connection, [*OPENED, *closed])
    told = _told(lab)
    assert told[0].change == "new"
    assert {each.change for each in told[1:]} == {"updated"}
    assert {(each.source, each.destination) for each in told} == {
        (connection.client.local, connection.server.local)
    }


def test_a_reset_ends_it_at_once(client: Host, server: Host) -> None:
    server.watch_conntrack()
    connection = _connected(client, server)
    connection.client.abort()
    connection.server.reaches(CLOSED)
    server.sees_flow(connection, [*OPENED, "CLOSE"])


def test_that_a_connection_is_forgotten_is_told(lab: Lab, client: Host, server: Host) -> None:
    server.watch_conntrack()
    connection = _connected(client, server)
    server.start([sys.executable, "-c", FORGET_ALL]).ends(0)
    server.sees_flow(connection, [*OPENED, "DESTROYED"])
    assert _told(lab)[-1].change == "destroyed"


def test_each_change_has_the_time_of_its_segment(lab: Lab, client: Host, server: Host) -> None:
    server.watch_conntrack()
    connection = _connected(client, server)
    server.sees_flow(connection, OPENED)
    told = [each for each in _told(lab) if not each.arrived]
    if not told:
        pytest.skip("when an event happened is told by Linux 6.14 and later")
    syn, answer, last = (each.time for each in lab.timeline.wire[:3])
    new, answered, established = (each.time for each in told)
    # The server's own answer is looked at before it leaves, what comes after it has arrived.
    assert syn < new < answered < answer < last < established < lab.now()


def test_only_who_was_asked_watches(lab: Lab, client: Host, router: Host, server: Host) -> None:
    router.watch_conntrack()
    _connected(client, server)
    assert {each.host for each in _told(lab)} == {"router"}


def test_nothing_is_told_where_nobody_asked(lab: Lab, client: Host, server: Host) -> None:
    connection = _connected(client, server)
    assert not _told(lab)
    with pytest.raises(LabError, match=r"call server\.watch_conntrack\(\) at"):
        server.sees_flow(connection, OPENED)


def test_to_ask_twice_is_to_ask_once(lab: Lab, client: Host, server: Host) -> None:
    server.watch_conntrack()
    server.watch_conntrack()
    _connected(client, server)
    assert [each.state for each in _told(lab)] == OPENED


def test_watching_changes_no_rule_and_drops_nothing(lab: Lab, client: Host, server: Host) -> None:
    before = server.agent.rules.listing()
    server.watch_conntrack()
    assert server.agent.rules.listing() == before
    _connected(client, server)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)
    assert not any(isinstance(each, RuleChanged) for each in lab.timeline.events)


def test_another_state_than_expected_fails_at_once(client: Host, server: Host) -> None:
    server.watch_conntrack()
    connection = _connected(client, server)
    with pytest.raises(ExpectationFailed, match="after SYN_RECV: ESTABLISHED, expected FIN_WAIT"):
        server.sees_flow(connection, ["SYN_SENT", "SYN_RECV", "FIN_WAIT"], seconds=60)


def test_a_state_that_does_not_come_fails_when_time_is_up(client: Host, server: Host) -> None:
    server.watch_conntrack()
    connection = _connected(client, server)
    with pytest.raises(ExpectationFailed, match="still to come: FIN_WAIT"):
        server.sees_flow(connection, [*OPENED, "FIN_WAIT"], seconds=0.2)


def test_that_nothing_was_told_can_be_wrong(client: Host, server: Host) -> None:
    server.watch_conntrack()
    connection = _connected(client, server)
    with pytest.raises(ExpectationFailed, match="at the beginning: SYN_SENT, expected nothing"):
        server.sees_flow(connection, [])


def test_what_was_lost_makes_it_inconclusive(lab: Lab, client: Host, server: Host) -> None:
    server.watch_conntrack()
    connection = _connected(client, server)
    lab.timeline.add(RecordsLost(lab.now(), "server", "conntrack", 3))
    server.sees_flow(connection, OPENED)
    with pytest.raises(Inconclusive, match="conntrack on server lost 3 events"):
        server.sees_flow(connection, ["SYN_SENT", "ESTABLISHED"])


@pytest.mark.families("ipv4")
def test_a_state_that_conntrack_does_not_have_is_refused(client: Host, server: Host) -> None:
    server.watch_conntrack()
    connection = client.connect(server.listen())
    with pytest.raises(
        LabError, match="'SYN-SENT' is not a conntrack state; the states are SYN_SENT,"
    ):
        server.sees_flow(connection, [NO_SUCH_STATE])
