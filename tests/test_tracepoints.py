"""The kernel's tracepoints in the timeline: exact and whole, beside what the wire shows."""

import errno

import pytest

from sockstates import (
    CLOSED,
    ESTABLISHED,
    FIN_WAIT1,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    Host,
    Lab,
    Sandbox,
    open_lab,
)
from sockstates.record.events import CallBegan
from sockstates.record.kernel_events import (
    PacketDropped,
    ResetPassed,
    Retransmitted,
    StateChanged,
    WitnessJoined,
)
from sockstates.sandbox.client.attribution import WITNESS
from tests.passages_shown import (
    LIFE_OF_WHO_CLOSES_FIRST,
    LIFE_OF_WHO_CLOSES_LAST,
    MACHINES_ROOT,
    NOT_ROOT,
    of_kind,
    passage,
    shown_whole,
)


@NOT_ROOT
@pytest.mark.families("ipv4")
def test_who_is_not_root_is_told_what_is_missing(lab: Lab) -> None:
    (joined,) = (each for each in of_kind(lab, WitnessJoined) if each.witness == WITNESS)
    assert not lab.timeline.joined(WITNESS)
    assert "CAP_PERFMON" in joined.missing
    assert "run as root" in joined.missing


def test_the_witness_can_be_turned_off() -> None:
    sandbox = Sandbox(tracepoints=False)
    try:
        with open_lab(sandbox) as lab:
            lab["server"].listen().reaches(LISTEN)
            assert not lab.timeline.joined(WITNESS)
            assert not of_kind(lab, StateChanged)
    finally:
        sandbox.close()


@MACHINES_ROOT
@shown_whole
def test_a_whole_life_is_shown_exactly(lab: Lab, client: Host, server: Host) -> None:
    assert lab.timeline.joined(WITNESS)
    listener = server.listen(port=80)
    connection = client.connect(listener)
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    connection.client.close()
    connection.server.receives_end()  # else both may close at once
    connection.server.close()
    connection.client.reaches(TIME_WAIT)
    connection.server.reaches(CLOSED)
    lab.settle()
    assert passage(lab, connection.client.key) == LIFE_OF_WHO_CLOSES_FIRST
    assert passage(lab, connection.server.key) == LIFE_OF_WHO_CLOSES_LAST
    assert passage(lab, listener.key) == ["CLOSED", "LISTEN"]


@MACHINES_ROOT
@shown_whole
def test_each_change_lies_within_the_interval_in_which_it_was_sampled(
    lab: Lab, client: Host, server: Host
) -> None:
    """Two clocks, two witnesses, one time."""
    connection = client.connect(server.listen(port=80))
    for end in (connection.client, connection.server):
        end.reaches(ESTABLISHED)
    lab.settle()
    for end in (connection.client, connection.server):
        seen = next(each for each in lab.timeline.history(end.key) if each.state is ESTABLISHED)
        exact = next(each for each in lab.timeline.changes(end.key) if each.after is ESTABLISHED)
        assert seen.not_before <= exact.time <= seen.time
    (called,) = [each for each in of_kind(lab, CallBegan) if each.name == "connect"]
    first = lab.timeline.changes(connection.client.key)[0]
    assert called.time < first.time < lab.timeline.wire[0].time, "between connect(2) and the SYN"


@MACHINES_ROOT
@shown_whole
def test_closing_is_shown_however_short_it_is(lab: Lab, client: Host, server: Host) -> None:
    connection = client.connect(server.listen(port=80))
    for end in (connection.client, connection.server):
        end.reaches(ESTABLISHED)
    rules = [host.iptables("-A INPUT -p tcp -j DROP") for host in (client, server)]
    for end in (connection.client, connection.server):
        end.close()
        end.reaches(FIN_WAIT1)
    for rule in rules:
        rule.delete()
    for end in (connection.client, connection.server):
        end.reaches(TIME_WAIT)
    lab.settle()
    lives = [passage(lab, end.key) for end in (connection.client, connection.server)]
    assert any(life[-3:] == ["FIN_WAIT1", "CLOSING", "CLOSED"] for life in lives), lives
    assert all(life[-1] == "CLOSED" for life in lives), "the tracepoint's word for TIME_WAIT"


@MACHINES_ROOT
@pytest.mark.programs("nc")
@shown_whole
def test_the_first_event_of_a_client_without_a_port_is_tied_to_its_endpoint(
    lab: Lab, client: Host, server: Host
) -> None:
    listener = server.listen(port=80)
    program = client.start(["nc", server.address, "80"])
    connection = program.connects(listener)
    connection.client.reaches(ESTABLISHED)
    lab.settle()
    assert passage(lab, connection.client.key) == ["CLOSED", "SYN_SENT", "ESTABLISHED"]
    first = lab.timeline.changes(connection.client.key)[0]
    assert first.time < lab.timeline.wire[0].time, "before its SYN, from whose port we know it"


