"""A path MTU black hole: a link on the way carries less than its ends, and nobody tells them."""

import pytest

from sockstates import ESTABLISHED, Host, Lab
from sockstates.tcp.sizes import announced_mss, most_data

TUNNEL = 1400
"""Octets that the path carries: what a tunnel leaves of 1500."""
MUCH = 20_000


@pytest.mark.phenomenon(
    44,
    symptom="large transfers stall",
    client="ESTABLISHED",
    server="ESTABLISHED",
    predict="data",
    settings=("tcp_mtu_probing", "TCP_MAXSEG", "tcp_retries2"),
)
@pytest.mark.cause("router.mtu")
def test_small_works_and_large_stalls(lab: Lab, client: Host, router: Host, server: Host) -> None:
    """Handshake and small messages get through a path with a smaller MTU; full segments do not."""
    lab.step("The router's cables carry less than a full frame. No ICMP says so.")
    router.mtu(TUNNEL)
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step("A small message arrives.")
    connection.client.send(b"small")
    connection.server.receives(b"small")
    connection.client.reaches(ESTABLISHED, send_queue=0)

    lab.step("A large one does not: full segments are sent, and sent again, and nothing arrives.")
    connection.client.send(MUCH)
    full = most_data(announced_mss(1500, lab.family))
    again = connection.client.retransmits(2)
    assert again[-1].length == full
    stalled = connection.client.reaches(ESTABLISHED, owner=client, send_queue=MUCH)
    connection.server.stays(ESTABLISHED, receive_queue=0, seconds=0.2)
    lab.figure([*again[:2], stalled])


@pytest.mark.phenomenon(
    44,
    symptom="slow",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="until tcp_retries1 is used up",
    settings=("tcp_mtu_probing", "tcp_base_mss", "tcp_retries1"),
)
@pytest.mark.cause("client.sysctl", occurrence=1)
def test_smaller_segments_get_through(lab: Lab, client: Host, router: Host, server: Host) -> None:
    """With tcp_mtu_probing a sender whose large segments are lost tries smaller ones, and goes on.

    tcp_mtu_probing() in net/ipv4/tcp_timer.c, when tcp_retries1 is used up.
    """
    lab.step("The client's kernel suspects the path's MTU when something is not acknowledged.")
    client.sysctl("net.ipv4.tcp_mtu_probing", 1)
    client.sysctl("net.ipv4.tcp_retries1", 0)

    lab.step("The router's cables carry less than a full frame. No ICMP says so.")
    router.mtu(TUNNEL)
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step("A large message stalls first; then its segments become smaller, and all of it comes.")
    connection.client.send(MUCH)
    connection.server.receives(bytes(MUCH))
    connection.client.reaches(ESTABLISHED, send_queue=0)
    first = max(lab.timeline.wire, key=lambda segment: segment.length)
    largest = max(lab.timeline.arrived["server"], key=lambda segment: segment.length)
    assert largest.length <= most_data(announced_mss(TUNNEL, lab.family)) < first.length
    lab.figure([first, largest])
