"""nginx closes first when its keepalive_timeout has passed without another request.

The article's "without traffic" needs a request before: a connection on which none has come yet is
under client_header_timeout, and keepalive_timeout does not touch it.
"""

from collections.abc import Callable

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, TIME_WAIT, Host, Lab
from sockstates.record.events import NANOSECONDS

pytestmark = pytest.mark.programs("nginx", "nc", "netstat")
NGINX_TICK = NANOSECONDS // 1000
"""nginx counts whole milliseconds: what it calls a second may be shorter by up to one of them."""
REQUEST = "GET / HTTP/1.1\r\nHost: server\r\n\r\n"


@pytest.mark.claims("T25", "T26")
@pytest.mark.cause(
    "client.type", stands_for="the request; the timeout itself is in nginx's configuration"
)
@pytest.mark.parametrize("timeout", [1, 3])
def test_nginx_sends_the_first_fin(
    lab: Lab, client: Host, server: Host, nc: str, nginx: Callable[[str], str], *, timeout: int
) -> None:
    lab.step("nginx keeps an idle connection for so many seconds.")
    web = server.start(nginx(f"keepalive_timeout {timeout}s;"))
    listener = web.listens(80)
    netcat = client.start(f"{nc} -v server 80")
    connection = netcat.connects(listener)

    lab.step("nc sends a request and nginx answers; then neither has anything to say.")
    netcat.type(REQUEST)
    netcat.prints("hello")
    connection.server.reaches(ESTABLISHED, owner=web)

    lab.step("The time is over: nginx closes. nc, with its standard input open, does not.")
    *_, answer, _, fin, _ = lab.sees("""
        client > server.80: Flags [P.]
        ...
        server.80 > client: Flags [P.]
        client > server.80: Flags [.]
        server.80 > client: Flags [F.], seq K, ack J, length 0
        client > server.80: Flags [.], ack K+1, length 0
    """)
    idle = fin.time - answer.time
    assert idle >= timeout * NANOSECONDS - NGINX_TICK
    lab.figure(
        f"keepalive_timeout {timeout}s: nginx's FIN, the first of the two, came "
        f"{idle / NANOSECONDS:.3f} s after its answer"
    )
    connection.server.reaches(FIN_WAIT2, owner=None)
    connection.client.reaches(CLOSE_WAIT, owner=netcat)
    server.agrees_with_netstat()
    client.agrees_with_netstat()

    lab.step("nc's standard input ends, so it closes too.")
    netcat.close_input()
    lab.sees_only("""
        client > server.80: Flags [F.], seq J, ack K+1, length 0
        server.80 > client: Flags [.], ack J+1, length 0
    """)
    connection.server.reaches(TIME_WAIT, owner=None)
    connection.client.reaches(CLOSED)
    server.agrees_with_netstat()


@pytest.mark.claims("T25", holds=False)
@pytest.mark.cause("client.start", without="-v", instead="-v -z")
def test_a_connection_without_a_request_is_under_another_timeout(
    lab: Lab, client: Host, server: Host, nc: str, nginx: Callable[[str], str]
) -> None:
    """Without a request keepalive_timeout closes nothing; client_header_timeout does."""
    lab.step("nginx keeps an idle connection for one second, and waits three for a request.")
    web = server.start(nginx("keepalive_timeout 1s; client_header_timeout 3s;"))
    listener = web.listens(80)
    connection = client.start(f"{nc} -v server 80").connects(listener)
    connection.server.reaches(ESTABLISHED, owner=web)

    lab.step("No request comes. The connection is closed after three seconds, and not after one.")
    _, _, established, fin = lab.sees("""
        client > server.80: Flags [S], seq A
        server.80 > client: Flags [S.], seq K, ack A+1
        client > server.80: Flags [.], ack K+1
        server.80 > client: Flags [F.], seq K+1, ack A+1, length 0
    """)
    idle = fin.time - established.time
    assert idle >= 3 * NANOSECONDS - NGINX_TICK
    connection.server.reaches(FIN_WAIT2, owner=None)
    connection.client.reaches(CLOSE_WAIT)
    lab.figure(
        "keepalive_timeout 1s, client_header_timeout 3s, no request: nginx's FIN came "
        f"{idle / NANOSECONDS:.3f} s after the handshake"
    )
