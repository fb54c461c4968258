"""TIME_WAIT's end: after 60 seconds; by a new connection of the same addresses; or by an RST."""

import pytest

from sockstates import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT2,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    WRITE,
    Host,
    Lab,
)
from sockstates.lab.initial_sequence import first_number


@pytest.mark.phenomenon(
    62,
    symptom="close lingers",
    client="CLOSE_WAIT, CLOSED",
    server="FIN_WAIT2, TIME_WAIT, CLOSED",
    predict="time-wait",
)
@pytest.mark.claims("R11", holds=False)
@pytest.mark.families("ipv4")
@pytest.mark.cause("client.close")
def test_time_wait_is_over_after_a_minute(lab: Lab, client: Host, server: Host) -> None:
    """TIME_WAIT lasts a minute. tcp_fin_timeout has nothing to do with it, nor has any setting."""
    lab.step("The server closes first, then the client: the server's side is TIME_WAIT.")
    server.sysctl("net.ipv4.tcp_fin_timeout", 1)
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.shutdown(WRITE)
    connection.server.reaches(FIN_WAIT2, owner=server)
    connection.client.reaches(CLOSE_WAIT)
    connection.client.close()
    connection.server.reaches(TIME_WAIT, owner=None)

    lab.step("A minute passes, which no setting shortens. Then nothing is left.")
    connection.server.reaches(CLOSED)
    lab.figure(f"TIME_WAIT for {connection.server.spends(TIME_WAIT)}")


@pytest.mark.phenomenon(
    66,
    symptom="as it should be",
    client="CLOSED, ESTABLISHED",
    server="TIME_WAIT, SYN_RECV, ESTABLISHED",
    lasts="at once",
    settings=("tcp_timestamps",),
)
@pytest.mark.claims("R10")
@pytest.mark.cause("client.connect", occurrence=2)
def test_a_new_connection_takes_the_place_of_time_wait(
    lab: Lab, client: Host, server: Host
) -> None:
    """A SYN that is newer than the old connection ends TIME_WAIT, and is answered as any other."""
    lab.step("The server closes first, then the client: the server's side is TIME_WAIT.")
    listener = server.listen(port=80)
    connection = client.connect(listener, source_port=7001)
    connection.client.reaches(ESTABLISHED)
    connection.server.close()
    connection.server.reaches(FIN_WAIT2)
    connection.client.reaches(CLOSE_WAIT)
    connection.client.close()
    connection.client.reaches(CLOSED)
    waiting = connection.server.reaches(TIME_WAIT, owner=None)

    lab.step("The client connects from the same port. The server answers, and TIME_WAIT is gone.")
    rule = client.iptables("-A INPUT -s server -j DROP")
    again = client.connect(listener, source_port=7001)
    reopened = connection.server.reaches(SYN_RECV, owner=None)
    lab.figure([waiting, reopened])

    lab.step("The connection is made as any other.")
    rule.delete()
    again.client.connecting.returns()
    again.client.reaches(ESTABLISHED, owner=client)
    connection.server.reaches(ESTABLISHED)


@pytest.mark.phenomenon(
    66,
    symptom="connect hangs",
    client="SYN_SENT",
    server="TIME_WAIT, CLOSED",
    lasts="until the next retransmission of the SYN",
    settings=("tcp_rfc1337", "tcp_timestamps"),
)
@pytest.mark.cause("client.connect", occurrence=2, without="options")
def test_an_old_syn_lets_time_wait_be_assassinated(lab: Lab, client: Host, server: Host) -> None:
    """A SYN that seems older is answered with an acknowledgement; the RST for it ends TIME_WAIT."""
    lab.step("The server closes first, then the client: the server's side is TIME_WAIT.")
    client.sysctl("net.ipv4.tcp_timestamps", 0)
    listener = server.listen(port=80)
    connection = client.connect(listener, source_port=7001, options=first_number(2_000_000))
    connection.client.reaches(ESTABLISHED)
    connection.server.close()
    connection.server.reaches(FIN_WAIT2)
    connection.client.reaches(CLOSE_WAIT)
    connection.client.close()
    connection.client.reaches(CLOSED)
    connection.server.reaches(TIME_WAIT, owner=None)

    lab.step("A SYN comes that seems older. TIME_WAIT says what it expects, and is shot for that.")
    server.iptables("-A INPUT -p tcp --syn -m limit --limit 1/minute --limit-burst 1 -j ACCEPT")
    server.iptables("-A INPUT -p tcp --syn -j DROP")
    again = client.connect(listener, source_port=7001, options=first_number(1_000_000))
    again.client.reaches(SYN_SENT, owner=client)
    connection.server.reaches(CLOSED, seconds=lab.deadlines.patience)
    lab.sees("""
        client.7001 > server.80: Flags [S], seq 1000000
        server.80 > client.7001: Flags [.], seq K, ack 2000002
        client.7001 > server.80: Flags [R], seq 2000002
    """)
