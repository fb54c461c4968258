"""The SYN announces the largest segment that its sender takes, and every segment keeps to that."""

import socket

import pytest

from sockstates import ESTABLISHED, Host, Lab
from sockstates.tcp.sizes import announced_mss, most_data

pytestmark = pytest.mark.claims("H12", "T9")
MUCH = 20_000
"""Octets: a dozen segments, and less than a window."""


@pytest.mark.parametrize("mtu", [1400, 1280])
@pytest.mark.cause("client.mtu")
def test_the_mss_comes_from_the_interface_s_mtu(
    lab: Lab, client: Host, server: Host, mtu: int
) -> None:
    lab.step("The client's interface carries less than the server's.")
    client.mtu(mtu)
    announced = announced_mss(mtu, lab.family)

    lab.step("Its SYN says so: the MSS is the MTU without the headers of IP and TCP.")
    connection = client.connect(server.listen(port=80))
    (syn,) = lab.sees(f"client > server: Flags [S], options [mss {announced}]")
    connection.client.reaches(ESTABLISHED)

    lab.step("The server, whose own interface could carry more, cuts its data to that size.")
    connection.server.send(MUCH)
    connection.client.receives(bytes(MUCH))
    lab.settle()
    largest = max(lab.timeline.wire, key=lambda segment: segment.length)
    assert largest.length == most_data(announced)
    lab.figure([syn, largest])


@pytest.mark.families("ipv4")
@pytest.mark.cause("client.mtu")
def test_an_mtu_that_ipv6_could_not_live_with(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The client's interface carries 576 bytes, IPv4's usual datagram of old.")
    client.mtu(576)
    announced = announced_mss(576, lab.family)
    connection = client.connect(server.listen(port=80))
    (syn,) = lab.sees(f"client > server: Flags [S], options [mss {announced}]")
    connection.client.reaches(ESTABLISHED)

    lab.step("The server cuts its data to what the SYN announced.")
    connection.server.send(MUCH)
    connection.client.receives(bytes(MUCH))
    lab.settle()
    largest = max(lab.timeline.wire, key=lambda segment: segment.length)
    assert largest.length == most_data(announced)
    lab.figure([syn, largest])


@pytest.mark.cause("server.mtu")
def test_larger_segments_where_both_ends_can(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Both interfaces carry jumbo frames.")
    client.mtu(9000)
    server.mtu(9000)
    announced = announced_mss(9000, lab.family)
    connection = client.connect(server.listen(port=80))
    syn, syn_ack = lab.sees(f"""
        client > server: Flags [S], options [mss {announced}]
        server > client: Flags [S.], options [mss {announced}]
    """)
    connection.client.reaches(ESTABLISHED)

    lab.step("The segments are as large as was announced, less the timestamps.")
    connection.server.send(MUCH)
    connection.client.receives(bytes(MUCH))
    lab.settle()
    largest = max(lab.timeline.wire, key=lambda segment: segment.length)
    assert largest.length == most_data(announced)
    lab.figure([syn, syn_ack, largest])


@pytest.mark.parametrize("mss", [700, 1000])
@pytest.mark.cause("client.connect", without="options")
def test_a_program_may_announce_less(lab: Lab, client: Host, server: Host, mss: int) -> None:
    lab.step("The client's program wants smaller segments: TCP_MAXSEG, tcp(7).")
    wish = (socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
    connection = client.connect(server.listen(port=80), options=[wish])
    (syn,) = lab.sees(f"client > server: Flags [S], options [mss {mss}]")
    connection.client.reaches(ESTABLISHED)

    lab.step("The server cuts its data to that size.")
    connection.server.send(MUCH)
    connection.client.receives(bytes(MUCH))
    lab.settle()
    largest = max(lab.timeline.wire, key=lambda segment: segment.length)
    assert largest.length == most_data(mss)
    lab.figure([syn, largest])


@pytest.mark.cause("client.connect", without="options")
def test_a_small_window_is_filled_by_halves(lab: Lab, client: Host, server: Host) -> None:
    """Of a window that holds one segment, a sender uses one half and keeps the other in flight.

    Linux: tcp_bound_to_half_wnd() in include/net/tcp.h.
    """
    lab.step(
        "The client announces room for hardly more than one segment: TCP_WINDOW_CLAMP, tcp(7)."
    )
    clamp = (socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 2000)
    connection = client.connect(server.listen(port=80), options=[clamp])
    (syn,) = lab.sees("client > server: Flags [S]")
    connection.client.reaches(ESTABLISHED)

    lab.step("The server begins with half of that window, though the MSS would allow more.")
    connection.server.send(MUCH, wait=False)
    half = syn.window // 2
    *_, first = lab.sees(f"...\nserver > client: Flags [.], seq K:K+{half}, length {half}")
    connection.client.receives(bytes(MUCH))
    assert first.length < most_data(announced_mss(1500, lab.family)) <= syn.window
    lab.figure([syn, first])
