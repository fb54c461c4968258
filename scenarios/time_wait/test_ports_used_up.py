"""A client that closes first keeps its ports in TIME_WAIT, until it has none left."""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, FIN_WAIT2, TIME_WAIT, Connection, Host, Lab, Listener

ONE_PORT = "40000 40000"


def uses_its_port_up(client: Host, listener: Listener) -> Connection:
    """A connection over the client's only port, which the client has closed first: TIME_WAIT."""
    connection = client.connect(listener, bound=False)
    connection.client.reaches(ESTABLISHED)
    connection.client.close()
    connection.client.reaches(FIN_WAIT2, owner=None)
    connection.server.close()
    connection.server.reaches(CLOSED)
    connection.client.reaches(TIME_WAIT, owner=None)
    return connection


@pytest.mark.phenomenon(
    65,
    symptom="out of ports or queue space",
    client="TIME_WAIT",
    server="CLOSED",
    errno="EADDRNOTAVAIL",
    predict="time-wait",
    settings=("ip_local_port_range", "tcp_tw_reuse"),
)
@pytest.mark.cause("client.sysctl", occurrence=1)
def test_connect_finds_no_port(lab: Lab, client: Host, server: Host) -> None:
    """Every port to this server is in TIME_WAIT: connect fails at once, and sends nothing."""
    lab.step("The client has one port to connect from. It has closed a connection over it first.")
    client.sysctl("net.ipv4.ip_local_port_range", ONE_PORT)
    listener, other = server.listen(port=80), server.listen(port=81)
    used_up = uses_its_port_up(client, listener)

    lab.step("It connects again: there is no port left for this server.")
    client.connect(listener, bound=False).client.connecting.fails(errno.EADDRNOTAVAIL)
    lab.stays_quiet(seconds=0.2)
    lab.figure(used_up.client.reaches(TIME_WAIT, owner=None))

    lab.step("A program that binds to the port itself is refused already then, by another name.")
    client.bind(40000).fails(errno.EADDRINUSE)

    lab.step("To another port of the server the same port of the client is free.")
    elsewhere = client.connect(other, bound=False)
    elsewhere.reaches(client=ESTABLISHED, server=ESTABLISHED)
    used_up.client.stays(TIME_WAIT, owner=None, seconds=0.2)


@pytest.mark.phenomenon(
    65,
    symptom="as it should be",
    client="TIME_WAIT, ESTABLISHED",
    server="CLOSED, ESTABLISHED",
    lasts="at once",
    settings=("tcp_tw_reuse", "tcp_tw_reuse_delay", "tcp_timestamps"),
)
@pytest.mark.cause("client.sysctl", occurrence=2)
def test_tcp_tw_reuse_lets_connect_take_a_port(lab: Lab, client: Host, server: Host) -> None:
    """With tcp_tw_reuse a new connection takes the place of TIME_WAIT, when a second is over."""
    lab.step("The same, and the client's kernel may use such a port again.")
    client.sysctl("net.ipv4.ip_local_port_range", ONE_PORT)
    client.sysctl("net.ipv4.tcp_tw_reuse", 1)
    listener = server.listen(port=80)
    used_up = uses_its_port_up(client, listener)

    lab.step("It waits until the clock of the timestamps tells old segments from new ones.")
    used_up.client.stays(TIME_WAIT, owner=None, seconds=lab.deadlines.reusable(client))

    lab.step("The client connects from the same port, and TIME_WAIT is gone.")
    again = client.connect(listener, bound=False)
    again.client.connecting.returns()
    again.reaches(client=ESTABLISHED, server=ESTABLISHED)
    lab.figure(
        lab.sees("""
        ...
        client.40000 > server.80: Flags [S], seq M
        server.80 > client.40000: Flags [S.], seq N, ack M+1
        client.40000 > server.80: Flags [.], ack N+1
    """)
    )
