"""Kept connections: the client keeps them longer than the server, and the next request fails.

Who keeps a connection for the next request must let go of it before the server does: whatever the
server sends when its time is over may come too late. The four ends of the same story differ only
in where the server's FIN is when the client writes.
"""

import errno
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, Host, Lab, Wire

POOL = Path(__file__).parent / "pool.py"
REQUEST = b"GET / HTTP/1.1\r\nHost: server\r\n\r\n"
KEEPS_SHORT = "keepalive_timeout 300ms;"


@pytest.mark.phenomenon(
    69,
    symptom="reset",
    client="ESTABLISHED, CLOSED",
    server="FIN_WAIT1, CLOSED",
    errno="ECONNRESET",
    lasts="at once",
    settings=("nginx: keepalive_timeout", "client: how long its pool keeps a connection"),
)
@pytest.mark.cause("client.iptables")
@pytest.mark.programs("nginx")
def test_the_fin_was_lost_and_the_next_request_is_reset(
    lab: Lab, client: Host, server: Host, nginx: Callable[[str], str]
) -> None:
    """The server has closed, its FIN is lost; the client's next request gets ECONNRESET."""
    lab.step("nginx keeps an idle connection for a short time. A firewall loses what it says then.")
    web = server.start(nginx(KEEPS_SHORT))
    listener = web.listens(80)
    client.iptables("-A INPUT -p tcp --tcp-flags FIN FIN -j DROP")

    lab.step("A client's first request is answered; the client keeps the connection.")
    connection = client.connect(listener)
    connection.client.send(REQUEST)
    connection.client.receive().returns()

    lab.step("nginx's time is over: it closes. For the client the connection is as good as new.")
    connection.server.reaches(FIN_WAIT1, owner=None)
    connection.client.reaches(ESTABLISHED, owner=client)

    lab.step("The next request is answered with a reset, and the client's read fails.")
    connection.client.send(REQUEST)
    connection.client.receive().fails(errno.ECONNRESET)
    lab.sees("""
        ...
        server.80 > client: Flags [F.], seq K
        ...
        client > server.80: Flags [P.], ack K
        server.80 > client: Flags [R], seq K
    """)
    connection.client.reaches(CLOSED)
    connection.server.reaches(CLOSED)


@pytest.mark.phenomenon(
    69,
    symptom="reset",
    client="ESTABLISHED, CLOSE_WAIT, CLOSED",
    server="FIN_WAIT1, FIN_WAIT2, CLOSED",
    lasts="at once",
    settings=("nginx: keepalive_timeout", "client: how long its pool keeps a connection"),
)
@pytest.mark.cause("wire.hold", occurrence=1)
@pytest.mark.programs("nginx")
def test_the_next_request_crosses_the_fin(
    lab: Lab, client: Host, server: Host, wire: Wire, nginx: Callable[[str], str]
) -> None:
    """The server closes while a request is on its way to it: end of file instead of an answer.

    On a way that keeps the order the FIN always comes before the reset. Linux reads the end of the
    data first, so the program gets an end of file; only the wire shows a reset.
    """
    lab.step("nginx keeps an idle connection for a short time. The way back to the client is long.")
    web = server.start(nginx(KEEPS_SHORT))
    listener = web.listens(80)
    closing = wire.hold("server.80 > client: Flags [F.]")

    lab.step("The first request is answered. nginx's time is over: its FIN is on the way.")
    connection = client.connect(listener)
    connection.client.send(REQUEST)
    connection.client.receive().returns()
    closing.meets()
    connection.reaches(client=ESTABLISHED, server=FIN_WAIT1)

    lab.step("The client, which cannot know that, sends its next request: the two cross.")
    asking = wire.hold("client > server.80: Flags [P.]")
    connection.client.send(REQUEST)
    asking.meets()

    lab.step(
        "The FIN arrives first. The client waits for an answer, and reads the end of all data."
    )
    closing.release()
    connection.reaches(client=CLOSE_WAIT, server=FIN_WAIT2)
    connection.client.receives_end()

    lab.step("The request arrives where nobody has the connection open any more: a reset.")
    asking.release()
    lab.sees("""
        ...
        server.80 > client: Flags [F.], seq K
        ...
        client > server.80: Flags [P.], ack K
        ...
        server.80 > client: Flags [R]
    """)
    connection.client.reaches(CLOSED)
    connection.server.reaches(CLOSED)


