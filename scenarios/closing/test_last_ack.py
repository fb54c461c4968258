"""LAST_ACK: the passive closer has closed too, and its FIN is not acknowledged."""

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, LAST_ACK, TIME_WAIT, Host, Lab

pytestmark = [pytest.mark.claims("T31"), pytest.mark.cause("server.iptables")]


@pytest.mark.phenomenon(
    57,
    symptom="close lingers",
    client="CLOSE_WAIT, LAST_ACK, CLOSED",
    server="FIN_WAIT2, TIME_WAIT",
    lasts="until the next retransmission of the FIN",
)
def test_last_ack_until_the_acknowledgement_comes(lab: Lab, client: Host, server: Host) -> None:
    """The last FIN was lost: LAST_ACK until the path is healed and the FIN sent again."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("The server closes, and the client's kernel acknowledges that.")
    connection.server.close()
    connection.server.reaches(FIN_WAIT2)
    connection.client.reaches(CLOSE_WAIT)
    lab.sees_only("""
        server > client: Flags [F.], seq K+1, ack J+1
        client > server: Flags [.], ack K+2
    """)

    lab.step("From now on the server drops whatever the client sends.")
    rule = server.iptables("-A INPUT -s client -j DROP")

    lab.step("The client closes. Its FIN is lost, so it is sent again and again.")
    connection.client.close()
    waiting = connection.client.reaches(LAST_ACK, owner=None, send_queue=1)
    lab.sees("""
        client > server: Flags [F.], seq J+1, ack K+2
        client > server: Flags [F.], seq J+1, ack K+2
    """)
    connection.client.retransmits_as_predicted(times=2)
    connection.server.stays(FIN_WAIT2, owner=None, seconds=0.3)

    lab.step("The rule goes. The FIN gets through; with its acknowledgement the client is CLOSED.")
    rule.delete()
    gone = connection.client.reaches(CLOSED)
    connection.client.passes_through([ESTABLISHED, CLOSE_WAIT, LAST_ACK, CLOSED])
    connection.server.reaches(TIME_WAIT)
    *_, fin, acknowledged = lab.sees("""
        ...
        client > server: Flags [F.], seq J+1, ack K+2
        server > client: Flags [.], ack J+2
    """)
    lab.figure([waiting, fin, acknowledged, gone])
