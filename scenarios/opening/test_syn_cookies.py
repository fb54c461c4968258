"""SYN cookies: the server keeps nothing of a handshake; its SYN-ACK's number says all of it."""

import pytest

from sockstates import CLOSED, ESTABLISHED, LISTEN, SYN_SENT, Host, Lab, Wire


@pytest.mark.phenomenon(
    15,
    symptom="as it should be",
    client="SYN_SENT, ESTABLISHED",
    server="LISTEN, ESTABLISHED",
    lasts="until the client's next SYN",
    settings=("tcp_syncookies", "tcp_syn_retries"),
)
@pytest.mark.cause("server.sysctl")
def test_with_cookies_there_is_no_syn_recv(lab: Lab, client: Host, server: Host) -> None:
    """With SYN cookies the server waits for nothing and repeats nothing: it answers SYNs."""
    lab.step("The server is told to use SYN cookies for every connection.")
    server.sysctl("net.ipv4.tcp_syncookies", 2)
    listener = server.listen(port=80)
    sent = server.counter("TcpExtSyncookiesSent")
    received = server.counter("TcpExtSyncookiesRecv")

    lab.step("The client does not hear the server, so its handshake stops after two segments.")
    rule = client.iptables("-A INPUT -s server -j DROP")
    connection = client.connect(listener)
    connection.client.reaches(SYN_SENT, owner=client)
    sent.grows()

    lab.step("The server has answered, and there is no SYN_RECV: it knows of no connection.")
    connection.server.stays(CLOSED, seconds=0.3)
    lab.sees("""
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [S.], ack J+1
    """)

    lab.step("The client hears again. Its next SYN is answered, and the cookie comes back.")
    rule.delete()
    connection.client.connecting.returns()
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    received.grows(by=1)
    listener.reaches(LISTEN, owner=server, receive_queue=1)


@pytest.mark.phenomenon(
    16,
    symptom="one side only",
    client="ESTABLISHED",
    server="LISTEN",
    lasts="until the server accepts",
    settings=("tcp_syncookies", "listen(backlog)", "net.core.somaxconn", "tcp_retries2"),
)
@pytest.mark.cause("server.sysctl")
def test_a_connection_that_the_server_never_heard_of(
    lab: Lab, client: Host, server: Host, wire: Wire
) -> None:
    """The cookie comes back to a full queue: the client is connected, the server has nothing.

    Nothing is counted as waiting, and no timer runs on the server. Data makes up for it, as soon as
    there is a place.
    """
    lab.step("The server uses SYN cookies, and lets one connection wait.")
    server.sysctl("net.ipv4.tcp_syncookies", 2)
    listener = server.listen(port=80, backlog=0)

    lab.step("A SYN-ACK is held up on its way to the client. Another connection takes the place.")
    held = wire.hold("server > client.7005: Flags [S.]")
    late = client.connect(listener, source_port=7005)
    held.meets()
    first = client.connect(listener).established()
    listener.reaches(LISTEN, owner=server, receive_queue=1, send_queue=0)

    lab.step("The SYN-ACK arrives. The client is connected; the server has no such connection.")
    overflows = server.counter("TcpExtListenOverflows")
    held.delete()
    late.client.connecting.returns()
    late.client.reaches(ESTABLISHED, owner=client)
    overflows.grows()
    late.server.stays(CLOSED, seconds=0.3)

    lab.step("The client sends. Nobody acknowledges that, and nobody refuses it.")
    late.client.send(b"hello")
    late.client.retransmits(1)
    late.client.reaches(ESTABLISHED, owner=client, send_queue=5)
    late.server.stays(CLOSED, seconds=0.3)
    lab.never_sees("server.80 > client.7005: Flags [R]")

    lab.step("The server accepts. The next repetition brings the cookie once more, and is taken.")
    first.server.accept()
    late.reaches(client=ESTABLISHED, server=ESTABLISHED)
    late.server.receives(b"hello")
