"""Every word that expects something of an endpoint or a call: once where it holds, once where not.

What is wrong is wrong by one property only, so that it is this property that the word judges.
"""

import errno
import os
import signal
import socket
import threading
from select import POLLIN, POLLOUT, POLLRDHUP

import pytest

from sockstates import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT2,
    LISTEN,
    SYN_SENT,
    Connection,
    Host,
    Lab,
    LabError,
    State,
    Wire,
)
from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive

pytestmark = pytest.mark.families("ipv4")

TCP_USER_TIMEOUT = 18
"""tcp(7): milliseconds; the module socket has it from Python 3.12."""
SOON = 0.1
"""Seconds for an expectation that is to fail."""


@pytest.fixture
def connection(client: Host, server: Host) -> Connection:
    made = client.connect(server.listen(port=5000))
    made.client.reaches(ESTABLISHED)
    made.server.reaches(ESTABLISHED)
    return made


@pytest.mark.parametrize("verb", ["close", "abort", "shutdown"])
def test_what_ends_a_connection_waits_for_it(
    lab: Lab, client: Host, server: Host, wire: Wire, verb: str
) -> None:
    """The handshake takes a while: a program whose socket blocks comes to its close after that."""
    wire.delay("server > client: Flags [S.]", seconds=0.2)
    made = client.connect(server.listen(port=5000))
    getattr(made.client, verb)()
    made.client.connecting.returns()
    lab.sees("client > server: Flags [S], seq J\n...\nclient > server: Flags [_], seq J+1, ack K+1")
    made.server.reaches(CLOSED if verb == "abort" else CLOSE_WAIT)


def test_an_end_that_was_seen_opening_is_closed_at_once(client: Host, server: Host) -> None:
    server.iptables("-A INPUT -s client -j DROP")
    made = client.connect(server.listen(port=5000))
    made.client.reaches(SYN_SENT)
    made.client.close()
    made.client.connecting.fails(errno.EBADF)


def test_a_refusal_is_what_connect_says_not_what_comes_after(client: Host, server: Host) -> None:
    made = client.connect(server, port=5000)
    reading = made.client.receive()
    made.client.connecting.fails(errno.ECONNREFUSED)
    reading.fails(errno.ENOTCONN)


@pytest.mark.parametrize("word", ["reaches", "accept"])
def test_what_the_passive_end_does_waits_until_connect_has_returned(
    client: Host, server: Host, wire: Wire, word: str
) -> None:
    """The kernel of a host whose process is stopped connects all the same."""
    answer = wire.hold("server > client: Flags [S.]")
    made = client.connect(server.listen(port=5000))
    answer.meets()
    os.kill(client.pid, signal.SIGSTOP)
    later = threading.Timer(0.3, os.kill, (client.pid, signal.SIGCONT))
    later.start()
    answer.release()
    if word == "accept":
        made.server.accept()
    else:
        made.server.reaches(ESTABLISHED)
    assert made.client.connecting.ended is not None
    later.join()


def test_reaches_a_state(connection: Connection) -> None:
    seen = connection.client.reaches(ESTABLISHED)
    assert seen is not None
    assert seen.state is ESTABLISHED
    with pytest.raises(ExpectationFailed, match="did not reach CLOSE_WAIT within") as failure:
        connection.client.reaches(CLOSE_WAIT, seconds=SOON)
    assert "state ESTABLISHED, expected CLOSE_WAIT" in str(failure.value)


def test_reaches_with_an_owner(connection: Connection, client: Host) -> None:
    connection.client.reaches(ESTABLISHED, owner=client)
    with pytest.raises(ExpectationFailed, match="owner process 1, expected nobody"):
        connection.client.reaches(ESTABLISHED, owner=None, seconds=SOON)


def test_reaches_with_nobody_as_owner(connection: Connection, server: Host) -> None:
    connection.server.reaches(ESTABLISHED, owner=None)
    with pytest.raises(ExpectationFailed, match="owner nobody, expected the built-in endpoints"):
        connection.server.reaches(ESTABLISHED, owner=server, seconds=SOON)


def test_reaches_with_another_process_as_owner(connection: Connection) -> None:
    connection.client.reaches(ESTABLISHED, owner=1)
    with pytest.raises(ExpectationFailed, match="owner process 1, expected process 99"):
        connection.client.reaches(ESTABLISHED, owner=99, seconds=SOON)


def test_reaches_with_a_send_queue(connection: Connection, client: Host) -> None:
    client.iptables("-A INPUT -s server -j DROP")
    connection.client.send(b"12345")
    connection.client.reaches(ESTABLISHED, send_queue=5)
    with pytest.raises(ExpectationFailed, match="send queue 5, expected 6"):
        connection.client.reaches(ESTABLISHED, send_queue=6, seconds=SOON)


def test_reaches_with_a_receive_queue(connection: Connection) -> None:
    connection.client.send(b"12345")
    connection.server.reaches(ESTABLISHED, receive_queue=5)
    with pytest.raises(ExpectationFailed, match="receive queue 5, expected 6"):
        connection.server.reaches(ESTABLISHED, receive_queue=6, seconds=SOON)


