"""Keepalive: an idle connection asks whether its peer is still there, and gives it up if not."""

import errno
import socket

import pytest

from sockstates import CLOSED, ESTABLISHED, Host, Lab

KEPT_ALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


@pytest.mark.phenomenon(
    30,
    31,
    symptom="hangs",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED",
    errno="ETIMEDOUT",
    predict="keepalive",
    settings=(
        *("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes"),
        *("SO_KEEPALIVE", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT"),
    ),
)
@pytest.mark.shortened(
    client={
        "net.ipv4.tcp_keepalive_time": 1,
        "net.ipv4.tcp_keepalive_intvl": 1,
        "net.ipv4.tcp_keepalive_probes": 2,
    }
)
@pytest.mark.families("ipv4")
@pytest.mark.cause("server.iptables")
def test_a_silent_peer_is_found_out(lab: Lab, client: Host, server: Host) -> None:
    """An idle connection whose peer is dead is given up by keepalive, and only by that."""
    lab.step("A connection is established whose client wants it kept alive.")
    connection = client.connect(server.listen(port=80), options=[KEPT_ALIVE])
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    reading = connection.client.receive()
    lab.sees("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("The server hears nothing any more. Nobody has anything to say; the client asks.")
    server.iptables("-A INPUT -s client -j DROP")
    first_question, *_ = connection.client.retransmits_as_predicted("keepalive")
    connection.client.reaches(CLOSED, seconds=lab.deadlines.keepalive(client))
    lab.sees("""
        ...
        client > server: Flags [.], ack K+1, length 0
        client > server: Flags [.], ack K+1, length 0
        ...
        client > server: Flags [R.], seq J+1, ack K+1
    """)
    lab.never_sees("server > client: Flags [.]", since=first_question)

    lab.step("The client's program learns of it from its call; the server does not know.")
    reading.fails(errno.ETIMEDOUT)
    connection.server.stays(ESTABLISHED, owner=None, seconds=0.2)


@pytest.mark.phenomenon(
    30,
    symptom="as it should be",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="for ever",
    settings=("tcp_keepalive_time", "SO_KEEPALIVE", "TCP_KEEPIDLE"),
)
@pytest.mark.shortened(
    client={
        "net.ipv4.tcp_keepalive_time": 1,
        "net.ipv4.tcp_keepalive_intvl": 1,
        "net.ipv4.tcp_keepalive_probes": 1,
    }
)
@pytest.mark.families("ipv4")
@pytest.mark.cause("client.set_option")
def test_a_live_peer_answers(lab: Lab, client: Host, server: Host) -> None:
    """Keepalive asks a peer that is there, which answers without its program knowing of it."""
    lab.step("A connection is established whose client wants it kept alive.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED, owner=server)
    reading = connection.server.receive()
    lab.sees("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)
    asked = client.counter("TcpExtTCPKeepAlive")
    connection.client.set_option(*KEPT_ALIVE)

    lab.step("Nobody has anything to say. The client asks, with a number that is long known.")
    asked.grows(seconds=lab.deadlines.keepalive(client))
    question, answer = lab.sees("""
        client > server: Flags [.], seq J, ack K+1, length 0
        server > client: Flags [.], seq K+1, ack J+1, length 0
    """)

    lab.step("That is all: both ends are as they were, and no program has read anything.")
    connection.client.stays(ESTABLISHED, owner=client, seconds=0.2)
    connection.server.stays(ESTABLISHED, owner=server, receive_queue=0, seconds=0.2)
    assert reading.pending
    lab.figure([question, answer])
