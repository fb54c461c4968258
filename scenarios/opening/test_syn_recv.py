"""SYN_RECV: the server has answered a SYN, and the client's acknowledgement does not come."""

import pytest

from sockstates import CLOSED, ESTABLISHED, LISTEN, SYN_RECV, SYN_SENT, Host, Lab

pytestmark = pytest.mark.cause("client.iptables")


@pytest.mark.phenomenon(
    12,
    symptom="connect hangs",
    client="SYN_SENT, ESTABLISHED",
    server="LISTEN, SYN_RECV, ESTABLISHED",
    lasts="until an answer gets through",
    settings=("tcp_syn_retries", "tcp_syn_linear_timeouts", "tcp_synack_retries"),
)
@pytest.mark.claims("T21")
def test_syn_recv_while_the_client_does_not_hear_the_server(
    lab: Lab, client: Host, server: Host
) -> None:
    lab.step("The client drops whatever the server sends.")
    listener = server.listen(port=16868)
    rule = client.iptables("-A INPUT -s server -j DROP")

    lab.step("The client connects. The server's answer is lost, and the server sends it again.")
    connection = client.connect(listener)
    half_open = connection.server.reaches(SYN_RECV, owner=None)
    connection.client.reaches(SYN_SENT, owner=client)
    beside = listener.stays(LISTEN, owner=server, receive_queue=0, seconds=0.3)
    lab.figure([half_open, beside])
    lab.sees("""
        client > server.16868: Flags [S], seq J
        server.16868 > client: Flags [S.], seq K, ack J+1
        ...
        server.16868 > client: Flags [S.], seq K, ack J+1
    """)

    lab.step("Both repeat what is unanswered: the client its SYN, the server its SYN-ACK.")
    connection.client.retransmits(1)
    connection.server.retransmits(1)

    lab.step("The rule goes. The next answer gets through, and the handshake is completed.")
    rule.delete()
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    lab.sees("""
        ...
        server.16868 > client: Flags [S.], seq K, ack J+1
        client > server.16868: Flags [.], ack K+1
    """)


@pytest.mark.phenomenon(
    11,
    symptom="one side only",
    client="SYN_SENT",
    server="LISTEN, SYN_RECV, CLOSED",
    predict="synack",
    settings=("tcp_synack_retries",),
)
@pytest.mark.shortened(server={"net.ipv4.tcp_synack_retries": 1})
def test_syn_recv_is_given_up(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server's answer is lost, and every further SYN of the client too.")
    listener = server.listen(port=16868)
    client.iptables("-A INPUT -s server -j DROP")
    server.iptables("-A INPUT -p tcp --syn -m limit --limit 1/day --limit-burst 1 -j ACCEPT")
    server.iptables("-A INPUT -s client -j DROP")
    connection = client.connect(listener)
    connection.server.reaches(SYN_RECV, owner=None)

    lab.step("The server repeats its answer when its schedule says, then forgets the connection.")
    connection.server.retransmits_as_predicted()
    connection.server.reaches(CLOSED)
    listener.stays(LISTEN, owner=server, receive_queue=0, seconds=0.3)
    connection.client.stays(SYN_SENT, owner=client, seconds=0.3)
