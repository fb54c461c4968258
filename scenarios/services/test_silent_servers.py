"""Servers that say nothing: the connection looks well on both ends, whatever it waits for.

The server's kernel opens connections, acknowledges and buffers without its program. So no timer of
TCP runs, and no setting of the kernel ends the waiting: only a timeout of the client's program
does (with one: scenarios/https/test_handshake_stalls.py). What tells the cases apart is who owns
the server's socket, and what lies in its Recv-Q.
"""

import signal
from collections.abc import Callable

import pytest

from sockstates import ESTABLISHED, Host, Lab

REQUEST = b"GET / HTTP/1.1\r\nHost: server\r\n\r\n"
ONLY_THE_PROGRAM = ("SO_RCVTIMEO, poll's timeout", "curl: --max-time")


@pytest.mark.phenomenon(
    70,
    symptom="hangs",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="for ever",
    settings=ONLY_THE_PROGRAM,
)
@pytest.mark.cause("client.send")
def test_a_client_without_a_timeout_waits_for_ever(lab: Lab, client: Host, server: Host) -> None:
    """The server reads the request and never answers: all queues are empty, no timer runs."""
    lab.step("A program accepts a connection, reads a request, and does nothing with it.")
    connection = client.connect(server.listen(port=80))
    connection.client.send(REQUEST)
    connection.server.receives(REQUEST)

    lab.step("The client reads. Everything was delivered, and everything is acknowledged.")
    reading = connection.client.receive()
    connection.client.reaches(ESTABLISHED, owner=client, send_queue=0, receive_queue=0)
    connection.server.reaches(ESTABLISHED, owner=server, send_queue=0, receive_queue=0)

    lab.step("Nothing is sent any more, by nobody: the client would wait for ever.")
    lab.stays_quiet(seconds=1)
    assert reading.pending


@pytest.mark.phenomenon(
    70,
    symptom="hangs",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="until the server's process goes on",
    settings=ONLY_THE_PROGRAM,
)
@pytest.mark.cause("server.send_signal", occurrence=1)
@pytest.mark.programs("nginx")
def test_a_stopped_server_still_opens_connections(
    lab: Lab, client: Host, server: Host, nginx: Callable[[str], str]
) -> None:
    """The server's process is stopped: connect succeeds, the request is taken, nobody answers."""
    lab.step("nginx listens, and is stopped (SIGSTOP), as by a debugger or a full disk.")
    web = server.start(nginx("keepalive_timeout 60s;"))
    listener = web.listens(80)
    web.send_signal(signal.SIGSTOP)

    lab.step("A client connects. Its connect succeeds: the kernel needs no program for that.")
    connection = client.connect(listener)
    connection.client.connecting.returns()
    connection.client.send(REQUEST)
    reading = connection.client.receive()

    lab.step("The request lies in a connection that nobody has accepted. Nothing is sent any more.")
    connection.server.reaches(ESTABLISHED, owner=None, receive_queue=len(REQUEST))
    connection.client.reaches(ESTABLISHED, owner=client, send_queue=0)
    lab.stays_quiet(seconds=0.5)
    assert reading.pending

    lab.step("nginx goes on, and answers as if nothing had happened.")
    web.send_signal(signal.SIGCONT)
    reading.returns()
    connection.server.reaches(ESTABLISHED, owner=web, receive_queue=0)
