"""The listener is closed while a connection to it is on its way, or waits to be accepted."""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, LISTEN, SYN_RECV, SYN_SENT, Host, Lab


@pytest.mark.phenomenon(
    21,
    symptom="refused",
    client="SYN_SENT, CLOSED",
    server="LISTEN, SYN_RECV, CLOSED",
    errno="ECONNREFUSED",
    lasts="until the client's next SYN",
    settings=("tcp_syn_retries",),
)
@pytest.mark.cause("server.close")
def test_a_handshake_is_forgotten_with_the_listener(lab: Lab, client: Host, server: Host) -> None:
    """A server that stops forgets half a handshake silently; the client's next SYN is refused."""
    lab.step("The server's answer to a SYN is lost: SYN_RECV.")
    listener = server.listen(port=80)
    rule = client.iptables("-A INPUT -s server -j DROP")
    connection = client.connect(listener)
    connection.reaches(client=SYN_SENT, server=SYN_RECV)

    lab.step(
        "The listener is closed. The half of a connection is gone with it, and no one is told."
    )
    listener.close()
    listener.reaches(CLOSED)
    connection.server.reaches(CLOSED, seconds=lab.deadlines.patience)
    lab.never_sees("server.80 > client: Flags [R]")

    lab.step("The client hears again. Its next SYN comes to a closed port.")
    rule.delete()
    connection.client.connecting.fails(errno.ECONNREFUSED)
    connection.client.reaches(CLOSED)
    lab.sees("""
        client > server.80: Flags [S], seq J
        ...
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [R.], seq 0, ack J+1
    """)


@pytest.mark.phenomenon(
    21,
    symptom="reset",
    client="ESTABLISHED, CLOSED",
    server="LISTEN, ESTABLISHED, CLOSED",
    errno="ECONNRESET",
    lasts="until the listener is closed",
)
@pytest.mark.cause("server.close")
def test_a_waiting_connection_is_reset_with_the_listener(
    lab: Lab, client: Host, server: Host
) -> None:
    """A server that stops resets whoever is connected and was not accepted yet."""
    lab.step("A connection is established and waits to be accepted. The client has sent.")
    listener = server.listen(port=80)
    connection = client.connect(listener).established()
    connection.client.send(b"hello")
    connection.server.reaches(ESTABLISHED, owner=None, receive_queue=5)
    listener.reaches(LISTEN, owner=server, receive_queue=1)

    lab.step("The listener is closed. RST tells the client so.")
    listener.close()
    listener.reaches(CLOSED)
    connection.server.reaches(CLOSED, seconds=lab.deadlines.patience)
    connection.client.reaches(CLOSED, seconds=lab.deadlines.patience)
    lab.sees("""
        ...
        client > server.80: Flags [P.], seq J+1:J+6, ack K+1, length 5
        server.80 > client: Flags [.], ack J+6
        server.80 > client: Flags [R.], seq K+1, ack J+6
    """)
    connection.client.receive().fails(errno.ECONNRESET)
