"""Simultaneous open: both ends connect to each other, nobody listens: one connection is made."""

import pytest

from sockstates import ESTABLISHED, SYN_RECV, SYN_SENT, Host, Lab

pytestmark = [pytest.mark.claims("R1"), pytest.mark.cause("server.iptables")]


@pytest.mark.phenomenon(
    25,
    symptom="as it should be",
    client="SYN_SENT, ESTABLISHED",
    server="SYN_SENT, SYN_RECV, ESTABLISHED",
    lasts="until both hear each other",
)
def test_two_active_opens_make_one_connection(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Each host drops what the other sends.")
    client_deaf = client.iptables("-A INPUT -s server -j DROP")
    server_deaf = server.iptables("-A INPUT -s client -j DROP")

    lab.step("Each connects to the port that the other connects from. Both SYNs are lost.")
    left = client.connect(server, port=7002, source_port=7001).client
    left.reaches(SYN_SENT, owner=client)
    right = server.connect(client, port=7001, source_port=7002).client
    right.reaches(SYN_SENT, owner=server)
    lab.sees("""
        client.7001 > server.7002: Flags [S], seq J
        server.7002 > client.7001: Flags [S], seq K
    """)

    lab.step("The server hears a SYN and answers with its own, though it has never listened.")
    server_deaf.delete()
    right.reaches(SYN_RECV, owner=server)
    left.stays(SYN_SENT, owner=client, seconds=0.3)
    lab.sees("""
        ...
        client.7001 > server.7002: Flags [S], seq J
        ...
        server.7002 > client.7001: Flags [S.], seq K, ack J+1
    """)

    lab.step("The client hears the server too: there is one connection, with two active ends.")
    client_deaf.delete()
    left.connecting.returns()
    right.connecting.returns()
    left.reaches(ESTABLISHED, owner=client)
    right.reaches(ESTABLISHED, owner=server)
    lab.figure(right.passes_through([SYN_SENT, SYN_RECV, ESTABLISHED]))
    lab.sees("""
        ...
        server.7002 > client.7001: Flags [S.], seq K, ack J+1
        ...
        client.7001 > server.7002: Flags [.], ack K+1
    """)

    lab.step("It carries data both ways.")
    left.send(b"from the client")
    right.send(b"from the server")
    left.receives(b"from the server")
    right.receives(b"from the client")
