"""CLOSING: both sides have closed, their FINs cross, and one is not yet acknowledged."""

import pytest

from sockstates import CLOSING, ESTABLISHED, FIN_WAIT1, TIME_WAIT, Host, Lab

pytestmark = [
    pytest.mark.claims("T23", holds=False),
    pytest.mark.claims("R6"),
    pytest.mark.cause("server.iptables"),
]


@pytest.mark.phenomenon(
    59,
    symptom="close lingers",
    client="FIN_WAIT1, CLOSING, TIME_WAIT",
    server="ESTABLISHED, FIN_WAIT1, TIME_WAIT",
    lasts="until the next retransmission of the FIN",
)
def test_closing_while_the_fins_cross(lab: Lab, client: Host, server: Host) -> None:
    """Both close, and one FIN is lost: that end is CLOSING until the FIN gets through."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("The server drops whatever the client sends. The client closes: its FIN is lost.")
    rule = server.iptables("-A INPUT -s client -j DROP")
    connection.client.close()
    connection.client.reaches(FIN_WAIT1, owner=None, send_queue=1)
    connection.server.stays(ESTABLISHED, seconds=0.3)

    lab.step("The server closes as well, knowing nothing of that FIN. Its own FIN arrives.")
    connection.server.close()
    connection.client.reaches(CLOSING, owner=None, send_queue=1)
    connection.server.reaches(FIN_WAIT1, owner=None, send_queue=1)
    lab.sees("""
        client > server: Flags [F.], seq J+1, ack K+1
        ...
        server > client: Flags [F.], seq K+1, ack J+1
        client > server: Flags [.], ack K+2
    """)

    lab.step("The rule goes. The FIN gets through: both have closed actively, both are TIME_WAIT.")
    rule.delete()
    connection.client.reaches(TIME_WAIT, owner=None)
    connection.server.reaches(TIME_WAIT, owner=None)
    lab.figure(connection.client.passes_through([ESTABLISHED, FIN_WAIT1, CLOSING, TIME_WAIT]))