@pytest.mark.phenomenon(
    77,
    symptom="writes go nowhere",
    client="CLOSE_WAIT, CLOSED",
    server="FIN_WAIT2, CLOSED",
    errno="EPIPE",
    lasts="until the client writes",
    settings=("client: whether its pool looks for an end of file before it hands out",),
)
@pytest.mark.cause("server.close")
def test_a_pool_hands_out_a_connection_in_close_wait(lab: Lab, client: Host, server: Host) -> None:
    """The FIN has come long ago; writing succeeds all the same, and nobody gets what is written."""
    lab.step("A request is answered on a connection that both keep.")
    connection = client.connect(server.listen(port=80))
    connection.client.send(b"first request")
    connection.server.receives(b"first request")
    connection.server.send(b"first answer")
    connection.client.receives(b"first answer")

    lab.step("The server closes it. The client's kernel acknowledges, the pool does not look.")
    connection.server.close()
    connection.reaches(client=CLOSE_WAIT, server=FIN_WAIT2)
    lab.sees("""
        ...
        server.80 > client: Flags [F.], seq K
        ...
        client > server.80: Flags [.], ack K+1
    """)

    lab.step("The pool hands it out. The request is taken by the kernel, and answered by a reset.")
    connection.client.send(b"second request").returns()
    lab.sees("""
        client > server.80: Flags [P.], ack K+1
        server.80 > client: Flags [R], seq K+1
    """)
    connection.client.reaches(CLOSED)
    connection.server.reaches(CLOSED)

    lab.step("Who reads gets an end of file, not an error; who writes once more gets EPIPE.")
    connection.client.receives_end()
    connection.client.send(b"more of it").fails(errno.EPIPE)


@pytest.mark.phenomenon(
    77,
    symptom="writes go nowhere",
    client="CLOSE_WAIT, CLOSED",
    server="FIN_WAIT2, CLOSED",
    lasts="until the client writes",
    settings=("nginx: keepalive_timeout", "client: whether its pool looks before it hands out"),
)
@pytest.mark.cause("client.type", occurrence=1, stands_for="the request after which nginx closes")
@pytest.mark.programs("nginx")
def test_http_client_of_python_uses_a_connection_in_close_wait(
    lab: Lab, client: Host, server: Host, nginx: Callable[[str], str]
) -> None:
    """Python's http.client, as pools without a look use it: RemoteDisconnected, once."""
    lab.step("A program with a pool of one connection asks nginx for a page.")
    web = server.start(nginx(KEEPS_SHORT))
    listener = web.listens(80)
    pool = client.start([sys.executable, str(POOL)])
    pool.type("ask\n")
    kept = pool.connects(listener)
    pool.prints("answer: hello")

    lab.step("nginx's time is over. Now the program has a connection in CLOSE_WAIT in its pool.")
    kept.client.reaches(CLOSE_WAIT, owner=pool)
    kept.server.reaches(FIN_WAIT2, owner=None)

    lab.step("It asks again, and gets no answer. On the wire there is a reset.")
    pool.type("ask\n")
    pool.prints("RemoteDisconnected: Remote end closed connection without response")
    lab.sees("""
        ...
        server.80 > client: Flags [F.], seq K
        ...
        client > server.80: Flags [P.], ack K+1
        ...
        server.80 > client: Flags [R], seq K+1
    """)
    kept.client.reaches(CLOSED)
    kept.server.reaches(CLOSED)

    lab.step("The third time it has a new connection.")
    pool.type("ask\n")
    pool.close_input()
    pool.ends(0)
    assert pool.output.count(b"answer: hello") == 2
