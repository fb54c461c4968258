"""A socket that connects to its own port: one socket, and a connection with itself."""

import pytest

from sockstates import ESTABLISHED, Host, Lab


@pytest.mark.phenomenon(
    25, symptom="as it should be", client="ESTABLISHED", lasts="until it is closed"
)
@pytest.mark.topology(loopback=True)
@pytest.mark.cause("client.connect", without="source_port")
def test_connecting_to_oneself(lab: Lab, client: Host) -> None:
    """A client whose own port is by chance the one that it connects to is answered by itself.

    Nobody listens, and connect succeeds: seen where a program connects again and again to a port of
    its own host that is in the range of ports for clients. It is a simultaneous open of one.
    """
    lab.step("Nobody listens on the client's port 7001. It connects from there to there.")
    connection = client.connect(client, port=7001, source_port=7001)
    connection.client.connecting.returns()
    connection.client.reaches(ESTABLISHED, owner=client)
    lab.sees("""
        localhost.7001 > localhost.7001: Flags [S], seq J
        localhost.7001 > localhost.7001: Flags [S.], seq J, ack J+1
        localhost.7001 > localhost.7001: Flags [.], ack J+1
    """)

    lab.step("What it sends, it receives.")
    connection.client.send(b"anybody there?")
    connection.client.receives(b"anybody there?")
