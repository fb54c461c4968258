"""CLOSED: there is no socket any more. The peer that does not know (half-open) is told by RST."""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, Host, Lab


@pytest.mark.phenomenon(
    40,
    symptom="works until idle",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED, CLOSED",
    errno="ECONNRESET, EPIPE",
    lasts="until the next write",
    settings=("SO_KEEPALIVE",),
)
@pytest.mark.claims("T17", "R3")
@pytest.mark.cause("client.iptables")
def test_a_half_open_connection_is_found_out(lab: Lab, client: Host, server: Host) -> None:
    """The peer's host forgot the connection, as after a restart: the next write gets a reset."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("The server aborts, as a host that crashes; the client does not hear of it.")
    rule = client.iptables("-A INPUT -s server -j DROP")
    connection.server.abort()
    connection.server.reaches(CLOSED)
    lab.sees_only("server > client: Flags [R.], seq K+1, ack J+1")
    rule.delete()

    lab.step("The connection is half-open: one end is in no list, the other is ESTABLISHED.")
    connection.server.stays(CLOSED, seconds=0.3)
    half_open = connection.client.stays(ESTABLISHED, owner=client, seconds=0.3)

    lab.step("The client sends. The server's kernel knows no such connection and refuses.")
    connection.client.send(b"anybody there?")
    connection.client.reaches(CLOSED)
    found_out = lab.sees_only("""
        client > server: Flags [P.], seq J+1:J+15, ack K+1, length 14
        server > client: Flags [R], seq K+1, length 0
    """)
    lab.figure([half_open, *found_out])
    connection.client.receive().fails(errno.ECONNRESET)
    connection.client.send(b"again?").fails(errno.EPIPE)
