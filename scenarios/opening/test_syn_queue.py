"""The queue of handshakes that are not complete yet: what the next SYN meets when it is full."""

import pytest

from sockstates import CLOSED, LISTEN, SYN_RECV, SYN_SENT, Host, Lab


@pytest.mark.phenomenon(
    18,
    symptom="connect hangs",
    client="SYN_SENT",
    server="LISTEN, SYN_RECV",
    lasts="until the server gives up one of the others",
    settings=("tcp_syncookies", "listen(backlog)", "tcp_max_syn_backlog", "tcp_synack_retries"),
)
@pytest.mark.cause("server.sysctl")
def test_without_cookies_the_next_syn_is_dropped(lab: Lab, client: Host, server: Host) -> None:
    """Two handshakes that nobody completes are enough to shut out everybody else.

    With a backlog of one, and with SYN cookies switched off. Nobody waits to be accepted.
    """
    lab.step("The server uses no SYN cookies, and listens with a backlog of one.")
    server.sysctl("net.ipv4.tcp_syncookies", 0)
    listener = server.listen(port=80, backlog=1)

    lab.step("Two SYNs come from somebody who never completes a handshake.")
    first = client.crafts(port=40001, to=listener)
    second = client.crafts(port=40002, to=listener)
    first.sends("Flags [S], seq 1000")
    first.peer.reaches(SYN_RECV, owner=None)
    second.sends("Flags [S], seq 1000")
    second.peer.reaches(SYN_RECV, owner=None)

    lab.step("A client connects. Its SYNs are dropped, though the accept queue is empty.")
    full = server.counter("TcpExtTCPReqQFullDrop")
    drops = server.counter("TcpExtListenDrops")
    shut_out = client.connect(listener, source_port=7005)
    shut_out.client.reaches(SYN_SENT, owner=client)
    full.grows()
    drops.grows()
    shut_out.server.stays(CLOSED, seconds=0.2)
    listener.reaches(LISTEN, owner=server, receive_queue=0, send_queue=1)
    lab.never_sees("server.80 > client.7005: Flags [_]")
