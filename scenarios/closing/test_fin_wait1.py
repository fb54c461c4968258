"""FIN_WAIT1: one side has closed, and nobody acknowledges its FIN."""

import pytest

from sockstates import CLOSE_WAIT, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, Host, Lab

pytestmark = [pytest.mark.claims("T27"), pytest.mark.cause("client.iptables")]


@pytest.mark.phenomenon(
    52,
    symptom="close lingers",
    client="ESTABLISHED, CLOSE_WAIT",
    server="FIN_WAIT1, FIN_WAIT2",
    lasts="until the next retransmission of the FIN",
)
def test_fin_wait1_while_the_fin_goes_unacknowledged(lab: Lab, client: Host, server: Host) -> None:
    """A FIN that was lost holds FIN_WAIT1 until the path is healed and the FIN sent again."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("The client drops whatever the server sends.")
    rule = client.iptables("-A INPUT -s server -j DROP")

    lab.step("The server closes. Its FIN is never acknowledged, so it is sent again and again.")
    connection.server.close()
    waiting = connection.server.reaches(FIN_WAIT1, send_queue=1, owner=None)
    fin, lost_again = lab.sees("""
        server > client: Flags [F.], seq K+1, ack J+1
        server > client: Flags [F.], seq K+1, ack J+1
    """)
    connection.server.retransmits_as_predicted(times=2)
    connection.client.stays(ESTABLISHED, owner=client, receive_queue=0, seconds=0.3)
    lab.figure([waiting, fin, lost_again])

    lab.step("The rule goes. The next retransmission gets through, and the client acknowledges it.")
    rule.delete()
    connection.server.reaches(FIN_WAIT2, send_queue=0)
    connection.client.reaches(CLOSE_WAIT)
    connection.client.enters(CLOSE_WAIT, after=lost_again)
    connection.server.passes_through([ESTABLISHED, FIN_WAIT1, FIN_WAIT2])
    lab.sees("""
        ...
        server > client: Flags [F.], seq K+1, ack J+1
        client > server: Flags [.], ack K+2
    """)
