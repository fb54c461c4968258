"""Sockets with the same addresses: each is told apart from the other, by the kernel's cookie."""

import errno
import socket
import sys

import pytest

from sockstates import CLOSED, ESTABLISHED, LISTEN, SYN_SENT, TIME_WAIT, Host, Lab, Program
from sockstates.evidence.sockets_at import sockets_at
from sockstates.evidence.verdicts import ExpectationFailed

pytestmark = pytest.mark.families("ipv4")

REUSE = [(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)]
LISTENS = """
import socket
one = socket.socket()
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
one.bind(("", 80))
one.listen()
input()
"""


def test_each_of_two_listeners_has_a_queue_of_its_own(lab: Lab, client: Host, server: Host) -> None:
    first = server.listen(port=80, options=REUSE, reuse_address=False)
    second = server.listen(port=80, options=REUSE, reuse_address=False)
    first.reaches(LISTEN, owner=server)
    second.reaches(LISTEN, owner=server, receive_queue=0)
    for _ in range(8):
        client.connect(server, 80).client.reaches(ESTABLISHED)
    lab.settle()
    waiting = [lab.timeline.history(each.key)[-1].receive_queue or 0 for each in (first, second)]
    assert sum(waiting) == 8
    for each, number in zip((first, second), waiting, strict=True):
        each.reaches(LISTEN, receive_queue=number)
        each.stays(LISTEN, receive_queue=number, seconds=0.1)
        with pytest.raises(ExpectationFailed, match=f"receive queue {number}, expected 9"):
            each.reaches(LISTEN, receive_queue=9, seconds=0.1)


def test_one_of_two_listeners_is_closed(lab: Lab, server: Host) -> None:
    first = server.listen(port=80, options=REUSE, reuse_address=False)
    second = server.listen(port=80, options=REUSE, reuse_address=False)
    second.reaches(LISTEN)
    first.close()
    first.reaches(CLOSED)
    second.stays(LISTEN, seconds=0.1)
    lab.settle()
    assert [seen.state for seen in sockets_at(lab.timeline, "server").certain] == [LISTEN]


def test_a_program_s_listener_beside_a_built_in_one(client: Host, server: Host) -> None:
    own = server.listen(port=80, options=REUSE, reuse_address=False)
    program: Program = server.start([sys.executable, "-c", LISTENS])
    theirs = program.listens(80)
    theirs.reaches(LISTEN, owner=program)
    own.reaches(LISTEN, owner=server)
    program.kill()
    theirs.reaches(CLOSED)
    own.stays(LISTEN, seconds=0.1)
    client.connect(own).client.reaches(ESTABLISHED)


def test_netstat_lists_both_listeners(server: Host) -> None:
    server.listen(port=80, options=REUSE, reuse_address=False)
    server.listen(port=80, options=REUSE, reuse_address=False)
    assert server.netstat().count(" LISTEN ") == 2


def test_a_connection_that_took_over_the_addresses_of_another(client: Host, server: Host) -> None:
    listener = server.listen(port=80)
    first = client.connect(listener, source_port=40000)
    first.client.reaches(ESTABLISHED)
    first.server.reaches(ESTABLISHED)
    first.client.abort()
    first.client.reaches(CLOSED)
    second = client.connect(listener, source_port=40000)
    second.client.reaches(ESTABLISHED)
    first.client.stays(CLOSED, seconds=0.1)
    with pytest.raises(ExpectationFailed, match="state CLOSED, expected ESTABLISHED"):
        first.client.reaches(ESTABLISHED, seconds=0.1)


def test_a_socket_stays_the_same_until_its_time_wait_is_over(
    lab: Lab, client: Host, server: Host
) -> None:
    made = client.connect(server.listen(port=80))
    made.reaches(client=ESTABLISHED, server=ESTABLISHED)
    made.server.accept()
    made.client.close()
    made.server.close()
    made.client.reaches(TIME_WAIT)
    lab.settle()
    for end in (made.client, made.server):
        assert len({seen.cookie for seen in lab.timeline.history(end.key)}) == 1
    assert made.client.passes_through([SYN_SENT, ESTABLISHED, ..., TIME_WAIT], unseen_allowed=True)


def test_a_dual_stack_listener_is_not_the_one_beside_it(server: Host) -> None:
    code = LISTENS.replace("socket.socket()", "socket.socket(socket.AF_INET6)")
    program = server.start([sys.executable, "-c", code])
    program.listens(80).reaches(LISTEN, owner=program)
    server.bind(80).fails(errno.EADDRINUSE)
    own = server.listen(port=80, options=REUSE, reuse_address=False)
    own.reaches(LISTEN, owner=server)
