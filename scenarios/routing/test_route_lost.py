"""A router loses its route under an established connection: an error, but no reason to give up."""

import errno
import socket

import pytest

from sockstates import CLOSED, ESTABLISHED, Host, Lab
from sockstates.record.events import NANOSECONDS
from sockstates.tcp.timers import MINIMUM_RTO, early

NO_ROUTE = {"ipv4": "icmp-host-unreachable", "ipv6": "icmp6-no-route"}
"""What a router answers that has no route."""
SOFT = {"ipv4": errno.EHOSTUNREACH, "ipv6": errno.ENETUNREACH}
"""What the client's kernel makes of that answer."""


@pytest.mark.phenomenon(
    46,
    symptom="slow",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="until the route comes back",
    settings=("tcp_retries2", "TCP_USER_TIMEOUT"),
)
@pytest.mark.cause("router.route", occurrence=1)
def test_a_route_goes_and_comes_back(lab: Lab, client: Host, router: Host, server: Host) -> None:
    """A router says that a host is unreachable: an established connection waits for better days.

    The error is soft (RFC 1122, section 4.2.3.9). A router of Linux does not say so each time: over
    IPv4 to each host once in a second, after a burst (ip_error() in net/ipv4/route.c). On Linux 6.1
    and 6.12 there is no burst where icmp_ratelimit is 0, as here: both count with the same tokens.
    """
    lab.step("A connection is established through a router.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step("The router has no route to the server any more, and says so to who sends there.")
    router.route("add unreachable server")
    connection.client.send(b"hello")
    connection.client.retransmits(2)

    lab.step("The client sends again. Its program is not disturbed.")
    waiting = connection.client.reaches(ESTABLISHED, owner=client, send_queue=5)

    lab.step("Only if it asks for an error it is told of one: SO_ERROR, socket(7).")
    told = connection.client.get_option(socket.SOL_SOCKET, socket.SO_ERROR)
    assert told == SOFT[lab.family]

    lab.step("The route is there again. The next repetition arrives, and nothing is lost.")
    router.route("del unreachable server")
    connection.server.receives(b"hello")
    connection.client.reaches(ESTABLISHED, owner=client, send_queue=0)
    lab.figure(waiting)


@pytest.mark.phenomenon(
    46,
    symptom="slow",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="until the route comes back",
    settings=("tcp_retries2", "TCP_USER_TIMEOUT"),
)
@pytest.mark.cause("router.iptables")
def test_a_router_that_says_it_each_time(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    """With each answer the sender takes back the last doubling of its timer (RFC 6069).

    So it notices soon when the route is there again. A rule of the router's plays the lost route:
    it answers each segment, which a route of Linux's that leads nowhere does not.
    """
    lab.step("A connection is established through a router.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step("The router answers all that is for the server as if it had no route there.")
    lost = router.iptables(f"-A FORWARD -d server -j REJECT --reject-with {NO_ROUTE[lab.family]}")
    connection.client.send(b"hello")
    *_, last_but_one, last = connection.client.retransmits(5)[:5]

    lab.step("The client sends again, without doubling its timer.")
    waiting = connection.client.reaches(ESTABLISHED, owner=client, send_queue=5)
    assert last.time - last_but_one.time < early(4 * MINIMUM_RTO) * NANOSECONDS

    lab.step("The rule goes. The next repetition arrives, and nothing is lost.")
    lost.delete()
    connection.server.receives(b"hello")
    connection.client.reaches(ESTABLISHED, owner=client, send_queue=0)
    lab.figure([waiting, last_but_one, last])


@pytest.mark.phenomenon(
    46,
    symptom="hangs",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED",
    errno="EHOSTUNREACH",
    lasts="about as long as predict data says",
    settings=("tcp_retries2", "tcp_rto_max_ms", "TCP_USER_TIMEOUT"),
)
@pytest.mark.cause("router.route")
@pytest.mark.shortened(client={"net.ipv4.tcp_retries2": 1})
@pytest.mark.families("ipv4")
def test_a_route_that_never_comes_back(lab: Lab, client: Host, router: Host, server: Host) -> None:
    """A host that stays unreachable is given up as in a black hole, but with the router's error.

    "No route to host" from a connection that has worked means: so long since nothing was answered.
    """
    lab.step("A connection is established through a router.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step("The router has no route to the server any more, and says so to whoever sends there.")
    router.route("add unreachable server")
    connection.client.send(b"anybody there?").returns(14)
    connection.client.reaches(ESTABLISHED, owner=client, send_queue=14)
    reading = connection.client.receive()

    lab.step("The client gives up, when it would have without any answer.")
    connection.client.reaches(CLOSED)
    reading.fails(errno.EHOSTUNREACH)
    connection.server.stays(ESTABLISHED, receive_queue=0, seconds=0.2)


@pytest.mark.phenomenon(
    46,
    symptom="hangs",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="until the address comes back",
    settings=("tcp_retries2", "TCP_USER_TIMEOUT", "mcast_solicit", "retrans_time_ms"),
)
@pytest.mark.cause("router.ip_address", occurrence=1)
@pytest.mark.families("ipv4")
def test_the_router_s_address_goes_and_comes_back(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    """Nobody has the next hop's address any more: the client sends again, and nothing leaves it.

    tcpdump for TCP shows nothing at all, on the client either: what it sends waits for the answer
    to a question. `ip neigh` says INCOMPLETE, then FAILED.
    """
    lab.step("A connection is established through a router.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step("The router's address goes. What all knew of their neighbours has run out, too.")
    router.ip_address("del dev to-client")
    client.ask_neighbours()
    router.ask_neighbours()
    server.ask_neighbours()

    lab.step(
        "The client sends. It asks who has the router's address; its data waits for an answer."
    )
    connection.client.send(b"hello")
    connection.client.reaches(ESTABLISHED, owner=client, send_queue=5)
    waiting = connection.client.stays(ESTABLISHED, owner=client, seconds=early(4 * MINIMUM_RTO))
    lab.never_sees("client > server.80: Flags [P.]")

    lab.step("The address is there again. The next question is answered, and nothing is lost.")
    router.ip_address("add dev to-client")
    connection.server.receives(b"hello")
    connection.client.reaches(ESTABLISHED, owner=client, send_queue=0)
    lab.figure(waiting)
