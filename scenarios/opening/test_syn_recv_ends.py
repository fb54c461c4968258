"""SYN_RECV: the ways out of it that lead to no established connection."""

import errno

import pytest

from sockstates import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    Host,
    Lab,
)
from sockstates.lab.initial_sequence import first_number


@pytest.mark.phenomenon(
    6,
    symptom="connect hangs",
    client="SYN_SENT, CLOSED",
    server="LISTEN, SYN_RECV",
    lasts="until the server's next SYN-ACK",
    settings=("tcp_synack_retries",),
)
@pytest.mark.claims("R7")
@pytest.mark.cause("client.close")
def test_a_reset_returns_to_listen(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The client does not hear the server, whose answer to the SYN is lost: SYN_RECV.")
    listener = server.listen(port=80)
    rule = client.iptables("-A INPUT -s server -j DROP")
    connection = client.connect(listener)
    connection.server.reaches(SYN_RECV, owner=None)

    lab.step("The client takes its open back. Nothing tells the server so.")
    connection.client.close()
    connection.client.connecting.fails(errno.EBADF, seconds=lab.deadlines.patience)
    connection.server.stays(SYN_RECV, owner=None, seconds=0.2)

    lab.step("The rule goes. The next answer meets no socket, and RST ends the server's waiting.")
    rule.delete()
    gone = connection.server.reaches(CLOSED)
    listening = listener.stays(LISTEN, owner=server, receive_queue=0, seconds=0.2)
    *_, reset = lab.sees("""
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [S.], seq K, ack J+1
        ...
        server.80 > client: Flags [S.], seq K, ack J+1
        client > server.80: Flags [R], seq J+1
    """)
    lab.figure([reset, gone, listening])


@pytest.mark.claims("R8", holds=False)
@pytest.mark.cause("client.close")
def test_a_reset_ends_an_active_open(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Both hosts connect to each other. The server hears the client, but not vice versa.")
    rule = client.iptables("-A INPUT -s server -j DROP")
    right = server.connect(client, port=7001, source_port=7002).client
    right.reaches(SYN_SENT, owner=server)
    left = client.connect(server, port=7002, source_port=7001).client
    left.reaches(SYN_SENT, owner=client)
    right.reaches(SYN_RECV, owner=server)

    lab.step("The client takes its open back, and hears again. The next SYN-ACK is refused.")
    left.close()
    left.connecting.fails(errno.EBADF, seconds=lab.deadlines.patience)
    rule.delete()
    right.reaches(CLOSED)
    took = right.connecting.fails(errno.ECONNRESET)
    *_, reset = lab.sees("""
        client.7001 > server.7002: Flags [S], seq J
        server.7002 > client.7001: Flags [S.], seq K, ack J+1
        ...
        server.7002 > client.7001: Flags [S.], seq K, ack J+1
        client.7001 > server.7002: Flags [R], seq J+1
    """)
    lab.figure([reset, f"connect failed with ECONNRESET after {took:.3f} s"])


@pytest.mark.cause("client.connect", occurrence=2)
def test_another_syn_in_the_window_returns_to_listen(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The client does not hear the server, whose answer to the SYN is lost: SYN_RECV.")
    listener = server.listen(port=80)
    client.iptables("-A INPUT -s server -j DROP")
    first = client.connect(listener, source_port=7001, options=first_number(1_000_000))
    first.server.reaches(SYN_RECV, owner=None)

    lab.step("The client starts again from the same port, with a number a little higher.")
    first.client.close()
    first.client.connecting.fails(errno.EBADF)
    client.connect(listener, source_port=7001, options=first_number(1_001_000))

    lab.step("In the middle of a handshake that is an error: RST, and the handshake is forgotten.")
    first.server.reaches(CLOSED, seconds=lab.deadlines.patience)
    lab.sees("""
        client.7001 > server.80: Flags [S], seq 1000000
        server.80 > client.7001: Flags [S.], seq K, ack 1000001
        ...
        client.7001 > server.80: Flags [S], seq 1001000
        server.80 > client.7001: Flags [R.], seq 0, ack 1001001
    """)
    listener.reaches(LISTEN, owner=server)


@pytest.mark.cause("server.close")
def test_closing_in_syn_recv(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Both hosts connect to each other. The server hears the client, but not vice versa.")
    rule = client.iptables("-A INPUT -s server -j DROP")
    right = server.connect(client, port=7001, source_port=7002).client
    right.reaches(SYN_SENT, owner=server)
    left = client.connect(server, port=7002, source_port=7001).client
    left.reaches(SYN_SENT)
    right.reaches(SYN_RECV, owner=server)

    lab.step("The server closes a connection that was never established: it has to send a FIN.")
    right.close()
    right.reaches(FIN_WAIT1, owner=None)
    right.connecting.fails(errno.EBADF)

    lab.step("The client hears again: the next SYN-ACK connects it, and the FIN is the end.")
    rule.delete()
    left.connecting.returns()
    left.reaches(CLOSE_WAIT, owner=client)
    right.reaches(FIN_WAIT2, owner=None)
    lab.sees("""
        server.7002 > client.7001: Flags [S.], seq K, ack J+1
        ...
        server.7002 > client.7001: Flags [F.], seq K+1, ack J+1
    """)


@pytest.mark.cause("server.abort")
def test_aborting_in_syn_recv(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Both hosts connect to each other. The server hears the client, but not vice versa.")
    client.iptables("-A INPUT -s server -j DROP")
    right = server.connect(client, port=7001, source_port=7002).client
    right.reaches(SYN_SENT, owner=server)
    left = client.connect(server, port=7002, source_port=7001).client
    right.reaches(SYN_RECV, owner=server)

    lab.step("The server aborts: it knows of its peer by now, and sends RST.")
    right.abort()
    right.reaches(CLOSED, seconds=lab.deadlines.patience)
    right.connecting.fails(errno.EBADF)
    left.stays(SYN_SENT, owner=client, seconds=0.2)
    lab.sees("""
        server.7002 > client.7001: Flags [S.], seq K, ack J+1
        ...
        server.7002 > client.7001: Flags [R.], seq K+1, ack J+1
    """)


@pytest.mark.cause("client.close")
def test_a_fin_completes_the_handshake_and_closes(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server drops every segment that is an acknowledgement and nothing else.")
    server.iptables("-A INPUT -p tcp --tcp-flags FIN,SYN,RST,PSH,ACK ACK -j DROP")

    lab.step("The client connects. Its third segment is lost: only the client is established.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED, owner=client)
    connection.server.reaches(SYN_RECV, owner=None)

    lab.step("The client closes. Its FIN acknowledges the SYN as well, and does both at once.")
    connection.client.close()
    connection.server.reaches(CLOSE_WAIT, owner=None)
    connection.client.reaches(FIN_WAIT2, owner=None)
    lab.sees("""
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [S.], seq K, ack J+1
        client > server.80: Flags [.], ack K+1
        ...
        client > server.80: Flags [F.], seq J+1, ack K+1
        server.80 > client: Flags [.], ack J+2
    """)
