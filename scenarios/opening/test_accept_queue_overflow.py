"""A handshake is completed, but the accept queue has no place left for the connection."""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, LISTEN, SYN_RECV, Host, Lab, Wire

BARE_ACKNOWLEDGEMENTS = "--tcp-flags FIN,SYN,RST,PSH,ACK ACK"
"""Those that carry nothing else."""


@pytest.mark.phenomenon(
    19,
    symptom="writes go nowhere",
    client="ESTABLISHED, CLOSED",
    server="LISTEN, SYN_RECV, CLOSED",
    errno="ECONNRESET",
    predict="synack",
    settings=("listen(backlog)", "net.core.somaxconn", "tcp_synack_retries"),
)
@pytest.mark.shortened(server={"net.ipv4.tcp_synack_retries": 1})
@pytest.mark.cause("server.listen", without="backlog", instead=1)
def test_data_for_a_full_queue_is_refused_at_last(lab: Lab, client: Host, server: Host) -> None:
    """The client is connected and sends; the server drops all of it until it forgets the client."""
    lab.step("The server lets one connection wait. A client's bare acknowledgements are lost.")
    listener = server.listen(port=80, backlog=0)
    server.iptables(f"-A INPUT -p tcp --sport 7005 {BARE_ACKNOWLEDGEMENTS} -j DROP")
    overflows = server.counter("TcpExtListenOverflows")
    late = client.connect(listener, source_port=7005)
    late.client.connecting.returns()

    lab.step("Another connection overtakes it, and takes the only place.")
    client.connect(listener).reaches(client=ESTABLISHED, server=ESTABLISHED)

    lab.step("The client sends. Its data gets through; there is no place, and no answer.")
    late.client.send(b"hello")
    late.client.reaches(ESTABLISHED, owner=client, send_queue=5)
    late.reaches(client=ESTABLISHED, server=SYN_RECV)
    listener.reaches(LISTEN, owner=server, receive_queue=1, send_queue=0)
    overflows.grows()

    lab.step("The server gives the connection up. What the client sends again is refused.")
    late.server.reaches(CLOSED)
    late.client.reaches(CLOSED)
    lab.sees("""
        client.7005 > server.80: Flags [S], seq J
        server.80 > client.7005: Flags [S.], seq K, ack J+1
        ...
        client.7005 > server.80: Flags [P.], seq J+1:J+6, ack K+1, length 5
        ...
        client.7005 > server.80: Flags [P.], seq J+1:J+6, ack K+1, length 5
        server.80 > client.7005: Flags [R], seq K+1
    """)
    late.client.receive().fails(errno.ECONNRESET)
    listener.reaches(LISTEN, owner=server, receive_queue=1)


@pytest.mark.phenomenon(
    20,
    symptom="reset",
    client="ESTABLISHED, CLOSED",
    server="LISTEN, SYN_RECV, CLOSED",
    errno="ECONNRESET",
    lasts="at once",
    settings=("tcp_abort_on_overflow", "listen(backlog)", "net.core.somaxconn"),
)
@pytest.mark.cause("server.sysctl")
def test_a_full_queue_resets_if_it_is_told_to(
    lab: Lab, client: Host, server: Host, wire: Wire
) -> None:
    """With tcp_abort_on_overflow the client is told: connect succeeds, and the next call fails.

    Where the RST is quicker than the program's awakening, connect itself fails, with ECONNRESET.
    """
    lab.step("The server is told to reset connections that it has no place for.")
    server.sysctl("net.ipv4.tcp_abort_on_overflow", 1)

    lab.step("It lets one connection wait. A SYN-ACK is held up on its way to the client.")
    listener = server.listen(port=80, backlog=0)
    held = wire.hold("server > client.7005: Flags [S.]")
    late = client.connect(listener, source_port=7005)
    late.server.reaches(SYN_RECV, owner=None)

    lab.step("Another connection overtakes it, and takes the only place.")
    client.connect(listener).reaches(client=ESTABLISHED, server=ESTABLISHED)
    listener.reaches(LISTEN, owner=server, receive_queue=1, send_queue=0)

    lab.step("The SYN-ACK arrives. The client is connected; its third segment is refused at once.")
    refusal = wire.hold("server > client.7005: Flags [R]")
    held.delete()
    late.client.connecting.returns()
    late.client.reaches(ESTABLISHED, owner=client)
    refusal.meets()
    late.server.reaches(CLOSED, seconds=lab.deadlines.patience)

    lab.step("The RST arrives, too.")
    refusal.delete()
    late.client.reaches(CLOSED, seconds=lab.deadlines.patience)
    lab.sees("""
        ...
        client.7005 > server.80: Flags [.], ack K+1
        server.80 > client.7005: Flags [R], seq K+1
    """)
    late.client.receive().fails(errno.ECONNRESET)
    listener.reaches(LISTEN, owner=server, receive_queue=1)
