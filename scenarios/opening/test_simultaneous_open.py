"""Simultaneous open: both ends connect to each other, nobody listens: one connection is made."""

import pytest

from harness import ESTABLISHED, SYN_RECV, SYN_SENT
from harness.lab import Host, Lab

pytestmark = pytest.mark.claims("T14")


def test_two_active_opens_make_one_connection(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Each host drops what the other sends.")
    client_deaf = client.iptables("-A INPUT -s server -j DROP")
    server_deaf = server.iptables("-A INPUT -s client -j DROP")

    lab.step("Each connects to the port that the other connects from. Both SYNs are lost.")
    left = client.connect(server, port=7002, source_port=7001).client
    right = server.connect(client, port=7001, source_port=7002).client
    left.reaches(SYN_SENT, owner=client)
    right.reaches(SYN_SENT, owner=server)

    lab.step("SYNs may pass now, acknowledgements may not: each end answers the other's SYN.")
    client.iptables("-A INPUT -s server -p tcp --tcp-flags ACK ACK -j DROP")
    server.iptables("-A INPUT -s client -p tcp --tcp-flags ACK ACK -j DROP")
    client_deaf.delete()
    server_deaf.delete()
    left.reaches(SYN_RECV, owner=client)
    right.reaches(SYN_RECV, owner=server)
    lab.sees("""
        client.7001 > server.7002: Flags [S], seq J
        ...
        server.7002 > client.7001: Flags [S.], seq K, ack J+1
        ...
        client.7001 > server.7002: Flags [S.], seq J, ack K+1
    """)

    lab.step("All may pass. An answer gets through, and there is one connection with two ends.")
    client.iptables("-F INPUT")
    server.iptables("-F INPUT")
    left.connecting.returns()
    right.connecting.returns()
    left.reaches(ESTABLISHED, owner=client, send_queue=0)
    right.reaches(ESTABLISHED, owner=server, send_queue=0)
    left.send(b"from the client")
    right.send(b"from the server")
    left.receives(b"from the server")
    right.receives(b"from the client")
