"""A zero window: the receiver's program does not read, and its kernel asks the sender to wait."""

import errno
import socket

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, Connection, Host, Lab
from sockstates.record.events import NANOSECONDS
from sockstates.tcp.timers import MINIMUM_RTO, early

MUCH = 120_000
"""Octets: more than the receiver has room for, and less than the sender has."""
ROOM = (socket.SOL_SOCKET, socket.SO_SNDBUF, MUCH)
"""The kernel takes twice as much, for what it keeps beside the data: socket(7)."""
MORE_THAN_IT_TAKES = 8_000_000
"""Octets: more than both kernels have room for."""


def established(lab: Lab, client: Host, server: Host) -> Connection:
    lab.step("A connection is established. The server's program reads nothing.")
    connection = client.connect(server.listen(port=80), options=[ROOM])
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED, owner=server)
    return connection


@pytest.mark.phenomenon(
    32,
    symptom="hangs",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="for ever",
    settings=("tcp_rmem", "SO_RCVBUF"),
)
@pytest.mark.cause("client.send", without="data", instead=b"!")
def test_a_window_opens_again(lab: Lab, client: Host, server: Host) -> None:
    """A slow reader: the sender probes a zero window, ever more rarely, until it opens.

    Not each probe is answered: an answer to what lies outside of the window comes once in half a
    second at most (tcp_invalid_ratelimit).
    """
    connection = established(lab, client, server)

    lab.step("The client sends more than the server's kernel has room for: its window is zero.")
    connection.client.send(MUCH)
    lab.sees("...\nserver > client: Flags [.], ack N, win 0")

    lab.step("The client asks from time to time; the answer is that there is still no room.")
    *_, first, answer = lab.sees("""
        ...
        client > server: Flags [.], seq N-1, length 0
        server > client: Flags [.], ack N, win 0
    """)
    *_, second = lab.sees("...\nclient > server: Flags [.], seq N-1, length 0")
    assert second.time - first.time >= early(2 * MINIMUM_RTO) * NANOSECONDS
    probing = connection.client.stays(ESTABLISHED, owner=client, seconds=0.1)
    assert probing.timer == "probe"

    lab.step("The program reads. The window opens, and all the rest comes.")
    connection.server.receives(bytes(MUCH))
    connection.client.reaches(ESTABLISHED, owner=client, send_queue=0)
    connection.server.reaches(ESTABLISHED, owner=server, receive_queue=0)
    lab.figure([first, answer, second, probing])


@pytest.mark.phenomenon(
    33,
    symptom="hangs",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED",
    errno="ETIMEDOUT",
    predict="probe",
    settings=("tcp_retries2", "tcp_rto_max_ms", "TCP_USER_TIMEOUT"),
)
@pytest.mark.shortened(client={"net.ipv4.tcp_retries2": 2})
@pytest.mark.families("ipv4")
@pytest.mark.cause("server.iptables")
def test_nobody_answers_behind_a_zero_window(lab: Lab, client: Host, server: Host) -> None:
    """The peer dies while its window is zero: the probes are counted, and then it is given up.

    With tcp_retries2 of 1 even a peer that is alive would be, because it may leave the second
    probe unanswered (tcp_invalid_ratelimit).
    """
    connection = established(lab, client, server)

    lab.step("The client sends more than both kernels have room for, and its program hangs.")
    sending = connection.client.send(MORE_THAN_IT_TAKES, wait=False)
    lab.sees("""
        ...
        server > client: Flags [.], ack N, win 0
        ...
        client > server: Flags [.], seq N-1, length 0
        server > client: Flags [.], ack N, win 0
    """)
    assert sending.pending

    lab.step("The server's host is gone. The probes are not answered any more.")
    server.iptables("-A INPUT -s client -j DROP")
    probe, *_ = lab.sees("client > server: Flags [.], seq N-1, length 0")
    connection.client.reaches(CLOSED)

    lab.step("send(2) returns what the socket had taken by then; the next call gets the error.")
    sending.returns()
    connection.client.send(1).fails(errno.ETIMEDOUT)
    connection.server.stays(ESTABLISHED, owner=server, seconds=0.2)
    lab.never_sees("client > server: Flags [R.]")
    lab.figure(probe)


@pytest.mark.phenomenon(
    34,
    61,
    symptom="close lingers",
    client="FIN_WAIT1, FIN_WAIT2",
    server="ESTABLISHED, CLOSE_WAIT",
    lasts="until the peer reads",
    settings=("tcp_orphan_retries", "tcp_rto_max_ms", "SO_LINGER"),
)
@pytest.mark.cause("client.close")
def test_closing_before_a_zero_window(lab: Lab, client: Host, server: Host) -> None:
    """The sender closes, but its FIN waits behind the data, and the data for a window.

    FIN_WAIT1 without a FIN on the wire: the state says what the program has done.
    """
    connection = established(lab, client, server)

    lab.step("The client sends more than the server's kernel has room for, and closes.")
    connection.client.send(MUCH)
    lab.sees("...\nserver > client: Flags [.], ack N, win 0")
    connection.client.close()

    lab.step(
        "It is in FIN_WAIT1, nobody's any more. No FIN was sent, and the server knows nothing."
    )
    closing = connection.client.reaches(FIN_WAIT1, owner=None)
    assert closing.send_queue
    lab.sees("...\nclient > server: Flags [.], seq N-1, length 0")
    connection.client.stays(FIN_WAIT1, owner=None, seconds=0.2)
    connection.server.stays(ESTABLISHED, owner=server, seconds=0.2)
    lab.never_sees("client > server: Flags [F.]")
    lab.never_sees("client > server: Flags [FP.]")

    lab.step("The server's program reads: all the data first, and then the end.")
    connection.server.receives(bytes(MUCH))
    connection.server.receives_end()
    connection.server.reaches(CLOSE_WAIT, owner=server)
    connection.client.reaches(FIN_WAIT2, owner=None)
    lab.figure(closing)
