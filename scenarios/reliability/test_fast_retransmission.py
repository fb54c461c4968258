"""One segment of many is lost: who is told of it by what follows need not wait for a timer."""

import socket

import pytest

from sockstates import ESTABLISHED, Connection, Host, Lab
from sockstates.tcp.sizes import IP_HEADERS, TCP_HEADER, TIMESTAMPS

SEGMENTS = 9
"""Less than the window at the beginning, and more than three duplicate acknowledgements need."""
REST = 100
"""Octets of the last segment, which is not full."""
FULL = 1500
"""Octets of a packet with a full segment."""
STEADY_WINDOW = (socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 30_000)
"""What also opens the window is no duplicate acknowledgement; nor is what the sender's kernel joins
to it while its program is still in send(2): tcp_add_backlog() in net/ipv4/tcp_ipv4.c. Without SACK
a window that grows can so hide all duplicates, and only a timer repairs the loss."""


@pytest.mark.parametrize(
    ("sack", "noticed"),
    [(1, "TcpExtTCPSackRecovery"), (0, "TcpExtTCPRenoRecovery")],
    ids=["sack", "no-sack"],
)
@pytest.mark.phenomenon(
    47,
    symptom="as it should be",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="a round trip",
    settings=("tcp_sack", "tcp_reordering", "tcp_recovery"),
)
@pytest.mark.cause("server.iptables")
def test_the_first_of_many_is_lost(
    lab: Lab, client: Host, server: Host, sack: int, noticed: str
) -> None:
    """What follows a lost segment makes the receiver ask for it: it is sent again at once.

    With SACK the sender learns which one it is; without, it counts duplicate acknowledgements.
    """
    connection = connected(lab, client, server, sack)
    size = connection.client.get_option(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    recovered, timed_out = client.counter(noticed), client.counter("TcpExtTCPTimeouts")

    lab.step("The path loses one segment: the first one that is full.")
    lost = server.iptables(one_of_length(FULL))
    connection.client.send(SEGMENTS * size)
    connection.server.receives(bytes(SEGMENTS * size))

    lab.step("It was sent again before any timer ran out.")
    recovered.grows(by=1)
    assert lost.packets == 1
    assert timed_out.grown == 0
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    lab.figure([str(recovered), str(timed_out)])


@pytest.mark.parametrize(
    ("sack", "noticed"),
    [(1, "TcpExtTCPLossProbes"), (0, "TcpExtTCPTimeouts")],
    ids=["sack", "no-sack"],
)
@pytest.mark.phenomenon(
    47,
    symptom="slow",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="a tail loss probe, or a retransmission timer",
    settings=("tcp_sack", "tcp_early_retrans"),
)
@pytest.mark.cause("server.iptables")
def test_the_last_of_many_is_lost(
    lab: Lab, client: Host, server: Host, sack: int, noticed: str
) -> None:
    """Nothing follows the last segment, so only a timer notices that it is lost.

    With SACK that is the tail loss probe's, a few milliseconds; without, it is that of the
    retransmission (tcp_schedule_loss_probe() in net/ipv4/tcp_output.c).
    """
    connection = connected(lab, client, server, sack)
    size = connection.client.get_option(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    repaired = client.counter(noticed)
    recovered = client.counter("TcpExtTCPSackRecovery")

    lab.step("The path loses one segment: the last one.")
    headers = IP_HEADERS[lab.family] + TCP_HEADER + TIMESTAMPS
    lost = server.iptables(one_of_length(headers + REST))
    connection.client.send(SEGMENTS * size + REST)
    connection.server.receives(bytes(SEGMENTS * size + REST))

    lab.step("A timer has run out, and it was sent again.")
    repaired.grows()
    assert lost.packets == 1
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    lab.figure([str(repaired), str(recovered)])


def connected(lab: Lab, client: Host, server: Host, sack: int) -> Connection:
    lab.step(f"Both can say what has arrived out of order (tcp_sack): {sack}.")
    client.sysctl("net.ipv4.tcp_sack", sack)
    connection = client.connect(server.listen(port=80, options=[STEADY_WINDOW]))
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)

    lab.step("A first message is acknowledged, which also tells the client the server's window.")
    connection.client.send(b"hello")
    connection.server.receives(b"hello")
    connection.client.reaches(ESTABLISHED, send_queue=0)
    return connection


def one_of_length(octets: int) -> str:
    """The rule that drops the first packet of this length, and no other."""
    only_one = "-m limit --limit 1/day --limit-burst 1"
    return f"-A INPUT -s client -p tcp -m length --length {octets} {only_one} -j DROP"