def test_reaches_closed_by_absence(connection: Connection) -> None:
    connection.client.abort()
    connection.client.reaches(CLOSED)
    with pytest.raises(ExpectationFailed, match="did not reach ESTABLISHED"):
        connection.client.reaches(ESTABLISHED, seconds=SOON)


def test_a_state_that_only_was_before_the_last_one_does_not_count(connection: Connection) -> None:
    connection.client.shutdown()
    connection.client.reaches(FIN_WAIT2)
    with pytest.raises(ExpectationFailed, match="state FIN_WAIT2, expected ESTABLISHED"):
        connection.client.reaches(ESTABLISHED, seconds=SOON)


def test_an_unknown_state_is_refused(connection: Connection) -> None:
    connection.client.reaches("ESTAB")  # as ss spells it
    with pytest.raises(ValueError, match="ESTABLISHT"):
        connection.client.reaches("ESTABLISHT")


def test_stays_in_a_state(connection: Connection) -> None:
    connection.client.stays(ESTABLISHED, seconds=0.2)
    with pytest.raises(ExpectationFailed, match="did not stay LISTEN for") as failure:
        connection.client.stays(LISTEN, seconds=0.2)
    assert "state ESTABLISHED, expected LISTEN" in str(failure.value)


def test_stays_minds_what_comes_and_goes_within_the_window(
    lab: Lab, client: Host, server: Host
) -> None:
    """Its peer resets it after a moment, by a timer of its own: nobody calls meanwhile."""
    option = socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 100
    made = client.connect(server.listen(), options=[option])
    made.client.reaches(ESTABLISHED)
    made.server.reaches(ESTABLISHED)
    made.client.stays(ESTABLISHED, owner=1, send_queue=0, receive_queue=0, seconds=0.2)
    server.iptables("-A INPUT -s client -j DROP")
    made.client.send(b"1")
    with pytest.raises(ExpectationFailed, match="state CLOSED, expected ESTABLISHED"):
        made.client.stays(ESTABLISHED, seconds=3)
    lab.finish()


