"""The three-way handshake: three segments, and each side's number acknowledged plus one."""

import pytest

from sockstates import ESTABLISHED, LISTEN, Host, Lab

pytestmark = [
    pytest.mark.claims("H1", "H2", "H3", "T14"),
    pytest.mark.cause("client.send", stands_for="the data, whose numbers follow the SYNs'"),
]


def test_three_segments_open_a_connection(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server listens. Nothing is sent for that.")
    listener = server.listen(port=80)
    listener.reaches(LISTEN, owner=server)

    lab.step("The client connects.")
    connection = client.connect(listener)
    connection.client.reaches(ESTABLISHED, owner=client)
    connection.server.reaches(ESTABLISHED)

    lab.step("Three segments were sent, no more: numbers J and K, each acknowledged plus one.")
    opening = lab.sees_only("""
        client > server.80: Flags [S], seq J, length 0
        server.80 > client: Flags [S.], seq K, ack J+1, length 0
        client > server.80: Flags [.], ack K+1, length 0
    """)

    lab.step("Data starts at the initial number plus one, in each direction.")
    connection.client.send(b"hello")
    connection.server.receives(b"hello")
    lab.sees("""
        client > server: Flags [P.], seq J+1:J+6, ack K+1, length 5
        server > client: Flags [.], ack J+6
    """)
    connection.server.send(b"hi")
    connection.client.receives(b"hi")
    answer = lab.sees("server > client: Flags [P.], seq K+1:K+3, ack J+6, length 2")
    lab.figure([*opening, *answer])
