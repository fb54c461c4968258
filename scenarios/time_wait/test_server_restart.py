"""A server that starts again while its old connections are in TIME_WAIT."""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, FIN_WAIT2, LISTEN, TIME_WAIT, Endpoint, Host, Lab


def ends_with_time_wait(client: Host, server: Host) -> Endpoint:
    """The server's end in TIME_WAIT: it has closed first, and nobody listens any more."""
    listener = server.listen(port=80)
    connection = client.connect(listener)
    connection.client.reaches(ESTABLISHED)
    connection.server.close()
    connection.server.reaches(FIN_WAIT2, owner=None)
    connection.client.close()
    connection.client.reaches(CLOSED)
    connection.server.reaches(TIME_WAIT, owner=None)
    listener.close()
    listener.reaches(CLOSED)
    return connection.server


@pytest.mark.phenomenon(
    64,
    symptom="out of ports or queue space",
    client="CLOSED",
    server="TIME_WAIT",
    errno="EADDRINUSE",
    predict="time-wait",
    settings=("SO_REUSEADDR",),
)
@pytest.mark.cause("server.close", occurrence=1)
def test_a_restart_without_reuse_address(lab: Lab, client: Host, server: Host) -> None:
    """The server's port is taken, though nobody listens: one connection is in TIME_WAIT there."""
    lab.step("The server closes a connection, then the client does. The server ends.")
    waiting = ends_with_time_wait(client, server)

    lab.step("It starts again. Its port is in use for as long as TIME_WAIT lasts.")
    server.bind(80).fails(errno.EADDRINUSE)
    lab.figure(waiting.stays(TIME_WAIT, owner=None, seconds=0.2))


@pytest.mark.phenomenon(
    64,
    symptom="as it should be",
    client="CLOSED, ESTABLISHED",
    server="TIME_WAIT, ESTABLISHED",
    lasts="at once",
    settings=("SO_REUSEADDR",),
)
@pytest.mark.cause("server.listen", without="reuse_address", instead=False)
def test_a_restart_with_reuse_address(lab: Lab, client: Host, server: Host) -> None:
    """With SO_REUSEADDR, which every server should set, TIME_WAIT is in nobody's way."""
    lab.step("The server closes a connection, then the client does. The server ends.")
    waiting = ends_with_time_wait(client, server)

    lab.step("It starts again with SO_REUSEADDR, and serves beside TIME_WAIT.")
    again = server.listen(port=80, reuse_address=True)
    again.reaches(LISTEN, owner=server)
    connection = client.connect(again)
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    lab.figure(waiting.stays(TIME_WAIT, owner=None, seconds=0.2))
