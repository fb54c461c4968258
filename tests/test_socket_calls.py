"""Calls of built-in endpoints wait, and end, as the kernel says: by each option that decides it.

Where a time is measured, only a lower bound is: a timer of the kernel is never early.
"""

import errno
import os
import socket
import struct
from select import POLLIN

import pytest

from sockstates import (
    CLOSED,
    ESTABLISHED,
    FIN_WAIT1,
    SYN_RECV,
    SYN_SENT,
    Connection,
    Endpoint,
    Host,
    Lab,
    LabError,
    Listener,
)
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.lab.socket_options import packed_option, seconds_of
from sockstates.tcp.timers import early

pytestmark = pytest.mark.families("ipv4")

SEND_TIMEOUT = socket.SOL_SOCKET, socket.SO_SNDTIMEO
RECEIVE_TIMEOUT = socket.SOL_SOCKET, socket.SO_RCVTIMEO
LINGER = socket.SOL_SOCKET, socket.SO_LINGER
TCP_USER_TIMEOUT, TCP_FASTOPEN_CONNECT = 18, 30
SHORT = 0.3
"""Seconds."""
WAITED = early(SHORT)
LONG = 600
"""Seconds: longer than any test may take."""
MUCH = 8 << 20
"""Bytes: more than two sockets' buffers hold."""


@pytest.fixture
def listener(server: Host) -> Listener:
    return server.listen(port=80)


@pytest.fixture
def connection(client: Host, listener: Listener) -> Connection:
    made = client.connect(listener)
    made.reaches(client=ESTABLISHED, server=ESTABLISHED)
    return made


def silent(host: Host, peer: str) -> None:
    """Have a host hear nothing more of a peer."""
    host.iptables(f"-A INPUT -s {peer} -j DROP")


class TestConnect:
    @pytest.mark.parametrize("bound", [True, False])
    def test_the_send_timeout_ends_the_call_and_not_the_attempt(
        self, client: Host, server: Host, listener: Listener, bound: bool
    ) -> None:
        rule = server.iptables("-A INPUT -s client -j DROP")
        made = client.connect(listener, bound=bound, options=[(*SEND_TIMEOUT, SHORT)])
        assert made.client.connecting.fails(errno.EINPROGRESS, seconds=5) >= WAITED
        made.client.reaches(SYN_SENT, owner=client)
        rule.delete()
        made.client.reaches(ESTABLISHED)
        made.client.send(b"1").returns(1)

    def test_the_option_may_be_in_the_kernels_own_form(
        self, client: Host, server: Host, listener: Listener
    ) -> None:
        silent(server, "client")
        option = *SEND_TIMEOUT, struct.pack("ll", 0, 300_000)
        client.connect(listener, options=[option]).client.connecting.fails(errno.EINPROGRESS)

    def test_with_fast_open_the_first_send_connects(
        self, lab: Lab, client: Host, listener: Listener
    ) -> None:
        option = socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1
        client.sysctl("net.ipv4.tcp_fastopen", 0x5)  # client, and without a cookie
        made = client.connect(listener, options=[option])
        made.client.connecting.returns()
        lab.never_sees("client > server: Flags [S]")
        made.client.send(b"hello").returns(5)
        lab.sees("client > server: Flags [S], seq J, length 5")
        made.client.reaches(ESTABLISHED)
        made.server.receives(b"hello")

    def test_a_port_that_connect_finds_is_known_although_the_call_failed(
        self, client: Host, server: Host
    ) -> None:
        made = client.connect(server, 9, bound=False)
        made.client.connecting.fails(errno.ECONNREFUSED)
        assert made.client.local.ip == client.address
        assert made.client.local.port > 0


