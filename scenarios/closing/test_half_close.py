"""Half-close: one direction is closed, the other stays open and carries data."""

import pytest

from harness import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, TIME_WAIT
from harness.lab import WRITE, Host, Lab

pytestmark = [pytest.mark.claims("T22", "R5"), pytest.mark.cause("client.shutdown")]


def test_data_flows_one_way_after_a_half_close(lab: Lab, client: Host, server: Host) -> None:
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("The client shuts down its sending direction, and keeps the socket.")
    connection.client.shutdown(WRITE)
    connection.client.reaches(FIN_WAIT2, owner=client)
    connection.server.reaches(CLOSE_WAIT, owner=server)
    connection.server.receives_end()

    lab.step("The server goes on sending; the client reads, and its kernel acknowledges.")
    connection.server.send(b"still talking")
    connection.client.receives(b"still talking")
    half_closed = lab.sees_only("""
        client > server: Flags [F.], seq J+1, ack K+1
        server > client: Flags [.], ack J+2
        server > client: Flags [P.], seq K+1:K+14, ack J+2, length 13
        client > server: Flags [.], ack K+14
    """)
    lab.figure(half_closed)

    lab.step("The server closes as well, and both directions are closed.")
    connection.server.close()
    connection.client.receives_end()
    connection.client.reaches(TIME_WAIT)
    connection.server.reaches(CLOSED)
    lab.sees_only("""
        server > client: Flags [F.], seq K+14, ack J+2
        client > server: Flags [.], ack K+15
    """)
