"""kill -9: the kernel closes what a program had open; what the peer gets depends on unread data."""

import errno
import signal
import sys

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, Host, Lab

pytestmark = pytest.mark.cause("client.kill")
IDLE = "import socket; connection = socket.create_connection(('server', 80)); input()"
"""Connects, and does nothing more."""


@pytest.mark.phenomenon(
    38,
    symptom="close lingers",
    client="ESTABLISHED, FIN_WAIT2",
    server="ESTABLISHED, CLOSE_WAIT",
    lasts="at once",
)
def test_a_killed_program_closes(lab: Lab, client: Host, server: Host) -> None:
    """A program that is killed closes its connections as any other: with a FIN, from the kernel."""
    lab.step("A program connects.")
    listener = server.listen(port=80)
    program = client.start([sys.executable, "-c", IDLE])
    connection = program.connects(listener)
    connection.server.accept()
    connection.client.reaches(ESTABLISHED, owner=program)
    connection.server.reaches(ESTABLISHED, owner=server)
    reading = connection.server.receive()

    lab.step(
        "kill -9. The kernel closes for it: the peer reads an end, as of a program that ended."
    )
    program.kill()
    program.ends(-signal.SIGKILL)
    connection.client.reaches(FIN_WAIT2, owner=None)
    connection.server.reaches(CLOSE_WAIT, owner=server)
    reading.returns(b"")
    lab.figure(lab.sees("...\nclient > server: Flags [F.]")[-1:])
    lab.never_sees("client > server: Flags [R.]")


@pytest.mark.phenomenon(
    38,
    symptom="reset",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED, CLOSED",
    errno="ECONNRESET, EPIPE",
    lasts="at once",
)
def test_a_killed_program_that_had_not_read_all(lab: Lab, client: Host, server: Host) -> None:
    """A program that is killed with data unread resets its connections: what was sent is lost."""
    lab.step("A program connects, and does not read what the server sends.")
    listener = server.listen(port=80)
    program = client.start([sys.executable, "-c", IDLE])
    connection = program.connects(listener)
    connection.server.accept()
    connection.server.reaches(ESTABLISHED, owner=server)
    connection.server.send(b"hello")
    connection.client.reaches(ESTABLISHED, owner=program, receive_queue=5)
    reading = connection.server.receive()

    lab.step("kill -9. The kernel knows of the unread data, and sends RST instead of FIN.")
    program.kill()
    program.ends(-signal.SIGKILL)
    connection.client.reaches(CLOSED)
    connection.server.reaches(CLOSED)
    reading.fails(errno.ECONNRESET)
    connection.server.send(b"too late").fails(errno.EPIPE)
    lab.figure(lab.sees("...\nclient > server: Flags [R.]")[-1:])
    lab.never_sees("client > server: Flags [F.]")
