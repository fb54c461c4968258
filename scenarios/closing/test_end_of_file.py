"""The end of file comes after the data: a FIN waits in line behind what was sent before it."""

import pytest

from sockstates import CLOSE_WAIT, ESTABLISHED, FIN_WAIT2, Host, Lab

pytestmark = [pytest.mark.claims("H5"), pytest.mark.cause("client.close")]


def test_the_end_is_read_after_all_queued_data(lab: Lab, client: Host, server: Host) -> None:
    lab.step("A connection is established, and the server's program reads nothing.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)

    lab.step("The client sends twice and closes. The kernel acknowledges all, the FIN too.")
    connection.client.send(b"first ")
    connection.server.reaches(ESTABLISHED, owner=server, receive_queue=6)
    connection.client.send(b"second")
    connection.server.reaches(ESTABLISHED, owner=server, receive_queue=12)
    connection.client.close()
    connection.client.reaches(FIN_WAIT2, owner=None)
    *_, acknowledged = lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
        client > server: Flags [P.], seq J+1:J+7, ack K+1, length 6
        server > client: Flags [.], ack J+7
        client > server: Flags [P.], seq J+7:J+13, ack K+1, length 6
        server > client: Flags [.], ack J+13
        client > server: Flags [F.], seq J+13, ack K+1
        server > client: Flags [.], ack J+14
    """)

    lab.step("Twelve bytes wait to be read, and the FIN behind them, which counts one.")
    waiting = connection.server.reaches(CLOSE_WAIT, owner=server, receive_queue=13)
    lab.figure([acknowledged, waiting])

    lab.step("The program reads: first all the data, and only then the end.")
    connection.server.receives(b"first second")
    connection.server.receives_end()
