"""The close in four segments: each direction is closed by a FIN and its acknowledgement."""

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, LAST_ACK, TIME_WAIT, Host, Lab

pytestmark = pytest.mark.claims("H4", "H7", "T14")


@pytest.mark.phenomenon(
    68,
    symptom="as it should be",
    client="ESTABLISHED, CLOSE_WAIT, CLOSED",
    server="ESTABLISHED, FIN_WAIT2, TIME_WAIT",
    predict="time-wait",
)
@pytest.mark.cause("server.close")
def test_the_server_closes_first(lab: Lab, client: Host, server: Host) -> None:
    """The server closes first, so TIME_WAIT is the server's."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("The server closes; the client's kernel acknowledges by itself.")
    connection.server.close()
    connection.server.reaches(FIN_WAIT2)
    connection.client.reaches(CLOSE_WAIT)

    lab.step("The client's program sees the end of the data, and closes later.")
    connection.client.receives_end()
    connection.client.close()
    connection.client.reaches(CLOSED)
    connection.server.reaches(TIME_WAIT)
    connection.client.passes_through(
        [ESTABLISHED, CLOSE_WAIT, LAST_ACK, CLOSED], unseen_allowed=True
    )
    connection.server.passes_through([FIN_WAIT2, TIME_WAIT])

    lab.step("Four segments were sent, no more.")
    closing = lab.sees_only("""
        server.16868 > client: Flags [F.], seq K+1, ack J+1, length 0
        client > server.16868: Flags [.], ack K+2, length 0
        client > server.16868: Flags [F.], seq J+1, ack K+2, length 0
        server.16868 > client: Flags [.], ack J+2, length 0
    """)
    lab.figure(closing)


@pytest.mark.phenomenon(
    68,
    symptom="as it should be",
    client="ESTABLISHED, FIN_WAIT2, TIME_WAIT",
    server="ESTABLISHED, CLOSE_WAIT, CLOSED",
    predict="time-wait",
)
@pytest.mark.cause("client.close")
def test_the_client_closes_first(lab: Lab, client: Host, server: Host) -> None:
    """The client closes first, so TIME_WAIT is the client's, and with it the port."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("Either side can begin: now the client closes, and the server closes later.")
    connection.client.close()
    connection.client.reaches(FIN_WAIT2)
    connection.server.reaches(CLOSE_WAIT)
    connection.server.receives_end()
    connection.server.close()
    connection.server.reaches(CLOSED)
    connection.client.reaches(TIME_WAIT)
    connection.server.passes_through(
        [ESTABLISHED, CLOSE_WAIT, LAST_ACK, CLOSED], unseen_allowed=True
    )
    connection.client.passes_through([FIN_WAIT2, TIME_WAIT])

    lab.step("The same four segments, the other way round.")
    closing = lab.sees_only("""
        client > server.16868: Flags [F.], seq J+1, ack K+1, length 0
        server.16868 > client: Flags [.], ack J+2, length 0
        server.16868 > client: Flags [F.], seq K+1, ack J+2, length 0
        client > server.16868: Flags [.], ack K+2, length 0
    """)
    lab.figure(closing)
