"""FIN_WAIT1 with nc: the server is interrupted, and nothing that it sends arrives."""

import signal

import pytest

from sockstates import ESTABLISHED, FIN_WAIT1, Host, Lab

pytestmark = [
    pytest.mark.claims("T27", "T32"),
    pytest.mark.cause("client.iptables"),
    pytest.mark.programs("nc", "netstat"),
]


def test_fin_wait1_with_one_byte_unacknowledged(
    lab: Lab, client: Host, server: Host, nc: str
) -> None:
    lab.step("nc is connected to nc.")
    waiting = server.start(f"{nc} -l 16868")
    listener = waiting.listens(16868)
    netcat = client.start(f"{nc} -v server 16868")
    connection = netcat.connects(listener)
    connection.server.reaches(ESTABLISHED, owner=waiting)

    lab.step("The client drops whatever the server sends.")
    client.iptables("-A INPUT -s server -j DROP")

    lab.step("Ctrl-C ends the server's nc. Its FIN stays unacknowledged; nobody owns the socket.")
    waiting.interrupt()
    waiting.ends(-signal.SIGINT)
    unacknowledged = connection.server.reaches(FIN_WAIT1, send_queue=1, owner=None)
    connection.client.reaches(ESTABLISHED, owner=netcat)
    fins = lab.sees("""
        server.16868 > client: Flags [F.], seq K, ack J, length 0
        server.16868 > client: Flags [F.], seq K, ack J, length 0
    """)
    lab.figure([unacknowledged, *fins])

    lab.step("netstat -antp on the server: FIN_WAIT1, one byte in Send-Q, no process.")
    (row,) = server.agrees_with_netstat().on(16868)
    assert (row.state, row.send_queue, row.receive_queue) == (FIN_WAIT1, 1, 0)
    assert row.owners == frozenset()
