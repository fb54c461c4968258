"""FINs that cross: both ends are CLOSING at the same time, and then both are TIME_WAIT."""

import pytest

from sockstates import CLOSING, ESTABLISHED, FIN_WAIT1, TIME_WAIT, Host, Lab, Wire

pytestmark = [
    pytest.mark.claims("T23", holds=False),
    pytest.mark.claims("R6"),
    pytest.mark.cause("wire.hold", occurrence=3),
]


@pytest.mark.phenomenon(
    59,
    symptom="as it should be",
    client="FIN_WAIT1, CLOSING, TIME_WAIT",
    server="FIN_WAIT1, CLOSING, TIME_WAIT",
    predict="time-wait",
)
def test_both_ends_are_closing_when_the_fins_cross(
    lab: Lab, client: Host, server: Host, wire: Wire
) -> None:
    """Both close at the same time: both are CLOSING, and then both wait in TIME_WAIT."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("The wire keeps what acknowledges a FIN, and one FIN until the other has passed.")
    of_servers_fin = wire.hold("client > server: Flags [_], ack K+2")
    of_clients_fin = wire.hold("server > client: Flags [_], ack J+2")
    first = wire.hold("client > server: Flags [F.]", until="server > client: Flags [F.]")

    lab.step("Both close. The FINs cross on the wire.")
    connection.client.close()
    connection.client.reaches(FIN_WAIT1, owner=None, send_queue=1)
    first.meets()
    connection.server.close()
    connection.client.reaches(CLOSING, owner=None, send_queue=1)
    connection.server.reaches(CLOSING, owner=None, send_queue=1)
    lab.sees("""
        client > server: Flags [F.], seq J+1, ack K+1
        ...
        server > client: Flags [F.], seq K+1, ack J+1
        ...
        client > server: Flags [.], ack K+2
    """)

    lab.step("Both have acknowledged the other's FIN, and hear nothing of their own.")
    of_servers_fin.meets()
    of_clients_fin.meets()
    connection.client.stays(CLOSING, owner=None, seconds=0.3)
    connection.server.stays(CLOSING, owner=None, seconds=0.3)

    lab.step("The acknowledgements go on. Both have closed actively, and both are TIME_WAIT.")
    of_servers_fin.release()
    of_clients_fin.release()
    connection.client.reaches(TIME_WAIT, owner=None)
    connection.server.reaches(TIME_WAIT, owner=None)
    lab.figure(connection.client.passes_through([ESTABLISHED, FIN_WAIT1, CLOSING, TIME_WAIT]))
    lab.figure(connection.server.passes_through([ESTABLISHED, FIN_WAIT1, CLOSING, TIME_WAIT]))
