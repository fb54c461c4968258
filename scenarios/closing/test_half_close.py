"""Half-close: one direction is closed, the other stays open and carries data."""

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, TIME_WAIT, WRITE, Host, Lab

pytestmark = pytest.mark.cause("client.shutdown")


@pytest.mark.phenomenon(
    55,
    symptom="as it should be",
    client="FIN_WAIT2, TIME_WAIT",
    server="CLOSE_WAIT, CLOSED",
    lasts="until the peer closes",
)
@pytest.mark.claims("T22", "R5")
def test_data_flows_one_way_after_a_half_close(lab: Lab, client: Host, server: Host) -> None:
    """One direction is closed, the other goes on: FIN_WAIT2 and CLOSE_WAIT with data."""
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


@pytest.mark.phenomenon(
    55,
    symptom="close lingers",
    client="FIN_WAIT2",
    server="CLOSE_WAIT",
    lasts="until the peer closes",
    settings=("tcp_fin_timeout", "SO_KEEPALIVE"),
)
@pytest.mark.shortened(client={"net.ipv4.tcp_fin_timeout": 1})
def test_a_half_close_is_held_without_limit(lab: Lab, client: Host, server: Host) -> None:
    """tcp_fin_timeout ends an orphan's FIN_WAIT2; while a program has the socket, nothing does."""
    lab.step("Two connections are established.")
    listener = server.listen(port=80)
    half_closed, closed = client.connect(listener), client.connect(listener)
    half_closed.server.accept()
    half_closed.client.reaches(ESTABLISHED)
    closed.client.reaches(ESTABLISHED)

    lab.step("The client shuts down the one. Then it closes the other. The server does not close.")
    half_closed.client.shutdown(WRITE)
    half_closed.client.reaches(FIN_WAIT2, owner=client)
    closed.client.close()
    closed.client.reaches(FIN_WAIT2, owner=None)

    lab.step("tcp_fin_timeout runs out. The one that was closed is gone, the other one is not.")
    closed.client.reaches(CLOSED)
    lab.figure(half_closed.client.stays(FIN_WAIT2, owner=client, seconds=0.2))
    half_closed.server.reaches(CLOSE_WAIT, owner=server)

    lab.step("Also later than that the server's answer arrives.")
    half_closed.server.send(b"at last")
    half_closed.client.receives(b"at last")
