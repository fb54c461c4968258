"""Connecting to a host that no segment can be sent to: it is the client's own host that knows."""

import errno
from typing import Any

import pytest

from sockstates import CLOSED, SYN_SENT, Host, Lab
from sockstates.tcp.timers import INITIAL_RTO, early


def entry(kind: str, error: int) -> Any:
    """A kind of route that leads nowhere, with the catalogue's entry of it."""
    marker = pytest.mark.phenomenon(
        9,
        symptom="refused",
        server="LISTEN",
        errno=errno.errorcode[error],
        lasts="at once",
        settings=(f"ip route add {kind}",),
    )
    return pytest.param(kind, error, marks=marker, id=kind)


@pytest.mark.cause("client.route")
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        entry("blackhole", errno.EINVAL),
        entry("unreachable", errno.EHOSTUNREACH),
        entry("prohibit", errno.EACCES),
    ],
)
def test_a_route_that_leads_nowhere(
    lab: Lab, client: Host, server: Host, kind: str, error: int
) -> None:
    """A route of the client's own that leads nowhere fails connect at once, without a segment.

    Each kind has an errno of its own. That of a black hole, EINVAL, says least of all what is
    wrong.
    """
    lab.step("The client has a route to the server that leads nowhere.")
    listener = server.listen(port=80)
    client.route(f"add {kind} server")

    lab.step("It connects. That fails at once, and nothing is sent.")
    connection = client.connect(listener)
    connection.client.connecting.fails(error, seconds=lab.deadlines.patience)
    connection.client.reaches(CLOSED)
    lab.stays_quiet(seconds=0.2)


@pytest.mark.phenomenon(
    9,
    symptom="refused",
    server="LISTEN",
    errno="ENETUNREACH",
    lasts="at once",
    settings=("ip route del default",),
)
@pytest.mark.topology(router=True)
@pytest.mark.cause("client.route")
def test_no_route(lab: Lab, client: Host, server: Host) -> None:
    """Without a route to the server connect fails at once, without a segment."""
    lab.step("The server is behind a router, and the client has lost its default route.")
    listener = server.listen(port=80)
    client.route("del default")

    lab.step("It connects. That fails at once, and nothing is sent.")
    connection = client.connect(listener)
    connection.client.connecting.fails(errno.ENETUNREACH, seconds=lab.deadlines.patience)
    connection.client.reaches(CLOSED)
    lab.stays_quiet(seconds=0.2)


@pytest.mark.phenomenon(
    9,
    symptom="connect hangs",
    client="SYN_SENT, CLOSED",
    server="LISTEN",
    errno="ETIMEDOUT",
    predict="syn",
    settings=("ip route add blackhole", "tcp_syn_retries"),
)
@pytest.mark.topology(router=True)
@pytest.mark.shortened(client={"net.ipv4.tcp_syn_retries": 1})
@pytest.mark.cause("router.route")
def test_a_black_hole_on_the_way(lab: Lab, client: Host, server: Host, router: Host) -> None:
    """The same route on a router is a black hole for others: nobody is told that SYNs vanish."""
    lab.step("A router on the way has a black hole instead of a route to the server.")
    listener = server.listen(port=80)
    router.route("add blackhole server")

    lab.step("The client connects. Each of its SYNs gets as far as the router.")
    connection = client.connect(listener)
    connection.client.reaches(SYN_SENT, owner=client)
    connection.client.retransmits_as_predicted()
    connection.client.connecting.fails(errno.ETIMEDOUT)
    connection.client.reaches(CLOSED)
    lab.never_sees("server.80 > client: Flags [_]")


@pytest.mark.phenomenon(
    10,
    symptom="connect hangs",
    client="SYN_SENT, CLOSED",
    server="LISTEN",
    errno="EHOSTUNREACH",
    lasts="as many questions as mcast_solicit says, each for retrans_time_ms: three seconds",
    settings=("mcast_solicit", "retrans_time_ms"),
)
@pytest.mark.cause("client.ask_neighbours")
def test_the_neighbour_does_not_answer(lab: Lab, client: Host, server: Host) -> None:
    """The server's host is off, or not in this network: SYN_SENT, and no SYN is on the wire.

    tcpdump for TCP shows nothing, netstat shows SYN_SENT; `ip neigh` says INCOMPLETE, then FAILED.
    """
    lab.step("The client has to ask who has the server's address, and the server does not answer.")
    listener = server.listen(port=80)
    server.iptables("-A INPUT -p icmpv6 -j DROP")
    client.ask_neighbours()

    lab.step("The client connects. Its SYN waits for an answer to the question.")
    connection = client.connect(listener)
    connection.client.reaches(SYN_SENT, owner=client, send_queue=1)

    lab.step("Nobody answers. The kernel tells its own program that the host is unreachable.")
    connection.client.connecting.fails(errno.EHOSTUNREACH)
    connection.client.connecting.lasts(at_least=early(INITIAL_RTO))
    connection.client.reaches(CLOSED)
    lab.never_sees("client > server.80: Flags [S]")
