"""RST while closing: it ends both ends at once, whichever closing states they are in."""

import errno

import pytest

from sockstates import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    WRITE,
    Host,
    Lab,
)
from sockstates.lab.initial_sequence import first_number


@pytest.mark.cause("client.abort")
def test_a_reset_ends_fin_wait1(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server closes; the client, which hears nothing, does not acknowledge that.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    client.iptables("-A INPUT -s server -j DROP")
    connection.server.close()
    connection.server.reaches(FIN_WAIT1, owner=None)

    lab.step("The client aborts. Its RST ends the server's waiting.")
    connection.client.abort()
    connection.server.reaches(CLOSED, seconds=lab.deadlines.patience)
    connection.client.reaches(CLOSED)
    lab.sees("""
        server > client: Flags [F.], seq K, ack J
        ...
        client > server: Flags [R.], seq J, ack K
    """)


@pytest.mark.cause("server.abort")
def test_aborting_in_fin_wait1(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server shuts down its sending direction; the client hears nothing of it.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    client.iptables("-A INPUT -s server -j DROP")
    connection.server.shutdown(WRITE)
    connection.server.reaches(FIN_WAIT1, owner=server)

    lab.step("The server aborts: an RST follows the FIN, and nothing is left of the connection.")
    connection.server.abort()
    connection.server.reaches(CLOSED, seconds=lab.deadlines.patience)
    connection.client.stays(ESTABLISHED, owner=client, seconds=0.2)
    lab.sees("""
        server > client: Flags [F.], seq K, ack J
        ...
        server > client: Flags [R.], seq K+1, ack J
    """)


@pytest.mark.cause("client.send")
def test_data_for_an_end_that_has_closed(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server closes; the client, which hears nothing, does not know.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    client.iptables("-A INPUT -s server -j DROP")
    connection.server.close()
    connection.server.reaches(FIN_WAIT1, owner=None)

    lab.step("The client sends. No program will ever read that: the server answers with RST.")
    connection.client.send(b"anybody there?")
    connection.server.reaches(CLOSED, seconds=lab.deadlines.patience)
    lab.sees("""
        client > server: Flags [P.], seq J:J+14, ack K, length 14
        server > client: Flags [R], seq K
    """)


@pytest.mark.cause("client.send")
def test_data_for_an_end_in_fin_wait2(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server closes, the client acknowledges that, and does not close itself.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.close()
    connection.server.reaches(FIN_WAIT2, owner=None)
    connection.client.reaches(CLOSE_WAIT, owner=client)

    lab.step("The client sends. No program will ever read that: the server answers with RST.")
    connection.client.send(b"anybody there?")
    connection.server.reaches(CLOSED, seconds=lab.deadlines.patience)
    connection.client.reaches(CLOSED)
    lab.sees("""
        client > server: Flags [P.], seq J:J+14, ack K, length 14
        server > client: Flags [R], seq K
    """)


@pytest.mark.cause("client.connect", occurrence=2)
def test_another_syn_ends_an_orphan_in_fin_wait2(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server closes, and the client acknowledges that.")
    listener = server.listen(port=80)
    connection = client.connect(listener, source_port=7001, options=first_number(1_000_000))
    connection.client.reaches(ESTABLISHED)
    connection.server.close()
    connection.server.reaches(FIN_WAIT2, owner=None)
    connection.client.reaches(CLOSE_WAIT)

    lab.step("The client is gone, and its RST is lost.")
    server.iptables("-A INPUT -p tcp --tcp-flags RST RST -j DROP")
    connection.client.abort()
    connection.client.reaches(CLOSED)
    connection.server.stays(FIN_WAIT2, owner=None, seconds=0.2)

    lab.step("It connects from the same port, with a number a little higher, and is refused.")
    client.iptables("-A INPUT -s server -j DROP")
    client.connect(listener, source_port=7001, options=first_number(1_001_000))
    connection.server.reaches(CLOSED, seconds=lab.deadlines.patience)
    lab.sees("""
        client.7001 > server.80: Flags [S], seq 1001000
        server.80 > client.7001: Flags [R.], seq 0, ack 1001001
    """)


@pytest.mark.cause("server.abort")
def test_a_reset_ends_close_wait(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server shuts down its sending direction, and can still read.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.shutdown(WRITE)
    connection.server.reaches(FIN_WAIT2, owner=server)
    connection.client.reaches(CLOSE_WAIT, owner=client)

    lab.step("The server aborts instead of waiting for the client to close.")
    connection.server.abort()
    connection.server.reaches(CLOSED)
    connection.client.reaches(CLOSED)
    connection.client.receives_end()
    lab.sees("""
        server > client: Flags [F.], seq K, ack J
        client > server: Flags [.], ack K+1
        server > client: Flags [R.], seq K+1, ack J
    """)
    connection.client.send(b"too late").fails(errno.EPIPE)


@pytest.mark.cause("client.abort")
def test_a_reset_ends_fin_wait2(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server shuts down its sending direction, and can still read.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.shutdown(WRITE)
    connection.server.reaches(FIN_WAIT2, owner=server)
    connection.client.reaches(CLOSE_WAIT, owner=client)

    lab.step("The client aborts instead of closing: there is no FIN, and no TIME_WAIT.")
    connection.client.abort()
    connection.client.reaches(CLOSED)
    connection.server.reaches(CLOSED)
    lab.sees("client > server: Flags [R.], seq J, ack K+1")
    connection.server.receive().fails(errno.ECONNRESET)


@pytest.mark.cause("server.abort")
def test_a_reset_ends_closing(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Both shut down, and the client's FIN is lost: the client is CLOSING.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.shutdown(WRITE)
    connection.client.reaches(FIN_WAIT1, owner=client)
    connection.server.shutdown(WRITE)
    connection.client.reaches(CLOSING, owner=client)

    lab.step("The server aborts. CLOSING ends without the acknowledgement that it waits for.")
    connection.server.abort()
    connection.client.reaches(CLOSED, seconds=lab.deadlines.patience)
    connection.server.reaches(CLOSED)
    lab.sees("""
        server > client: Flags [F.], seq K, ack J
        ...
        server > client: Flags [R.], seq K+1, ack J
    """)


@pytest.mark.cause("client.abort")
def test_aborting_in_closing(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Both shut down, and the client's FIN is lost: the client is CLOSING.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.shutdown(WRITE)
    connection.client.reaches(FIN_WAIT1, owner=client)
    connection.server.shutdown(WRITE)
    connection.client.reaches(CLOSING, owner=client)

    lab.step("The client aborts. Both FINs are out, so there is nothing to tell: no RST is sent.")
    connection.client.abort()
    connection.client.reaches(CLOSED, seconds=lab.deadlines.patience)
    connection.server.reaches(FIN_WAIT1, owner=server)


@pytest.mark.cause("server.abort")
def test_a_reset_ends_last_ack(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server shuts down first, then the client, whose FIN is lost: LAST_ACK.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.shutdown(WRITE)
    connection.client.reaches(CLOSE_WAIT, owner=client)
    connection.server.reaches(FIN_WAIT2, owner=server)
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.shutdown(WRITE)
    connection.client.reaches(LAST_ACK, owner=client)

    lab.step("The server aborts. The client need not repeat its FIN any more.")
    connection.server.abort()
    connection.client.reaches(CLOSED, seconds=lab.deadlines.patience)
    connection.server.reaches(CLOSED)
    lab.sees("server > client: Flags [R.], seq K, ack J")


@pytest.mark.cause("client.abort")
def test_aborting_in_last_ack(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server shuts down first, then the client, whose FIN is lost: LAST_ACK.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.shutdown(WRITE)
    connection.client.reaches(CLOSE_WAIT, owner=client)
    connection.server.reaches(FIN_WAIT2, owner=server)
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.shutdown(WRITE)
    connection.client.reaches(LAST_ACK, owner=client)

    lab.step("The client aborts. Its FIN is out, so there is nothing to tell: no RST is sent.")
    connection.client.abort()
    connection.client.reaches(CLOSED, seconds=lab.deadlines.patience)
    connection.server.stays(FIN_WAIT2, owner=server, seconds=0.2)
