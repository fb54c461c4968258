"""The third segment of the handshake is lost: one end is connected, the other is not yet."""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, LISTEN, SYN_RECV, Host, Lab

BARE_ACKNOWLEDGEMENTS = "-A INPUT -p tcp --tcp-flags FIN,SYN,RST,PSH,ACK ACK -j DROP"
"""Those that carry nothing else."""


@pytest.mark.phenomenon(
    13,
    symptom="one side only",
    client="ESTABLISHED, CLOSED",
    server="LISTEN, SYN_RECV, CLOSED",
    errno="ECONNRESET",
    predict="synack",
    settings=("tcp_synack_retries",),
)
@pytest.mark.shortened(server={"net.ipv4.tcp_synack_retries": 1})
@pytest.mark.cause("server.iptables")
def test_a_connection_that_only_the_client_has(lab: Lab, client: Host, server: Host) -> None:
    """The client is connected and says nothing; the server forgets it, and refuses its first data.

    Whoever connects long before the first request, a pool of connections, finds it out that late.
    """
    lab.step("The server loses every segment that is an acknowledgement and nothing else.")
    listener = server.listen(port=80)
    rule = server.iptables(BARE_ACKNOWLEDGEMENTS)

    lab.step("The client connects. Its connect returns, and the server still waits.")
    connection = client.connect(listener)
    connection.client.connecting.returns()
    connection.reaches(client=ESTABLISHED, server=SYN_RECV)

    lab.step("The server answers as often as its settings say, then it forgets the client.")
    connection.server.retransmits_as_predicted()
    connection.server.reaches(CLOSED)
    listener.reaches(LISTEN, owner=server, receive_queue=0)

    lab.step("Nothing tells the client so. What it had to acknowledge, it has acknowledged.")
    connection.client.stays(ESTABLISHED, owner=client, seconds=0.3)
    lab.never_sees("server > client: Flags [R]")

    lab.step("The segments get through again. The client's first data is refused.")
    rule.delete()
    connection.client.send(b"hello")
    connection.client.reaches(CLOSED)
    lab.sees("""
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [S.], seq K, ack J+1
        ...
        client > server.80: Flags [P.], seq J+1:J+6, ack K+1, length 5
        server.80 > client: Flags [R], seq K+1
    """)
    connection.client.receive().fails(errno.ECONNRESET)


@pytest.mark.phenomenon(
    14,
    symptom="as it should be",
    client="ESTABLISHED",
    server="LISTEN, SYN_RECV, ESTABLISHED",
    lasts="until the client sends",
)
@pytest.mark.cause("client.send")
def test_data_completes_the_handshake(lab: Lab, client: Host, server: Host) -> None:
    """The client's first data acknowledges the SYN-ACK as well: nobody notices the loss."""
    lab.step("The server loses every segment that is an acknowledgement and nothing else.")
    listener = server.listen(port=80)
    server.iptables(BARE_ACKNOWLEDGEMENTS)
    connection = client.connect(listener)
    connection.client.connecting.returns()
    connection.reaches(client=ESTABLISHED, server=SYN_RECV)

    lab.step("The client sends. Its data carries the acknowledgement that was lost.")
    connection.client.send(b"hello")
    connection.server.reaches(ESTABLISHED, owner=None, receive_queue=5)
    lab.sees("""
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [S.], seq K, ack J+1
        client > server.80: Flags [.], ack K+1
        ...
        client > server.80: Flags [P.], seq J+1:J+6, ack K+1, length 5
        server.80 > client: Flags [.], ack J+6
    """)
    listener.reaches(LISTEN, owner=server, receive_queue=1)
    connection.server.receives(b"hello")