@MACHINES_ROOT
@pytest.mark.programs("nc")
@pytest.mark.families("ipv4")
@shown_whole
def test_a_program_that_ended_long_ago_listened_on_its_own_host(
    lab: Lab, client: Host, server: Host
) -> None:
    for host in (client, server):
        program = host.start("nc -l 4321")
        program.listens(4321).reaches(LISTEN)
        program.kill()
        program.ends()
    lab.settle()
    told = [each for each in of_kind(lab, StateChanged) if each.local.port == 4321]
    assert [(each.host, each.after) for each in told] == [
        *(("client", LISTEN), ("client", CLOSED)),
        *(("server", LISTEN), ("server", CLOSED)),
    ]
    assert {each.remote for each in told} == {None}


@MACHINES_ROOT
@shown_whole
def test_retransmissions_are_those_of_the_wire(lab: Lab, client: Host, server: Host) -> None:
    connection = client.connect(server.listen(port=80))
    for end in (connection.client, connection.server):
        end.reaches(ESTABLISHED)
    rule = server.iptables("-A INPUT -p tcp -j DROP")
    connection.client.send(b"x" * 10)
    lab.sees("""
        ...
        client > server: Flags [P.], seq D:D+10, ack A
        client > server: Flags [P.], seq D:D+10, ack A
        client > server: Flags [P.], seq D:D+10, ack A
    """)
    rule.delete()
    connection.client.reaches(ESTABLISHED, send_queue=0)
    lab.settle()
    sent = [each for each in lab.timeline.wire if each.payload and each.source.port != 80]
    told = of_kind(lab, Retransmitted)
    assert len(told) == len(sent) - 1 >= 2
    following = [*(each.time for each in sent[2:]), lab.now()]
    for event, segment, next_one in zip(told, sent[1:], following, strict=True):
        assert (event.host, event.local, event.remote) == (
            *("client", segment.source, segment.destination),
        )
        assert (event.state, event.syn_ack) == (ESTABLISHED, False)
        assert segment.time < event.time < next_one, "told right after it was sent"


@MACHINES_ROOT
@shown_whole
def test_syn_acks_sent_again_are_those_of_the_wire(lab: Lab, client: Host, server: Host) -> None:
    rule = client.iptables("-A INPUT -p tcp -j DROP")
    connection = client.connect(server.listen(port=80))
    lab.sees("""
        ...
        server > client: Flags [S.], seq K, ack J
        ...
        server > client: Flags [S.], seq K, ack J
    """)
    rule.delete()
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    lab.settle()
    on_the_wire = [each for each in lab.timeline.wire if each.flags == "S."]
    told = [each for each in of_kind(lab, Retransmitted) if each.syn_ack]
    assert len(told) == len(on_the_wire) - 1 >= 1
    assert {(each.host, each.state, each.local.port) for each in told} == {("server", SYN_RECV, 80)}
    again = [each for each in of_kind(lab, Retransmitted) if not each.syn_ack]
    syns = [each for each in lab.timeline.wire if each.flags == "S"]
    assert [(each.host, each.state) for each in again] == [("client", SYN_SENT)] * (len(syns) - 1)


@MACHINES_ROOT
@shown_whole
def test_a_reset_is_told_by_both_ends_and_with_the_packet_that_it_answers(
    lab: Lab, client: Host, server: Host
) -> None:
    connection = client.connect(server, port=81)
    connection.client.connecting.fails(errno.ECONNREFUSED)
    lab.settle()
    local = connection.client.local
    sent, received = of_kind(lab, ResetPassed)
    assert (sent.host, sent.sent, sent.remote) == ("server", True, local)
    assert (received.host, received.sent, received.local) == ("client", False, local)
    assert sent.time <= received.time
    (dropped,) = of_kind(lab, PacketDropped)
    assert (dropped.host, dropped.reason) == ("server", "NO_SOCKET")
    assert (dropped.local, dropped.remote) == (sent.local, local)
    assert passage(lab, connection.client.key) == ["CLOSED", "SYN_SENT", "CLOSED"]


@MACHINES_ROOT
@shown_whole
def test_a_drop_for_a_known_socket_is_told_with_its_reason(
    lab: Lab, client: Host, server: Host
) -> None:
    """Data that the server has already is thrown away when it comes again."""
    connection = client.connect(server.listen(port=80))
    for end in (connection.client, connection.server):
        end.reaches(ESTABLISHED)
    rule = client.iptables("-A INPUT -p tcp -j DROP")
    connection.client.send(b"x" * 10)

    def drops() -> list[PacketDropped]:
        return [each for each in of_kind(lab, PacketDropped) if each.local is not None]

    assert lab.wait_until(lambda: bool(drops()), "a drop", None)
    rule.delete()
    connection.client.reaches(ESTABLISHED, send_queue=0)
    lab.settle()
    local, remote = connection.server.local, connection.client.local
    assert {(each.host, each.local, each.remote, each.reason) for each in drops()} == {
        ("server", local, remote, "TCP_OLD_DATA")
    }
