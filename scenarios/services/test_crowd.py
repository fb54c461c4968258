"""Fifty clients of a slow server: a place in the backlog for half of them, and none for the rest.

Who finds the queue full is not refused. Its SYN is dropped, and so it waits for its own next SYN,
also when the server has long had time: that is why such clients wait for whole seconds.
"""

import sys
from pathlib import Path

import pytest

from sockstates import ESTABLISHED, LISTEN, SYN_SENT, Host, Lab

CROWD = str(Path(__file__).parent / "crowd.py")
SLOW_SERVER = str(Path(__file__).parent / "slow_server.py")
BACKLOG, IN_QUEUE = 24, 25
"""Linux lets one more wait than listen(2) was told."""
REST = 50 - 1 - IN_QUEUE


@pytest.mark.phenomenon(
    71,
    symptom="out of ports or queue space",
    client="ESTABLISHED, SYN_SENT",
    server="LISTEN, ESTABLISHED",
    lasts="until the first SYN after the server has time; ETIMEDOUT if it never has",
    settings=("listen's backlog", "somaxconn", "tcp_syn_retries", "tcp_syn_linear_timeouts"),
)
@pytest.mark.cause("client.start", occurrence=2, stands_for="those who fill the queue")
def test_fifty_clients_of_a_slow_server(lab: Lab, client: Host, server: Host) -> None:
    """One is served, the queue holds 25, and 24 more have SYNs that nobody answers."""
    lab.step("The server serves one client after the other. The first one holds it up.")
    serving = server.start([sys.executable, SLOW_SERVER, lab.family, str(BACKLOG)])
    listener = serving.listens(80)
    first = client.start([sys.executable, CROWD, "1"])
    serving.prints("busy with the first client")

    lab.step("Twenty-five more connect at once: the backlog of 24 has room for one more than that.")
    waiting = client.start([sys.executable, CROWD, str(IN_QUEUE)])
    listener.reaches(LISTEN, send_queue=BACKLOG, receive_queue=IN_QUEUE)
    waiting.connects(listener).client.reaches(ESTABLISHED, owner=waiting)

    lab.step("For the rest there is no place. Their SYNs are dropped, and sent again.")
    overflows = server.counter("TcpExtListenOverflows")
    outside = client.start([sys.executable, CROWD, str(REST)])
    left_out = outside.connects(listener)
    left_out.client.reaches(SYN_SENT, owner=outside)
    overflows.grows()
    listener.reaches(LISTEN, receive_queue=IN_QUEUE)

    lab.step("The server goes on. Who was in the queue is served at once, the rest a SYN later.")
    serving.type("go on\n")
    first.ends(0)
    waiting.ends(0)
    outside.ends(0, seconds=lab.deadlines.next_segment() + lab.deadlines.programs)
    left_out.client.retransmits(1)
    listener.reaches(LISTEN, receive_queue=0)
