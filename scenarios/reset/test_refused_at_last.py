"""RST in SYN_SENT: a port that is closed, found out late because a firewall was in the way."""

import errno

import pytest

from sockstates import CLOSED, SYN_SENT, Host, Lab

pytestmark = pytest.mark.cause("server.rule.delete")


def test_the_refusal_comes_when_the_firewall_opens(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Nobody listens on the server's port, but a firewall swallows the SYN.")
    rule = server.iptables("-A INPUT -s client -j DROP")
    connection = client.connect(server, port=80)
    connection.client.reaches(SYN_SENT, owner=client)

    lab.step("The firewall opens. The next SYN is refused, and connect fails at once.")
    rule.delete()
    connection.client.connecting.fails(errno.ECONNREFUSED, seconds=lab.deadlines.patience)
    connection.client.reaches(CLOSED)
    lab.sees("""
        client > server.80: Flags [S], seq J
        ...
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [R.], seq 0, ack J+1
    """)
