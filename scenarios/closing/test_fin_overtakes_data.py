"""A FIN that overtakes the data before it: it is kept, and counts only in its place."""

import pytest

from sockstates import CLOSE_WAIT, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, Host, Lab, Wire

LONG_WAY = 0.5
"""Seconds. When the data is sent again for the second time, no room is left for a FIN beside it
(RFC 5681, section 3.1): the client has to have closed by then, however busy its host is."""


@pytest.mark.phenomenon(
    60,
    symptom="close lingers",
    client="FIN_WAIT1, FIN_WAIT2",
    server="ESTABLISHED, CLOSE_WAIT",
    lasts="until the data arrives",
)
@pytest.mark.cause("wire.hold")
def test_a_fin_waits_for_the_data_before_it(
    lab: Lab, client: Host, server: Host, wire: Wire
) -> None:
    """The FIN arrives before the data: the receiver stays ESTABLISHED and reads no end."""
    lab.step("A connection over a long way, which the client's timers wait for.")
    wire.delay("server > client: Flags [S.]", seconds=LONG_WAY)
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    reading = connection.server.receive()

    lab.step("The wire holds the client's data, and what is sent of it again. The FIN passes.")
    late = wire.hold("client > server: Flags [_], length 5")
    connection.client.send(b"first")
    connection.client.close()
    late.meets()
    connection.client.reaches(FIN_WAIT1, owner=None, send_queue=6)

    lab.step("The server's kernel keeps the FIN, and asks for what is missing before it.")
    asked = lab.sees("""
        client > server: Flags [F.], seq J+6, ack K+1
        ...
        server > client: Flags [.], ack J+1
    """)
    waiting = connection.server.stays(ESTABLISHED, owner=server, receive_queue=0, seconds=0.3)
    assert reading.pending
    connection.client.reaches(FIN_WAIT1, owner=None, send_queue=6)
    lab.figure([*asked, waiting])

    lab.step("The data arrives. With it the FIN counts, too: one answer acknowledges both.")
    late.release()
    connection.server.reaches(CLOSE_WAIT, owner=server)
    connection.client.reaches(FIN_WAIT2, owner=None, send_queue=0)
    lab.sees("""
        ...
        server > client: Flags [.], ack J+7
    """)
    reading.returns(b"first")
    connection.server.receives_end()
