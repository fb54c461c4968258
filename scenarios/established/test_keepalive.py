"""Keepalive: an idle connection asks whether its peer is still there, and gives it up if not."""

import errno
import socket

import pytest

from harness import CLOSED, ESTABLISHED
from harness.lab import Host, Lab

KEPT_ALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


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
    lab.step("A connection is established whose client wants it kept alive.")
    connection = client.connect(server.listen(port=80), options=[KEPT_ALIVE])
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    reading = connection.client.receive()
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("The server hears nothing any more. Nobody has anything to say; the client asks.")
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.reaches(CLOSED, seconds=lab.deadlines.keepalive(client))
    lab.sees("""
        client > server: Flags [.], ack K+1, length 0
        client > server: Flags [.], ack K+1, length 0
        ...
        client > server: Flags [R.], seq J+1, ack K+1
    """)
    lab.never_sees("server > client: Flags [.]")

    lab.step("The client's program learns of it from its call; the server does not know.")
    reading.fails(errno.ETIMEDOUT)
    connection.server.stays(ESTABLISHED, owner=None, seconds=0.2)
