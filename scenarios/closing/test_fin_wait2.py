"""FIN_WAIT2 and CLOSE_WAIT: one side has closed, and the other does not."""

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, TIME_WAIT, Host, Lab

pytestmark = [pytest.mark.claims("H6", "T29"), pytest.mark.cause("server.close")]


def test_fin_wait2_until_the_client_closes_too(lab: Lab, client: Host, server: Host) -> None:
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("The server closes. The client's kernel acknowledges; its program does not close.")
    connection.server.close()
    connection.server.reaches(FIN_WAIT2, owner=None, send_queue=0)
    connection.client.reaches(CLOSE_WAIT, owner=client, receive_queue=1)
    closing = lab.sees_only("""
        server > client: Flags [F.], seq K+1, ack J+1
        client > server: Flags [.], ack K+2
    """)

    lab.step("So it stays: both are so at one moment, nothing is sent, and both states last.")
    connection.reaches(client=CLOSE_WAIT, server=FIN_WAIT2)
    lab.stays_quiet(seconds=0.5)
    connection.server.stays(FIN_WAIT2, owner=None, seconds=0.3)
    connection.client.stays(CLOSE_WAIT, owner=client, seconds=0.3)

    lab.step("The client closes too: its side is gone, the server's side is TIME_WAIT.")
    connection.client.receives_end()
    connection.client.close()
    connection.client.reaches(CLOSED)
    time_wait = connection.server.reaches(TIME_WAIT, owner=None)
    closed = lab.sees_only("""
        client > server: Flags [F.], seq J+1, ack K+2
        server > client: Flags [.], ack J+2
    """)
    lab.figure([*closing, *closed, time_wait])
