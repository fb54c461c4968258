"""A black hole: the path swallows everything, and nothing comes back to say so."""

import errno
import socket

import pytest

from sockstates import CLOSED, ESTABLISHED, Host, Lab
from sockstates.record.events import NANOSECONDS
from sockstates.tcp.limits import longest_unacknowledged
from sockstates.tcp.timers import early, late

FEW = 1
"""Doublings of the retransmission timer that this program's host has patience for."""
LONGEST_GAP = 1.0
"""Seconds: the least that tcp_rto_max_ms can be."""
USER_TIMEOUT = 0.5
"""Seconds: less than any schedule of retransmissions takes."""


@pytest.mark.phenomenon(
    26,
    symptom="hangs",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED",
    errno="ETIMEDOUT",
    predict="data",
    settings=("tcp_retries2", "tcp_rto_max_ms", "TCP_USER_TIMEOUT"),
)
@pytest.mark.claims("T10")
@pytest.mark.shortened(client={"net.ipv4.tcp_retries2": 1})
@pytest.mark.cause("server.iptables")
def test_data_into_a_black_hole_is_given_up(lab: Lab, client: Host, server: Host) -> None:
    """Data is sent again and again into a black hole, until the sender gives up in silence."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED, owner=server)

    lab.step("The path swallows what the client sends. send(2) succeeds all the same.")
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.send(b"anybody there?").returns(14)
    waiting = connection.client.reaches(ESTABLISHED, owner=client, send_queue=14)
    reading = connection.client.receive()

    lab.step("The kernel sends the same again, when its timers say, and gives up.")
    sent = connection.client.retransmits_as_predicted("data")
    connection.client.reaches(CLOSED)

    lab.step("The program's next call says why; the peer is told nothing.")
    reading.fails(errno.ETIMEDOUT)
    connection.client.send(b"again?").fails(errno.EPIPE)
    connection.server.stays(ESTABLISHED, owner=server, receive_queue=0, seconds=0.2)
    lab.never_sees("client > server: Flags [R.]")
    lab.figure([waiting, *sent])


@pytest.mark.phenomenon(
    27,
    symptom="hangs",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED",
    errno="ETIMEDOUT",
    predict=f"data --set tcp_retries2={FEW}",
    settings=("tcp_retries2",),
)
@pytest.mark.families("ipv4")
@pytest.mark.cause("client.sysctl")
def test_less_patience_with_a_black_hole(lab: Lab, client: Host, server: Host) -> None:
    """With tcp_retries2 lowered, a dead connection is given up in seconds instead of minutes.

    It counts doublings of the shortest timer, not repetitions: what it really is, is a time.
    """
    lab.step("The client's host has little patience.")
    client.sysctl("net.ipv4.tcp_retries2", FEW)
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step("The path swallows what the client sends. It gives up within the shorter time.")
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.send(b"anybody there?")
    reading = connection.client.receive()
    short = late(longest_unacknowledged({"net.ipv4.tcp_retries2": str(FEW)}, orphan=False))
    connection.client.reaches(CLOSED, seconds=short + lab.deadlines.patience)
    connection.client.retransmits_as_predicted("data")
    reading.fails(errno.ETIMEDOUT)
    connection.server.stays(ESTABLISHED, receive_queue=0, seconds=0.2)


@pytest.mark.phenomenon(
    27,
    symptom="hangs",
    client="ESTABLISHED",
    server="ESTABLISHED",
    predict=f"data --set tcp_rto_max_ms={LONGEST_GAP * 1000:.0f}",
    settings=("tcp_rto_max_ms",),
)
@pytest.mark.kernel("tcp_rto_max_ms")
@pytest.mark.families("ipv4")
@pytest.mark.cause("client.sysctl")
def test_no_long_gaps_into_a_black_hole(lab: Lab, client: Host, server: Host) -> None:
    """With tcp_rto_max_ms lowered, a healed path is noticed sooner: no gap is longer than that."""
    lab.step("The client's host waits no longer than a second between two attempts.")
    client.sysctl("net.ipv4.tcp_rto_max_ms", int(LONGEST_GAP * 1000))
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step("The path swallows what the client sends. The gaps double, and then stay the same.")
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.send(b"anybody there?")
    sent = connection.client.retransmits_as_predicted("data", times=5)
    *_, last_but_one, last = sent[:6]
    gap = (last.time - last_but_one.time) / NANOSECONDS
    assert early(LONGEST_GAP) <= gap <= late(LONGEST_GAP)
    connection.client.reaches(ESTABLISHED, send_queue=14)
    lab.figure(f"the fifth repetition came {gap:.3f} s after the fourth")


@pytest.mark.phenomenon(
    28,
    symptom="hangs",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED",
    errno="ETIMEDOUT",
    predict=f"data --option TCP_USER_TIMEOUT={USER_TIMEOUT * 1000:.0f}",
    settings=("TCP_USER_TIMEOUT",),
)
@pytest.mark.cause("client.set_option")
def test_a_user_timeout_ends_what_is_unacknowledged(lab: Lab, client: Host, server: Host) -> None:
    """TCP_USER_TIMEOUT does nothing to an idle connection; unacknowledged data it gives up early.

    The time counts from the first retransmission (retrans_stamp, net/ipv4/tcp_timer.c).
    """
    lab.step("The client's program does not want to wait long: TCP_USER_TIMEOUT, tcp(7).")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    connection.client.set_option(
        socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(USER_TIMEOUT * 1000)
    )

    lab.step("The path is a black hole. While nobody sends, nothing happens, however long.")
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.stays(ESTABLISHED, owner=client, seconds=2 * USER_TIMEOUT)

    lab.step("The client sends. What is not acknowledged in that time ends the connection.")
    connection.client.send(b"anybody there?")
    connection.client.reaches(CLOSED, seconds=lab.deadlines.patience)
    connection.client.retransmits_as_predicted("data")
    connection.client.receive().fails(errno.ETIMEDOUT)
    connection.server.stays(ESTABLISHED, receive_queue=0, seconds=0.2)
    lab.never_sees("client > server: Flags [R.]")