class TestReceive:
    def test_the_receive_timeout(self, connection: Connection) -> None:
        connection.client.set_option(*RECEIVE_TIMEOUT, SHORT)
        assert connection.client.receive().fails(errno.EAGAIN) >= WAITED
        connection.server.send(b"late")
        connection.client.receives(b"late")

    def test_a_long_timeout_is_waited_for(self, lab: Lab, connection: Connection) -> None:
        lab.deadlines.patience = SHORT
        connection.client.set_option(*RECEIVE_TIMEOUT, 4 * SHORT)
        assert connection.client.receive().fails(errno.EAGAIN) >= early(4 * SHORT)

    def test_the_low_water_mark(self, connection: Connection) -> None:
        connection.server.set_option(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 5)
        reading = connection.server.receive()
        connection.client.send(b"1234")
        connection.server.reaches(ESTABLISHED, receive_queue=4)
        assert reading.pending
        connection.client.send(b"5")
        reading.returns(b"12345")

    def test_wait_for_all(self, connection: Connection) -> None:
        reading = connection.server.receive(4, flags=socket.MSG_WAITALL)
        connection.client.send(b"123")
        connection.client.reaches(ESTABLISHED, send_queue=0)
        assert reading.pending
        connection.client.send(b"45")
        reading.returns(b"1234")

    def test_peek(self, connection: Connection) -> None:
        connection.client.send(b"123")
        connection.server.receive(flags=socket.MSG_PEEK).returns(b"123")
        connection.server.receives(b"123")

    def test_do_not_wait(self, connection: Connection) -> None:
        connection.server.receive(flags=socket.MSG_DONTWAIT).fails(errno.EAGAIN)

    def test_a_socket_that_does_not_block(self, connection: Connection) -> None:
        connection.server.set_blocking(False)
        connection.server.receive().fails(errno.EAGAIN)
        connection.server.set_blocking(True)
        assert connection.server.receive().pending

    def test_connected_without_blocking_it_stays_so(self, client: Host, listener: Listener) -> None:
        made = client.connect(listener, blocking=False)
        made.client.connecting.fails(errno.EINPROGRESS)
        made.client.reaches(ESTABLISHED)
        made.client.receive().fails(errno.EAGAIN)

    def test_the_user_timeout(self, connection: Connection, client: Host) -> None:
        connection.client.set_option(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 300)
        silent(client, "server")
        connection.client.send(b"1")
        connection.client.receive().fails(errno.ETIMEDOUT)


class TestSend:
    def test_the_send_timeout_returns_what_was_taken_and_then_fails(
        self, connection: Connection, client: Host
    ) -> None:
        silent(client, "server")
        connection.client.set_option(*SEND_TIMEOUT, SHORT)
        taken = connection.client.send(MUCH).returns()
        assert isinstance(taken, int)
        assert 0 < taken < MUCH
        connection.client.send(MUCH).ends(0, errno.EAGAIN)  # the last buffer may not be full yet
        assert connection.client.send(MUCH).fails(errno.EAGAIN) >= WAITED
        connection.client.reaches(ESTABLISHED)

    def test_it_waits_until_all_is_taken(self, connection: Connection) -> None:
        sending = connection.client.send(MUCH, wait=False)
        assert sending.pending
        connection.server.receives(bytes(MUCH))
        sending.returns(MUCH)

    def test_a_socket_that_does_not_block_takes_what_fits(self, connection: Connection) -> None:
        connection.client.set_blocking(False)
        taken = connection.client.send(MUCH).returns()
        assert isinstance(taken, int)
        assert 0 < taken < MUCH
        assert connection.client.send(MUCH).ends(0, errno.EAGAIN) in (0, errno.EAGAIN)

    def test_a_reset_ends_it_with_what_was_taken(self, connection: Connection) -> None:
        sending = connection.client.send(MUCH, wait=False)
        assert sending.pending
        connection.server.abort()
        assert isinstance(sending.returns(), int)
        connection.client.send(1).fails(errno.ECONNRESET)
        connection.client.send(1).fails(errno.EPIPE)


class TestAccept:
    def test_the_receive_timeout_of_a_listener(self, client: Host, server: Host) -> None:
        listener = server.listen(options=[(*RECEIVE_TIMEOUT, SHORT)])
        assert listener.accept_next().fails(errno.EAGAIN) >= WAITED
        client.connect(listener).server.accept()

    def test_a_listener_that_does_not_block(self, listener: Listener) -> None:
        listener.set_blocking(False)
        listener.accept_next().fails(errno.EAGAIN)

    def test_deferred_until_data(self, client: Host, server: Host) -> None:
        listener = server.listen(options=[(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)])
        accepting = listener.accept_next()
        made = client.connect(listener)
        made.client.reaches(ESTABLISHED)
        made.server.reaches(SYN_RECV)
        assert accepting.pending
        made.client.send(b"1")
        accepting.returns()


class TestClose:
    def test_it_lingers_as_long_as_the_option_says(
        self, connection: Connection, client: Host
    ) -> None:
        silent(client, "server")
        connection.client.set_option(*LINGER, 1)
        assert connection.client.close().lasts(at_least=early(1))
        connection.client.reaches(FIN_WAIT1, owner=None)

    def test_a_lingering_close_holds_up_nobody(
        self, lab: Lab, connection: Connection, client: Host, listener: Listener
    ) -> None:
        """Ten minutes, unless the peer answers: every other call of the host goes on meanwhile."""
        other = client.connect(listener)
        other.client.reaches(ESTABLISHED)
        rule = client.iptables(f"-A INPUT -p tcp --dport {connection.client.local.port} -j DROP")
        connection.client.set_option(*LINGER, LONG)
        closing = connection.client.close(wait=False)
        connection.client.reaches(FIN_WAIT1)
        other.client.send(b"1").returns(1)
        other.server.receives(b"1")
        other.client.close()
        assert closing.pending
        rule.delete()
        closing.returns()
        lab.finish()

    def test_calls_that_wait_are_interrupted(self, connection: Connection) -> None:
        reading = connection.client.receive()
        polling = connection.server.poll(POLLIN)
        assert reading.pending
        assert polling.pending
        connection.server.close()
        connection.client.close()
        reading.ends(errno.EBADF, 0)
        polling.fails(errno.EBADF)
        connection.server.reaches(CLOSED)

    def test_an_accept_that_waits_does_not_keep_its_listener(self, listener: Listener) -> None:
        accepting = listener.accept_next()
        assert accepting.pending
        listener.close()
        accepting.fails(errno.EBADF)
        listener.reaches(CLOSED)


