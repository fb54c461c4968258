"""RST from a closed port: the peer refuses what it was sent."""

import errno

import pytest

from sockstates import CLOSED, Host, Lab

pytestmark = [pytest.mark.claims("T17", "R2"), pytest.mark.cause("server.close")]


@pytest.mark.phenomenon(1, symptom="refused", errno="ECONNREFUSED", lasts="at once")
def test_connecting_to_a_closed_port_is_refused(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Nobody listens on the server's port any more. The client connects.")
    server.listen(port=80).close()
    connection = client.connect(server, port=80)

    lab.step("The server's kernel answers with RST, and connect fails at once.")
    connection.client.connecting.fails(errno.ECONNREFUSED)
    connection.client.reaches(CLOSED)
    connection.server.reaches(CLOSED)
    refused = lab.sees_only("""
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [R.], seq 0, ack J+1, length 0
    """)
    lab.figure(refused)
    lab.stays_quiet(seconds=0.2)
