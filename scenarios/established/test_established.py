"""ESTABLISHED: data both ways, kept until it is acknowledged and until it is read."""

import pytest

from sockstates import ESTABLISHED, Host, Lab

pytestmark = [pytest.mark.claims("T10", "T14"), pytest.mark.cause("client.iptables")]


def test_data_waits_in_the_queues_of_an_established_connection(
    lab: Lab, client: Host, server: Host
) -> None:
    lab.step("A connection is established; every queue is empty.")
    connection = client.connect(server.listen(port=16868))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED, owner=client, send_queue=0, receive_queue=0)
    connection.server.reaches(ESTABLISHED, owner=server, send_queue=0, receive_queue=0)
    lab.sees_only("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)

    lab.step("Data that is not read yet waits in the receiver's queue, already acknowledged.")
    connection.client.send(b"hello")
    connection.server.reaches(ESTABLISHED, receive_queue=5)
    lab.sees_only("""
        client > server: Flags [P.], seq J+1:J+6, ack K+1, length 5
        server > client: Flags [.], ack J+6
    """)
    connection.server.receives(b"hello")
    connection.server.reaches(ESTABLISHED, receive_queue=0)

    lab.step("The server answers, and the client drops it: it waits in the sender's queue.")
    rule = client.iptables("-A INPUT -s server -j DROP")
    connection.server.send(b"goodbye")
    connection.server.reaches(ESTABLISHED, owner=server, send_queue=7)
    connection.client.stays(ESTABLISHED, receive_queue=0, seconds=0.3)
    lab.sees("""
        server > client: Flags [P.], seq K+1:K+8, ack J+6, length 7
        server > client: Flags [P.], seq K+1:K+8, ack J+6, length 7
    """)

    lab.step("The rule goes. The next retransmission gets through and is acknowledged.")
    rule.delete()
    connection.client.reaches(ESTABLISHED, receive_queue=7)
    connection.server.reaches(ESTABLISHED, send_queue=0)
    connection.client.receives(b"goodbye")