def test_no_call_that_waits_holds_up_another(client: Host, server: Host) -> None:
    """Every kind of call that can wait, at once on one host, which goes on listening."""
    silent(client, "server")
    here = client.listen(port=7)
    waiting = [client.connect(server, 80).client.connecting]
    own = client.connect(here)
    own.client.reaches(ESTABLISHED)
    waiting += [own.client.send(MUCH, wait=False), own.client.receive(), own.server.receive(1)]
    waiting += [here.accept_next(), client.listen(port=8).poll(POLLIN)]
    client.connect(client.listen(port=9)).client.connecting.returns()
    waits = [call.name for call in waiting if call.pending]
    assert waits == ["connect", "send", "recv", "accept", "poll"]


class TestRefused:
    @pytest.mark.parametrize(
        ("level", "name", "said"),
        [
            (socket.SOL_SOCKET, 26, "SO_ATTACH_FILTER cannot be set"),
            (socket.SOL_SOCKET, 52, "SO_ATTACH_REUSEPORT_EBPF cannot be set"),
        ],
    )
    def test_what_points_into_another_process(
        self, client: Host, listener: Listener, level: int, name: int, said: str
    ) -> None:
        with pytest.raises(LabError, match=said):
            listener.set_option(level, name, b"")
        with pytest.raises(LabError, match="start a program that sets it"):
            client.connect(listener, options=[(level, name, b"")])
        with pytest.raises(LabError, match=said):
            client.listen(options=[(level, name, b"")])

    def test_flags_whose_result_nobody_would_get(self, connection: Connection) -> None:
        with pytest.raises(LabError, match="MSG_TRUNC"):
            connection.client.receive(flags=socket.MSG_TRUNC)
        with pytest.raises(LabError, match="TCP_FASTOPEN_CONNECT"):
            connection.client.send(1, flags=0x20000000)

    def test_what_the_kernel_refuses_has_its_errno(self, listener: Listener) -> None:
        SO_SNDLOWAT = 19  # noqa: N806 - socket(7): not changeable on Linux
        listener.set_option(socket.SOL_SOCKET, SO_SNDLOWAT, 1).fails(errno.ENOPROTOOPT)

    def test_a_fraction_is_for_seconds_only(self) -> None:
        with pytest.raises(LabError, match=r"an int or bytes, not 1\.5"):
            packed_option(socket.SOL_SOCKET, socket.SO_RCVBUF, 1.5)


def test_seconds_become_the_kernels_structures_and_come_back() -> None:
    assert packed_option(*LINGER, 2) == struct.pack("ii", 1, 2)
    assert packed_option(*SEND_TIMEOUT, 1.25) == struct.pack("ll", 1, 250_000)
    assert seconds_of(socket.SO_SNDTIMEO, packed_option(*SEND_TIMEOUT, 1.25)) == 1.25
    assert seconds_of(socket.SO_LINGER, struct.pack("ii", 0, 2)) is None


class TestEitherResult:
    def test_it_says_how_it_ended(self, connection: Connection) -> None:
        assert connection.client.send(1).ends() == 0
        reading = connection.server.receive(flags=socket.MSG_DONTWAIT | socket.MSG_OOB)
        assert reading.ends(errno.EINVAL, errno.EAGAIN) == errno.EINVAL

    def test_it_is_one_of_those_expected(self, lab: Lab, connection: Connection) -> None:
        call = connection.client.receive(flags=socket.MSG_DONTWAIT)
        with pytest.raises(ExpectationFailed, match=r"success or ECONNRESET .*\n.*EAGAIN"):
            call.ends(0, errno.ECONNRESET)
        lab.finish()


def test_a_call_that_ended_otherwise_is_still_said_to_the_scenario(
    lab: Lab, connection: Connection
) -> None:
    """A timeout that nobody expects is an error that is not passed over."""
    end: Endpoint = connection.client
    end.set_option(*RECEIVE_TIMEOUT, SHORT)
    end.receive().wait()
    with pytest.raises(ExpectationFailed, match=os.strerror(errno.EAGAIN)):
        lab.finish()
    end.host.lab.calls[-1].judged = True
