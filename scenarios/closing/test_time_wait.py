"""TIME_WAIT: the active closer stays, to repair the loss of the last acknowledgement."""

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, LAST_ACK, TIME_WAIT, Host, Lab

pytestmark = [pytest.mark.claims("T30", "R9"), pytest.mark.cause("client.iptables")]


@pytest.mark.phenomenon(
    58,
    symptom="close lingers",
    client="CLOSE_WAIT, LAST_ACK, CLOSED",
    server="FIN_WAIT2, TIME_WAIT",
    lasts="until the next retransmission of the FIN",
)
def test_time_wait_acknowledges_a_repeated_fin(lab: Lab, client: Host, server: Host) -> None:
    """The last acknowledgement was lost: TIME_WAIT is there to answer the repeated FIN."""
    lab.step("A connection is established, and the server closes first.")
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.close()
    connection.server.reaches(FIN_WAIT2)
    connection.client.reaches(CLOSE_WAIT)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
        server > client: Flags [F.], seq K+1, ack J+1
        client > server: Flags [.], ack K+2
    """)

    lab.step("The client will not hear the last acknowledgement.")
    rule = client.iptables("-A INPUT -s server -j DROP")

    lab.step("The client closes. The server acknowledges and is TIME_WAIT; the client cannot know.")
    connection.client.close()
    connection.server.reaches(TIME_WAIT, owner=None)
    connection.client.reaches(LAST_ACK, owner=None, send_queue=1)

    lab.step("The client repeats its FIN, and TIME_WAIT answers it again.")
    answered_again = lab.sees("""
        client > server: Flags [F.], seq J+1, ack K+2
        server > client: Flags [.], ack J+2
        client > server: Flags [F.], seq J+1, ack K+2
        server > client: Flags [.], ack J+2
    """)

    lab.step("The rule goes. The answer to a later FIN arrives, and only the client is done.")
    rule.delete()
    connection.client.reaches(CLOSED, seconds=lab.deadlines.next_segment())
    still = connection.server.stays(TIME_WAIT, owner=None, seconds=0.2)
    lab.sees("""
        ...
        client > server: Flags [F.], seq J+1, ack K+2
        server > client: Flags [.], ack J+2
    """)
    lab.figure([*answered_again, still])
