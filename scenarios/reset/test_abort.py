"""RST by abort: SO_LINGER with a time of zero throws the connection away instead of closing it."""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, Host, Lab


@pytest.mark.phenomenon(
    37,
    68,
    symptom="reset",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED, CLOSED",
    errno="ECONNRESET, EPIPE",
    lasts="at once",
    settings=("SO_LINGER",),
)
@pytest.mark.claims("T17")
@pytest.mark.cause("client.abort")
def test_abort_releases_the_connection_on_both_sides(lab: Lab, client: Host, server: Host) -> None:
    """SO_LINGER with a time of zero: close sends RST, and both ends are gone, without TIME_WAIT."""
    lab.step("A connection is established, and the server waits for data.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED, owner=server)
    reading = connection.server.receive()
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("The client aborts: one RST, no FIN, nothing acknowledged, no TIME_WAIT.")
    connection.client.abort()
    connection.client.reaches(CLOSED)
    connection.server.reaches(CLOSED)
    aborted = lab.sees_only("client > server: Flags [R.], seq J+1, ack K+1, length 0")

    lab.step("The server's program learns of it from its call; writing fails from now on.")
    reading.fails(errno.ECONNRESET)
    connection.server.send(b"too late").fails(errno.EPIPE)
    lab.figure(aborted)
    lab.stays_quiet(seconds=0.2)
