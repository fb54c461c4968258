"""RST by close: closing with data unread tells the peer that it was never read."""

import errno

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, Host, Lab


@pytest.mark.phenomenon(
    37,
    symptom="reset",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED, CLOSED",
    errno="ECONNRESET, EPIPE",
    lasts="at once",
)
@pytest.mark.claims("T17", "R4")
@pytest.mark.cause("client.send")
def test_closing_with_unread_data_resets_the_connection(
    lab: Lab, client: Host, server: Host
) -> None:
    """An end that closes with data unread sends RST: the other end's program gets ECONNRESET."""
    lab.step("A connection is established, and the client waits for an answer.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    reading = connection.client.receive()

    lab.step("The client sends; the data is acknowledged, but the server's program reads nothing.")
    connection.client.send(b"hello")
    unread = connection.server.reaches(ESTABLISHED, owner=server, receive_queue=5)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
        client > server: Flags [P.], seq J+1:J+6, ack K+1, length 5
        server > client: Flags [.], ack J+6
    """)

    lab.step("The server closes: RST instead of FIN (RFC 9293, section 3.6.1).")
    connection.server.close()
    reset = lab.sees_only("server > client: Flags [R.], seq K+1, ack J+6, length 0")
    lab.figure([unread, *reset])
    connection.server.reaches(CLOSED)
    connection.client.reaches(CLOSED)

    lab.step("The client's waiting call fails, and so does what it writes afterwards.")
    reading.fails(errno.ECONNRESET)
    connection.client.send(b"again").fails(errno.EPIPE)


@pytest.mark.phenomenon(
    39,
    symptom="writes go nowhere",
    client="CLOSE_WAIT, CLOSED",
    server="FIN_WAIT2, CLOSED",
    errno="EPIPE",
    lasts="until the second write",
)
@pytest.mark.claims("T17")
@pytest.mark.claims("R5", holds=False)
@pytest.mark.cause("server.close")
def test_writing_to_a_closed_peer_is_answered_with_a_reset(
    lab: Lab, client: Host, server: Host
) -> None:
    """The first write to a peer that has closed succeeds, and is lost; the second gets EPIPE."""
    lab.step("A connection is established. The server closes; the client may still send.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)
    connection.server.close()
    connection.client.receives_end()
    connection.client.reaches(CLOSE_WAIT, owner=client)
    connection.server.reaches(FIN_WAIT2, owner=None)

    lab.step("The client sends. Nobody will ever read that, and the server's kernel says so.")
    connection.client.send(b"anybody there?").returns(14)
    connection.client.reaches(CLOSED)
    connection.server.reaches(CLOSED)
    refused = lab.sees("""
        client > server: Flags [P.], seq J+1:J+15, ack K+2, length 14
        server > client: Flags [R], seq K+2, length 0
    """)

    lab.figure(refused)

    lab.step("The client's next write fails.")
    connection.client.send(b"anybody?").fails(errno.EPIPE)
