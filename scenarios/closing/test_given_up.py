"""Timeouts: what waits for an acknowledgement is given up in silence, sooner or later."""

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

pytestmark = pytest.mark.claims("T10")


@pytest.mark.shortened(client={"net.ipv4.tcp_retries2": 1})
@pytest.mark.cause("server.iptables")
def test_data_is_given_up_in_close_wait(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server shuts down its sending direction, and waits for the client to close.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.shutdown(WRITE)
    connection.server.reaches(FIN_WAIT2, owner=server)
    connection.client.reaches(CLOSE_WAIT, owner=client)

    lab.step("The server hears nothing any more. The client sends, again and again, and gives up.")
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.send(b"anybody there?")
    connection.client.reaches(CLOSED)
    connection.client.receives_end()
    connection.server.stays(FIN_WAIT2, owner=server, seconds=0.2)


@pytest.mark.phenomenon(
    50,
    symptom="close lingers",
    client="ESTABLISHED",
    server="FIN_WAIT1, CLOSED",
    predict="fin",
    settings=("tcp_orphan_retries", "tcp_rto_max_ms"),
)
@pytest.mark.shortened(server={"net.ipv4.tcp_orphan_retries": 1})
@pytest.mark.cause("client.iptables")
def test_a_fin_is_given_up(lab: Lab, client: Host, server: Host) -> None:
    """Nobody acknowledges a FIN whose program is gone: FIN_WAIT1 until the orphan's limit."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step("The client hears nothing any more. The server closes, and is left without an answer.")
    client.iptables("-A INPUT -s server -j DROP")
    connection.server.close()
    connection.server.reaches(FIN_WAIT1, owner=None)

    lab.step("The server gives up. The client's end stays: it is half-open now.")
    connection.server.retransmits_as_predicted()
    connection.server.reaches(CLOSED)
    connection.client.stays(ESTABLISHED, owner=client, seconds=0.2)


@pytest.mark.phenomenon(
    51,
    symptom="hangs",
    client="ESTABLISHED",
    server="FIN_WAIT1, CLOSED",
    errno="ETIMEDOUT",
    predict="fin --owned",
    settings=("tcp_retries2", "tcp_rto_max_ms", "TCP_USER_TIMEOUT"),
)
@pytest.mark.shortened(server={"net.ipv4.tcp_retries2": 1})
@pytest.mark.cause("client.iptables")
def test_a_fin_is_given_up_while_the_program_waits(lab: Lab, client: Host, server: Host) -> None:
    """A FIN whose program still reads is repeated as data is: much longer than an orphan's."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED, owner=server)

    lab.step("The client hears nothing any more. The server shuts down its sending direction.")
    client.iptables("-A INPUT -s server -j DROP")
    connection.server.shutdown(WRITE)
    answer = connection.server.receive()
    connection.server.reaches(FIN_WAIT1, owner=server, send_queue=1)

    lab.step("Its program waits for the client's answer, until the kernel gives up.")
    connection.server.retransmits_as_predicted()
    answer.fails(errno.ETIMEDOUT)
    connection.server.reaches(CLOSED)
    connection.client.stays(ESTABLISHED, owner=client, seconds=0.2)


@pytest.mark.phenomenon(
    59,
    symptom="close lingers",
    client="FIN_WAIT1, CLOSING, CLOSED",
    server="ESTABLISHED, FIN_WAIT1",
    predict="fin",
    settings=("tcp_orphan_retries", "tcp_rto_max_ms"),
)
@pytest.mark.shortened(client={"net.ipv4.tcp_orphan_retries": 2})
@pytest.mark.cause("server.iptables")
def test_a_fin_is_given_up_in_closing(lab: Lab, client: Host, server: Host) -> None:
    """Both close, and one FIN is never acknowledged: CLOSING until the orphan's limit."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)

    lab.step("The server hears nothing any more. Both shut down: the client is CLOSING.")
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.shutdown(WRITE)
    connection.client.reaches(FIN_WAIT1, owner=client, send_queue=1)
    connection.server.close()
    connection.client.reaches(CLOSING, owner=client, send_queue=1)
    connection.server.reaches(FIN_WAIT1, owner=None, send_queue=1)

    lab.step("The acknowledgement that CLOSING waits for never comes: the client gives up.")
    connection.client.close()
    connection.client.reaches(CLOSED)


@pytest.mark.phenomenon(
    57,
    symptom="close lingers",
    client="CLOSE_WAIT, LAST_ACK, CLOSED",
    server="FIN_WAIT2",
    predict="fin",
    settings=("tcp_orphan_retries", "tcp_rto_max_ms"),
)
@pytest.mark.shortened(client={"net.ipv4.tcp_orphan_retries": 1})
@pytest.mark.cause("server.iptables")
def test_a_fin_is_given_up_in_last_ack(lab: Lab, client: Host, server: Host) -> None:
    """The last FIN is never acknowledged: LAST_ACK until the orphan's limit."""
    lab.step("The server shuts down its sending direction, and waits for the client to close.")
    connection = client.connect(server.listen(port=80))
    connection.server.accept()
    connection.client.reaches(ESTABLISHED)
    connection.server.shutdown(WRITE)
    connection.server.reaches(FIN_WAIT2, owner=server)
    connection.client.reaches(CLOSE_WAIT)

    lab.step("The server hears nothing any more. The client closes, too: LAST_ACK.")
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.close()
    connection.client.reaches(LAST_ACK, owner=None)

    lab.step("The last acknowledgement never comes: the client gives up.")
    connection.client.retransmits_as_predicted()
    connection.client.reaches(CLOSED)
    connection.server.stays(FIN_WAIT2, owner=server, seconds=0.2)


@pytest.mark.phenomenon(
    53,
    symptom="close lingers",
    client="CLOSE_WAIT, CLOSED",
    server="FIN_WAIT2, CLOSED",
    errno="EPIPE",
    predict="fin-wait2",
    settings=("tcp_fin_timeout", "TCP_LINGER2"),
)
@pytest.mark.shortened(server={"net.ipv4.tcp_fin_timeout": 1})
@pytest.mark.cause("server.close")
def test_an_orphan_in_fin_wait2_is_forgotten(lab: Lab, client: Host, server: Host) -> None:
    """The peer never closes: FIN_WAIT2 for tcp_fin_timeout, CLOSE_WAIT for ever."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step("The server closes, and the client does not.")
    connection.server.close()
    connection.server.reaches(FIN_WAIT2, owner=None)
    connection.client.reaches(CLOSE_WAIT, owner=client)

    lab.step("No program waits with the server, and it forgets. The client's end stays as it was.")
    connection.server.reaches(CLOSED)
    connection.client.stays(CLOSE_WAIT, owner=client, seconds=0.2)

    lab.step("Its program writes at last: that succeeds, is answered with RST, and then fails.")
    connection.client.send(b"late").returns(4)
    connection.client.reaches(CLOSED)
    connection.client.send(b"later").fails(errno.EPIPE)
    lab.figure(
        lab.sees("""
        ...
        client > server: Flags [P.], seq J:J+4, ack K, length 4
        server > client: Flags [R], seq K
    """)
    )
