"""nginx closes on its clients, and they answer in their own time: curl, telnet, nc, or never."""

from collections.abc import Callable

import pytest

from sockstates import CLOSE_WAIT, CLOSED, FIN_WAIT2, TIME_WAIT, Host, Lab
from sockstates.record.events import NANOSECONDS
from sockstates.tcp.timers import early

pytestmark = pytest.mark.programs("nginx")
NGINX_TICK = NANOSECONDS // 1000
"""nginx counts whole milliseconds: what it calls a second may be shorter by up to one of them."""
REQUEST = "GET / HTTP/1.1\r\nHost: server\r\n\r\n"
LAST_REQUEST = "GET / HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n"


@pytest.mark.claims("T25", "T26")
@pytest.mark.programs("curl")
@pytest.mark.cause(
    "client.close_input", stands_for="the moment at which curl comes to its next request"
)
def test_curl_closes_when_it_has_the_next_request(
    lab: Lab, client: Host, server: Host, nginx: Callable[[str], str]
) -> None:
    """Curl keeps a connection only as long as it runs: between two requests it reads its input."""
    lab.step("nginx keeps an idle connection for one second; curl has something else to read then.")
    web = server.start(nginx("keepalive_timeout 1s;"))
    listener = web.listens(80)
    curl = client.start("curl --silent --verbose http://server file:///dev/stdin http://server")
    first = curl.connects(listener)
    curl.prints("hello")

    lab.step("curl keeps the connection for its next request. nginx closes after a second.")
    *_, answer, _, fin, _ = lab.sees("""
        client > server.80: Flags [P.]
        ...
        server.80 > client: Flags [P.]
        client > server.80: Flags [.]
        server.80 > client: Flags [F.], seq K, ack J, length 0
        client > server.80: Flags [.], ack K+1, length 0
    """)
    assert fin.time - answer.time >= 1 * NANOSECONDS - NGINX_TICK
    first.server.reaches(FIN_WAIT2, owner=None)
    first.client.reaches(CLOSE_WAIT, owner=curl)

    lab.step("The next request: curl finds the connection dead, closes it, and makes another one.")
    curl.close_input()
    curl.prints("Connection 0 seems to be dead")
    _, *_, again = lab.sees("""
        client > server.80: Flags [F.], seq J, ack K+1, length 0
        ...
        client > server.80: Flags [S]
    """)
    first.server.reaches(TIME_WAIT, owner=None)
    first.client.reaches(CLOSED)
    curl.ends(0)
    lab.figure(
        f"nginx's FIN came {(fin.time - answer.time) / NANOSECONDS:.3f} s after its answer; curl "
        f"closed and connected anew {(again.time - fin.time) / NANOSECONDS:.3f} s after that"
    )


@pytest.mark.claims("T25")
@pytest.mark.programs("telnet")
@pytest.mark.cause("client.type")
def test_telnet_closes_at_once(
    lab: Lab, client: Host, server: Host, nginx: Callable[[str], str]
) -> None:
    lab.step("nginx keeps an idle connection for one second; telnet sends a request by hand.")
    web = server.start(nginx("keepalive_timeout 1s;"))
    listener = web.listens(80)
    telnet = client.start("telnet server 80")
    connection = telnet.connects(listener)
    telnet.type(REQUEST.replace("\r\n", "\n"))  # telnet itself makes each line end with CR LF
    telnet.prints("hello")

    lab.step("The second is over: nginx closes. telnet is told so and closes its own side at once.")
    answer, _, fin, *_, own, _ = lab.sees("""
        ...
        server.80 > client: Flags [P.]
        client > server.80: Flags [.]
        server.80 > client: Flags [F.], seq K, ack J, length 0
        ...
        client > server.80: Flags [F.], seq J, ack K+1, length 0
        server.80 > client: Flags [.], ack J+1, length 0
    """)
    telnet.prints("Connection closed by foreign host.")
    assert fin.time - answer.time >= 1 * NANOSECONDS - NGINX_TICK
    connection.server.reaches(TIME_WAIT, owner=None)
    connection.client.reaches(CLOSED)
    lab.figure(
        f"nginx's FIN came {(fin.time - answer.time) / NANOSECONDS:.3f} s after its answer, "
        f"telnet's {(own.time - fin.time) / NANOSECONDS * 1000:.1f} ms after that"
    )


