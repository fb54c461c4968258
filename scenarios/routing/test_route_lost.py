"""A router loses its route under an established connection: an error, but no reason to give up."""

import errno
import socket

import pytest

from harness import CLOSED, ESTABLISHED
from harness.evidence.events import NANOSECONDS
from harness.lab import Host, Lab
from harness.tcp.timers import MINIMUM_RTO, early

pytestmark = pytest.mark.cause("router.iptables")
NO_ROUTE = {"ipv4": "icmp-host-unreachable", "ipv6": "icmp6-no-route"}
"""What a router answers that has no route: a rule of the router's says it here in its place."""
SOFT = {"ipv4": errno.EHOSTUNREACH, "ipv6": errno.ENETUNREACH}
"""What the kernel makes of that answer."""


@pytest.mark.phenomenon(
    46,
    symptom="slow",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="until the route comes back",
    settings=("tcp_retries2", "TCP_USER_TIMEOUT"),
)
def test_a_route_goes_and_comes_back(lab: Lab, client: Host, router: Host, server: Host) -> None:
    """A router says that a host is unreachable: an established connection waits for better days.

    The error is soft (RFC 1122, section 4.2.3.9). With each answer the sender takes back the last
    doubling of its timer (RFC 6069), so that it notices soon when the route is there again.
    """
    lab.step("A connection is established through a router.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step("The router has no route to the server any more, and says so to whoever sends there.")
    lost = router.iptables(f"-A FORWARD -d server -j REJECT --reject-with {NO_ROUTE[lab.family]}")
    connection.client.send(b"hello")
    *_, last_but_one, last = connection.client.retransmits(5)[:5]

    lab.step("The client sends again, without doubling its timer. Its program is not disturbed.")
    waiting = connection.client.reaches(ESTABLISHED, owner=client, send_queue=5)
    assert last.time - last_but_one.time < early(4 * MINIMUM_RTO) * NANOSECONDS

    lab.step("Only if it asks for an error it is told of one: SO_ERROR, socket(7).")
    told = connection.client.get_option(socket.SOL_SOCKET, socket.SO_ERROR)
    assert told == SOFT[lab.family]

    lab.step("The route is there again. The next repetition arrives, and nothing is lost.")
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
    router.iptables(f"-A FORWARD -d server -j REJECT --reject-with {NO_ROUTE[lab.family]}")
    connection.client.send(b"anybody there?").returns(14)
    connection.client.reaches(ESTABLISHED, owner=client, send_queue=14)
    reading = connection.client.receive()

    lab.step("The client gives up, when it would have without any answer.")
    connection.client.reaches(CLOSED)
    reading.fails(errno.EHOSTUNREACH)
    connection.server.stays(ESTABLISHED, receive_queue=0, seconds=0.2)
