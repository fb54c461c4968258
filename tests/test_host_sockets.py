"""What a host does with sockets of no connection yet, and how many connections it is seen to have.

Each word once where it holds, once where not.
"""

import errno
import sys

import pytest

from sockstates import ESTABLISHED, TIME_WAIT, Host
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.tcp.segment import Address

pytestmark = pytest.mark.families("ipv4")


def test_a_port_that_is_free_is_bound(server: Host) -> None:
    server.bind(80).returns(("0.0.0.0", 80))


def test_a_port_that_somebody_has_is_not(server: Host) -> None:
    server.listen(port=80)
    server.bind(80, reuse_address=True).fails(errno.EADDRINUSE)


def test_connections_are_counted_by_state_and_owner(client: Host, server: Host) -> None:
    listener = server.listen(port=80)
    first, second = client.connect(listener), client.connect(listener)
    first.client.reaches(ESTABLISHED)
    second.client.reaches(ESTABLISHED)
    assert {seen.local for seen in client.counts(ESTABLISHED, 2)} == {
        first.client.local,
        second.client.local,
    }
    server.counts(ESTABLISHED, 2, owner=None)
    client.counts(ESTABLISHED, 0, owner=None)
    with pytest.raises(ExpectationFailed, match=r"expected 3 connections .*, found 2\n\n.*2 EST"):
        client.counts(ESTABLISHED, 3, seconds=0.1)
    with pytest.raises(ExpectationFailed, match="in ESTABLISHED owned by nobody, found"):
        client.counts(ESTABLISHED, 2, owner=None, seconds=0.1)


def test_a_program_s_connections_are_its_own(client: Host, server: Host) -> None:
    listener = server.listen(port=80)
    client.connect(listener).client.reaches(ESTABLISHED)
    text = "import socket; s = socket.create_connection(('server', 80)); input()"
    program = client.start([sys.executable, "-c", text])
    client.counts(ESTABLISHED, 1, owner=program)
    client.counts(ESTABLISHED, 2)


def test_connect_finds_a_port_by_itself(client: Host, server: Host) -> None:
    client.sysctl("net.ipv4.ip_local_port_range", "40000 40000")
    connection = client.connect(server.listen(port=80), bound=False)
    connection.client.reaches(ESTABLISHED)
    assert connection.client.local == Address(client.address, 40000)


def test_connect_finds_no_port(client: Host, server: Host) -> None:
    client.sysctl("net.ipv4.ip_local_port_range", "40000 40000")
    listener = server.listen(port=80)
    connection = client.connect(listener, bound=False)
    connection.client.reaches(ESTABLISHED)
    client.connect(listener, bound=False).client.connecting.fails(errno.EADDRNOTAVAIL)
    connection.client.close()
    connection.server.close()
    connection.client.reaches(TIME_WAIT)