def test_stays_needs_samples(
    lab: Lab, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sockstates.lab.observed.FEWEST_SAMPLES", 1_000_000)
    lab.deadlines.programs = SOON
    with pytest.raises(Inconclusive, match="samples were taken"):
        connection.client.stays(ESTABLISHED, seconds=SOON)


def test_stays_goes_on_where_its_host_could_not_look(
    connection: Connection, client: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a window with a single sample; what changes then does not count any more."""
    settle, counted = client.settle, iter([0, 1])

    def settled() -> int:
        samples = settle()
        known = next(counted, samples)
        if known == 1:
            connection.client.abort()
        return known

    monkeypatch.setattr(client, "settle", settled)
    connection.client.stays(ESTABLISHED, seconds=SOON)
    assert connection.client.state is CLOSED


def test_what_follows_an_established_connection_does_not_meet_its_connect(
    client: Host, server: Host
) -> None:
    made = client.connect(server.listen())
    made.client.reaches(ESTABLISHED)
    assert made.client.connecting.ended is not None


def test_sending_waits_for_the_connection(client: Host, server: Host) -> None:
    made = client.connect(server.listen())
    made.client.send(b"12").returns(2)
    made.server.receives(b"12")


def test_a_call_returns(connection: Connection) -> None:
    assert connection.client.send(b"12").returns(2) == 2
    with pytest.raises(ExpectationFailed, match="expected  3\n  seen      2"):
        connection.client.send(b"12").returns(3)


def test_a_call_that_failed_did_not_return(client: Host, server: Host) -> None:
    call = client.connect(server, 9).client.connecting
    with pytest.raises(ExpectationFailed, match="expected  success\n  seen      ECONNREFUSED"):
        call.returns()


def test_a_call_fails(client: Host, server: Host) -> None:
    call = client.connect(server, 9).client.connecting
    assert 0 <= call.fails(errno.ECONNREFUSED) < 5
    with pytest.raises(
        ExpectationFailed, match=r"expected  ETIMEDOUT .*\n  seen      ECONNREFUSED"
    ):
        call.fails(errno.ETIMEDOUT)


def test_a_call_that_returned_did_not_fail(connection: Connection) -> None:
    with pytest.raises(ExpectationFailed, match="seen      success, 2"):
        connection.client.send(b"12").fails(errno.EPIPE)


def test_a_call_is_pending_until_it_ends(connection: Connection) -> None:
    call = connection.client.receive()
    assert call.pending
    with pytest.raises(ExpectationFailed, match="has not ended: it has been waiting"):
        call.returns(seconds=SOON)
    connection.server.send(b"at last")
    call.returns(b"at last")
    assert not call.pending


def test_a_failed_call_about_which_nothing_is_said_fails_the_scenario(
    lab: Lab, connection: Connection
) -> None:
    connection.server.abort()
    connection.client.reaches(CLOSED)
    call = connection.client.receive()
    call.wait()
    with pytest.raises(ExpectationFailed, match="recv on client failed with ECONNRESET"):
        lab.finish()
    call.fails(errno.ECONNRESET)
    lab.finish()


def test_receives(connection: Connection) -> None:
    connection.client.send(b"one")
    connection.client.send(b"two")
    connection.server.receives(b"onetwo")
    connection.client.send(b"three")
    with pytest.raises(ExpectationFailed, match="expected  b'thxee'\n  seen      b'three'"):
        connection.server.receives(b"thxee")


def test_receives_less_than_expected_when_the_peer_ends(connection: Connection) -> None:
    connection.client.send(b"one")
    connection.client.shutdown()
    with pytest.raises(ExpectationFailed, match="seen      b'one'"):
        connection.server.receives(b"one and two")


def test_receives_end(connection: Connection) -> None:
    connection.client.send(b"1")
    with pytest.raises(ExpectationFailed, match="recv on server returned something else"):
        connection.server.receives_end()
    connection.client.shutdown()
    connection.server.receives_end()


def test_receives_end_is_not_a_reset(connection: Connection) -> None:
    connection.client.reaches(ESTABLISHED)
    connection.server.accept()
    connection.client.abort()
    with pytest.raises(ExpectationFailed, match="ECONNRESET"):
        connection.server.receives_end()


def test_options_are_set_and_read(connection: Connection) -> None:
    option = socket.IPPROTO_TCP, socket.TCP_NODELAY
    assert connection.client.get_option(*option) == 0
    connection.client.set_option(*option, 1)
    assert connection.client.get_option(*option) != 0


def test_urgent_data_does_not_stand_in_line(connection: Connection) -> None:
    connection.client.send(b"!", urgent=True)
    connection.client.send(b"calm")
    connection.server.receives(b"calm")


def test_more_than_the_socket_takes_is_pending(connection: Connection) -> None:
    sending = connection.client.send(64 << 20, wait=False)
    assert sending.pending
    connection.client.close()
    taken = sending.returns()
    assert isinstance(taken, int)
    assert 0 < taken < 64 << 20


def test_the_state_property_is_the_latest(connection: Connection) -> None:
    states = [connection.client.state]
    connection.client.abort()
    states.append(connection.client.state)
    assert states == [ESTABLISHED, CLOSED]
    assert State.of("estab") is ESTABLISHED


def test_a_port_in_use_is_named_with_its_user(server: Host) -> None:
    server.listen(port=5000)
    with pytest.raises(LabError, match=r"port 5000.*\n.*LISTEN, a built-in endpoint"):
        server.listen(port=5000)


def test_connecting_needs_a_port(client: Host, server: Host) -> None:
    with pytest.raises(LabError, match="which port of server"):
        client.connect(server)


def test_a_connect_that_does_not_block(lab: Lab, client: Host, server: Host) -> None:
    rule = server.iptables("-A INPUT -p tcp --dport 80 -j DROP")
    made = client.connect(server, port=80, blocking=False)
    made.client.connecting.fails(errno.EINPROGRESS)
    waiting = made.client.poll(POLLOUT)
    assert waiting.pending
    with pytest.raises(LabError, match="poll cannot begin while an earlier call"):
        made.client.poll(POLLOUT)
    rule.delete()
    waiting.returns("POLLOUT|POLLERR|POLLHUP")
    with pytest.raises(ExpectationFailed, match="expected  success"):
        made.client.error().returns()
    with pytest.raises(ExpectationFailed, match="seen      success"):
        made.client.error().fails(errno.ECONNREFUSED)
    assert lab.doubt() is None


def test_poll_waits_to_read(connection: Connection) -> None:
    connection.client.poll(POLLOUT).returns("POLLOUT")
    waiting = connection.client.poll(POLLIN | POLLRDHUP)
    assert waiting.pending
    connection.server.shutdown()
    waiting.returns("POLLIN|POLLRDHUP")


def test_the_timer_that_runs(lab: Lab, connection: Connection, client: Host) -> None:
    connection.client.runs_timer(None)
    connection.client.set_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    kept = connection.client.runs_timer("keepalive", count=0, at_most=7200 * 1.125)
    assert kept.timer_expires is not None
    client.iptables("-A INPUT -s server -j DROP")
    connection.client.send(b"1")
    assert connection.client.runs_timer("retransmit", count=1).retransmits == 1
    with pytest.raises(
        ExpectationFailed, match=r"expected  timer probe, count 9\n  seen +ESTAB.*retransmit timer"
    ):
        connection.client.runs_timer("probe", count=9, seconds=SOON)
    with pytest.raises(ExpectationFailed, match="expected  timer none"):
        connection.client.runs_timer(None, seconds=SOON)
    with pytest.raises(ExpectationFailed, match="due in 500 to inf s"):
        connection.client.runs_timer("retransmit", at_least=500, seconds=SOON)
    with pytest.raises(LabError, match="'retransmission' is none of retransmit, keepalive"):
        connection.client.runs_timer("retransmission")
    lab.finish()


def test_time_wait_is_a_timer_too(connection: Connection) -> None:
    connection.client.close()
    connection.server.accept()
    connection.server.close()
    connection.client.runs_timer("time-wait", at_most=60 * 1.125)
