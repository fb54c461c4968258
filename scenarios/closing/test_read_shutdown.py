"""Shutting down the reading side: a matter of one program alone, of which no peer hears."""

import pytest

from sockstates import ESTABLISHED, READ, Host, Lab


@pytest.mark.phenomenon(
    42,
    symptom="writes go nowhere",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="for ever",
)
@pytest.mark.cause("client.shutdown")
def test_the_peer_does_not_notice(lab: Lab, client: Host, server: Host) -> None:
    """After shutdown(SHUT_RD) reads end at once, but the peer goes on sending, acknowledged.

    Linux does not even throw away what comes: it can be read all the same.
    """
    lab.step("A connection is established. The client's program waits for data.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED, owner=client)
    connection.server.reaches(ESTABLISHED, owner=server)
    reading = connection.client.receive()
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("It shuts down its reading side. Its call ends, and nothing goes out on the wire.")
    connection.client.shutdown(READ)
    reading.returns(b"")
    connection.client.stays(ESTABLISHED, owner=client, seconds=0.2)
    lab.stays_quiet(seconds=0.2)

    lab.step("The server sends. Nobody tells it to stop; the data is acknowledged.")
    connection.server.send(b"hello")
    connection.client.reaches(ESTABLISHED, owner=client, receive_queue=5)
    connection.server.reaches(ESTABLISHED, owner=server, send_queue=0)
    unwanted = lab.sees_only("""
        server > client: Flags [P.], seq K+1:K+6, ack J+1, length 5
        client > server: Flags [.], ack K+6
    """)

    lab.step("It can even be read; then there is the end again.")
    connection.client.receives(b"hello")
    connection.client.receives_end()
    lab.figure(unwanted)
