"""LISTEN: a socket that waits for connections and has no peer."""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, LISTEN, Host, Lab

pytestmark = pytest.mark.cause("server.close")


def test_listen_until_the_listener_is_closed(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server listens; nothing goes over the wire, and nothing waits to be accepted.")
    listener = server.listen(port=16868, backlog=3)
    listener.reaches(LISTEN, owner=server, receive_queue=0, send_queue=3)
    lab.stays_quiet(seconds=0.2)

    lab.step("A client connects: the listener goes on listening beside the new connection.")
    connection = client.connect(listener)
    connection.server.accept()
    connection.server.reaches(ESTABLISHED, owner=server)
    listener.stays(LISTEN, owner=server, receive_queue=0, seconds=0.3)

    lab.step("The listener is closed. The connection stays; a second client is refused.")
    listener.close()
    listener.reaches(CLOSED)
    client.connect(server, port=16868).client.connecting.fails(errno.ECONNREFUSED)
    connection.client.send(b"still here")
    connection.server.receives(b"still here")