@pytest.mark.claims("T26", holds=False)
@pytest.mark.programs("nc")
@pytest.mark.shortened(server={"net.ipv4.tcp_fin_timeout": 2})
@pytest.mark.cause("client.type", stands_for="the request, after which nginx closes")
def test_the_client_closes_too_late(
    lab: Lab, client: Host, server: Host, nc: str, nginx: Callable[[str], str]
) -> None:
    lab.step("nc gets an answer from nginx.")
    web = server.start(nginx("keepalive_timeout 1s;"))
    listener = web.listens(80)
    netcat = client.start(f"{nc} -v server 80")
    connection = netcat.connects(listener)
    netcat.type(REQUEST)

    lab.step("nginx closes. nc does not, for longer than a FIN_WAIT2 that nobody owns is kept.")
    (fin,) = lab.sees("...\nserver.80 > client: Flags [F.]")
    connection.server.reaches(FIN_WAIT2, owner=None)
    connection.client.reaches(CLOSE_WAIT, owner=netcat)
    connection.server.reaches(CLOSED)
    # Never shorter than the setting; how much longer says what else the machine did.
    timeout = float(server.sysctl("net.ipv4.tcp_fin_timeout"))
    connection.server.spends(FIN_WAIT2, at_least=early(timeout))

    lab.step("When nc closes at last there is no connection any more, and no TIME_WAIT: an RST.")
    netcat.close_input()
    late, answer = lab.sees("""
        ...
        client > server.80: Flags [F.], seq J, ack K
        server.80 > client: Flags [R], seq K
    """)
    connection.client.reaches(CLOSED)
    lab.figure(
        f"FIN_WAIT2 was gone {(late.time - fin.time) / NANOSECONDS:.3f} s after nginx's FIN "
        f"(tcp_fin_timeout {server.sysctl('net.ipv4.tcp_fin_timeout')}); nc's own FIN was "
        f"answered with Flags [{answer.flags}]"
    )


@pytest.mark.claims("T26")
@pytest.mark.programs("nc")
@pytest.mark.cause("client.type")
def test_nginx_lingers_before_it_lets_go(
    lab: Lab, client: Host, server: Host, nc: str, nginx: Callable[[str], str]
) -> None:
    """Where nginx lingers, FIN_WAIT2 is nginx's own at first: it has shut down only one direction.

    It does so that late data of the client does not make the kernel answer with RST.
    """
    lab.step("nginx is told to linger for two seconds on each connection that it ends.")
    web = server.start(nginx("lingering_close always; lingering_timeout 2s;"))
    listener = web.listens(80)
    netcat = client.start(f"{nc} -v server 80")
    connection = netcat.connects(listener)

    lab.step("The client's only request: nginx answers and shuts down, but keeps the socket.")
    netcat.type(LAST_REQUEST)
    netcat.prints("hello")
    (fin,) = lab.sees("...\nserver.80 > client: Flags [F.], seq K, ack J, length 0")[-1:]
    connection.server.reaches(FIN_WAIT2, owner=web)
    connection.client.reaches(CLOSE_WAIT, owner=netcat)

    lab.step("Nothing comes for two seconds: nginx lets go. FIN_WAIT2 is nobody's from now on.")
    connection.server.reaches(FIN_WAIT2, owner=None)
    lingered = lab.seconds_since(fin.time)
    netcat.close_input()
    connection.server.reaches(TIME_WAIT, owner=None)
    lab.figure(f"FIN_WAIT2 was nginx's own until {lingered:.3f} s after its FIN, then nobody's")
