"""close(2) with a full send queue: the data goes on, and the FIN behind it, from an orphan."""

import socket

import pytest

from harness import CLOSE_WAIT, ESTABLISHED, FIN_WAIT1, FIN_WAIT2
from harness.lab import Host, Lab

A_FEW_SEGMENTS = 8192
MUCH = 60_000
"""Bytes."""


@pytest.mark.phenomenon(
    61,
    symptom="close lingers",
    client="FIN_WAIT1, FIN_WAIT2",
    server="ESTABLISHED, CLOSE_WAIT",
    lasts="until the peer reads",
    settings=("tcp_orphan_retries", "tcp_rmem", "tcp_wmem"),
)
@pytest.mark.cause("client.close")
def test_an_orphan_sends_what_is_left_and_then_its_fin(
    lab: Lab, client: Host, server: Host
) -> None:
    """A close returns at once, with the data unsent: FIN_WAIT1, and no FIN for a long time."""
    lab.step("The server's program reads nothing, and little fits into its queue.")
    small = [(socket.SOL_SOCKET, socket.SO_RCVBUF, A_FEW_SEGMENTS)]
    large = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * MUCH)]
    connection = client.connect(server.listen(port=80, options=small), options=large)
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)

    lab.step("The client sends much more than that, and closes. Both calls return at once.")
    connection.client.send(MUCH)
    connection.client.close()
    waiting = connection.client.reaches(FIN_WAIT1, owner=None)
    full = connection.server.reaches(ESTABLISHED, owner=server)
    lab.figure([waiting, full])

    lab.step("The window is shut: the orphan asks again and again whether there is room.")
    lab.sees("""
        ...
        server > client: Flags [.], win 0
        ...
        server > client: Flags [.], win 0
    """)
    connection.client.stays(FIN_WAIT1, owner=None, seconds=0.2)
    connection.server.stays(ESTABLISHED, owner=server, seconds=0.2)
    lab.never_sees("client > server: Flags [F.]")
    lab.never_sees("client > server: Flags [FP.]")

    lab.step(
        "The program reads. All of the data comes, though the sender is long gone, and its end."
    )
    connection.server.receives(bytes(MUCH))
    connection.server.receives_end()
    connection.client.reaches(FIN_WAIT2, owner=None)
    connection.server.reaches(CLOSE_WAIT, owner=server)
