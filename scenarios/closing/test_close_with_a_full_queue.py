"""close(2) with a full send queue: the data stays behind with an orphan, and may never arrive."""

import errno
import socket

import pytest

from sockstates import CLOSED, ESTABLISHED, FIN_WAIT1, Host, Lab

A_FEW_SEGMENTS = 8192
MUCH = 60_000
"""Bytes."""


@pytest.mark.phenomenon(
    61,
    symptom="writes go nowhere",
    client="FIN_WAIT1, CLOSED",
    server="ESTABLISHED, CLOSED",
    errno="ECONNRESET",
    predict="probe --orphan",
    settings=("tcp_orphan_retries", "tcp_rto_max_ms", "SO_LINGER"),
)
@pytest.mark.kernel("tcp_rto_max_ms")
@pytest.mark.cause("client.close")
def test_an_orphan_is_given_up_with_its_data(lab: Lab, client: Host, server: Host) -> None:
    """Send and close succeed, and what was not sent yet is lost, though the peer is alive.

    A program may wait for a closed window for ever. An orphan may not: when its probes are as far
    apart as tcp_rto_max_ms lets them be, it is given up, however well they are answered.
    """
    lab.step("The server's program reads nothing, and little fits into its queue.")
    client.sysctl("net.ipv4.tcp_rto_max_ms", 1000)
    small = [(socket.SOL_SOCKET, socket.SO_RCVBUF, A_FEW_SEGMENTS)]
    large = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * MUCH)]
    connection = client.connect(server.listen(port=80, options=small), options=large)
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)

    lab.step("The client sends much more than that, and closes. Both calls succeed, at once.")
    connection.client.send(MUCH).returns(MUCH)
    connection.client.close()
    connection.client.reaches(FIN_WAIT1, owner=None)
    full = connection.server.reaches(ESTABLISHED, owner=server)

    lab.step("The window is shut. The orphan asks whether there is room, and is answered.")
    lab.sees("""
        ...
        server > client: Flags [.], ack N, win 0
        ...
        client > server: Flags [.], seq N-1, length 0
        server > client: Flags [.], ack N, win 0
    """)

    lab.step("The orphan is given up, with all its data. Nobody is told.")
    connection.client.reaches(CLOSED)
    full = connection.server.stays(ESTABLISHED, owner=server, seconds=0.2)
    lab.never_sees("client > server: Flags [R.]")
    lab.never_sees("client > server: Flags [F.]")

    lab.step(
        "The server's program reads what it has. Its kernel offers room, and learns the truth."
    )
    connection.server.receives(bytes(full.receive_queue or 0))
    connection.server.receive().fails(errno.ECONNRESET)
    connection.server.reaches(CLOSED)
    lab.figure(lab.sees("...\nclient > server: Flags [R], seq N"))
