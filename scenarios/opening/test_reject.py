"""A firewall that rejects: it answers a SYN with RST or with an ICMP error, and each has its errno.

The wire holds each SYN until the program waits in connect(2), as a network does that takes some
time. Between containers of one machine it takes none: an ICMP error that is there before connect(2)
has let go of the socket is only noted (tcp_v4_err() in net/ipv4/tcp_ipv4.c), and it is the next
SYN's, a second later, that counts. Which of the two it is there depends on the processors.
"""

import errno
from select import POLLOUT
from typing import Any, NamedTuple

import pytest

from sockstates import CLOSED, ESTABLISHED, SYN_SENT, Host, Lab, Wire


@pytest.mark.phenomenon(
    7, symptom="refused", client="SYN_SENT, CLOSED", errno="ECONNREFUSED", lasts="a round trip"
)
@pytest.mark.cause("server.iptables")
def test_rejected_with_a_reset(lab: Lab, client: Host, server: Host, wire: Wire) -> None:
    """A firewall that rejects with RST looks like a closed port, though somebody listens."""
    lab.step("The server listens, and its firewall answers each SYN with RST.")
    listener = server.listen(port=80)
    server.iptables("-A INPUT -p tcp --dport 80 -j REJECT --reject-with tcp-reset")

    lab.step("The client connects, and waits.")
    on_its_way = wire.hold("client > server: Flags [S]")
    connection = client.connect(listener)
    connection.client.reaches(SYN_SENT, owner=client)

    lab.step("Its SYN arrives. It is refused as if nobody listened.")
    on_its_way.delete()
    connection.client.connecting.fails(errno.ECONNREFUSED)
    connection.client.reaches(CLOSED)
    lab.sees("""
        client > server.80: Flags [S], seq J
        ...
        server.80 > client: Flags [R.], seq 0, ack J+1
    """)


class Rejection(NamedTuple):
    """What a firewall answers with, and what the program gets."""

    answer: str
    error: int


IPV4 = (
    Rejection("icmp-port-unreachable", errno.ECONNREFUSED),
    Rejection("icmp-host-unreachable", errno.EHOSTUNREACH),
    Rejection("icmp-net-unreachable", errno.ENETUNREACH),
    Rejection("icmp-admin-prohibited", errno.EHOSTUNREACH),
)
IPV6 = (
    Rejection("icmp6-port-unreachable", errno.ECONNREFUSED),
    Rejection("icmp6-addr-unreachable", errno.EHOSTUNREACH),
    Rejection("icmp6-no-route", errno.ENETUNREACH),
    Rejection("icmp6-adm-prohibited", errno.EACCES),
)


def entry(rejection: Rejection, before: str = "", **facts: Any) -> Any:
    """A rejection, with the catalogue's entry of it; `before`: errnos that come before its own."""
    said: dict[str, Any] = {
        "symptom": "refused",
        "client": "SYN_SENT, CLOSED",
        "server": "LISTEN",
        "errno": before + errno.errorcode[rejection.error],
        "lasts": "a round trip",
        "settings": ("REJECT --reject-with",),
    }
    marker = pytest.mark.phenomenon(8, **{**said, **facts})
    return pytest.param(rejection, marks=marker, id=rejection.answer)


def soft(rejection: Rejection) -> Any:
    """A rejection of an established connection's segments, with the catalogue's entry of it."""
    return entry(
        rejection,
        symptom="slow",
        client="ESTABLISHED",
        server="ESTABLISHED",
        lasts="until the firewall lets it pass, or as long as predict data says",
        settings=("REJECT --reject-with", "tcp_retries2", "TCP_USER_TIMEOUT", "IP_RECVERR"),
    )


@pytest.mark.families("ipv4")
@pytest.mark.cause("server.iptables")
@pytest.mark.parametrize("rejection", [entry(each) for each in IPV4])
def test_rejected_with_an_icmp_error(
    lab: Lab, client: Host, server: Host, wire: Wire, rejection: Rejection
) -> None:
    """A firewall that rejects with ICMP ends connect with the first error, and says why."""
    is_rejected(lab, client, server, wire, rejection)


@pytest.mark.families("ipv6")
@pytest.mark.cause("server.iptables")
@pytest.mark.parametrize("rejection", [entry(each) for each in IPV6])
def test_rejected_with_an_icmpv6_error(
    lab: Lab, client: Host, server: Host, wire: Wire, rejection: Rejection
) -> None:
    """The same over IPv6, where "prohibited" has an errno of its own."""
    is_rejected(lab, client, server, wire, rejection)


@pytest.mark.families("ipv4")
@pytest.mark.cause("server.iptables")
@pytest.mark.parametrize("rejection", [entry(each, "EINPROGRESS, ") for each in IPV4])
def test_an_icmp_error_wakes_poll(
    lab: Lab, client: Host, server: Host, wire: Wire, rejection: Rejection
) -> None:
    """The same error wakes a program that does not block in connect, and waits in SO_ERROR."""
    wakes_poll(lab, client, server, wire, rejection)


@pytest.mark.families("ipv6")
@pytest.mark.cause("server.iptables")
@pytest.mark.parametrize("rejection", [entry(each, "EINPROGRESS, ") for each in IPV6])
def test_an_icmpv6_error_wakes_poll(
    lab: Lab, client: Host, server: Host, wire: Wire, rejection: Rejection
) -> None:
    """The same over IPv6: an error of ICMPv6 wakes poll, and waits in SO_ERROR."""
    wakes_poll(lab, client, server, wire, rejection)


@pytest.mark.families("ipv4")
@pytest.mark.cause("server.iptables")
@pytest.mark.parametrize("rejection", [soft(each) for each in IPV4])
def test_an_icmp_error_is_soft_once_established(
    lab: Lab, client: Host, server: Host, rejection: Rejection
) -> None:
    """What ends connect only slows an established connection: whoever asks is told, nobody else."""
    is_slowed(lab, client, server, rejection)


@pytest.mark.families("ipv6")
@pytest.mark.cause("server.iptables")
@pytest.mark.parametrize("rejection", [soft(each) for each in IPV6])
def test_an_icmpv6_error_is_soft_once_established(
    lab: Lab, client: Host, server: Host, rejection: Rejection
) -> None:
    """The same over IPv6: to an established connection an error of ICMPv6 is soft."""
    is_slowed(lab, client, server, rejection)


def is_rejected(lab: Lab, client: Host, server: Host, wire: Wire, rejection: Rejection) -> None:
    """The story of both families: a program that waits in connect(2)."""
    lab.step("The server listens, and its firewall answers each SYN with an ICMP error.")
    listener = server.listen(port=80)
    server.iptables(f"-A INPUT -p tcp --dport 80 -j REJECT --reject-with {rejection.answer}")

    lab.step("The client connects, and waits.")
    on_its_way = wire.hold("client > server: Flags [S]")
    connection = client.connect(listener)
    connection.client.reaches(SYN_SENT, owner=client)
    lab.sees("client > server.80: Flags [S], seq J")

    lab.step("Its SYN arrives. One error ends it: no SYN is sent again.")
    on_its_way.delete()
    connection.client.connecting.fails(rejection.error)
    connection.client.reaches(CLOSED)
    lab.never_sees("server.80 > client: Flags [_]")


def wakes_poll(lab: Lab, client: Host, server: Host, wire: Wire, rejection: Rejection) -> None:
    """The story of both families: a program that waits in poll(2).

    What wakes it may be the error alone: tcp_poll() reads the socket's state before its error, and
    the kernel sets the error first (tcp_done_with_error() in net/ipv4/tcp.c).
    """
    lab.step("The server listens, and its firewall answers each SYN with an ICMP error.")
    listener = server.listen(port=80)
    server.iptables(f"-A INPUT -p tcp --dport 80 -j REJECT --reject-with {rejection.answer}")

    lab.step("The client connects without blocking, and waits until its socket is writable.")
    on_its_way = wire.hold("client > server: Flags [S]")
    connection = client.connect(listener, blocking=False)
    connection.client.connecting.fails(errno.EINPROGRESS)
    waiting = connection.client.poll(POLLOUT)
    connection.client.reaches(SYN_SENT, owner=client)

    lab.step("Its SYN arrives. The error wakes the program, and the socket has kept it.")
    on_its_way.delete()
    waiting.ends(0)
    connection.client.reaches(CLOSED)
    connection.client.poll(POLLOUT).returns("POLLOUT|POLLERR|POLLHUP")
    connection.client.error().fails(rejection.error)
    lab.never_sees("server.80 > client: Flags [_]")


def is_slowed(lab: Lab, client: Host, server: Host, rejection: Rejection) -> None:
    """The story of both families: RFC 1122, section 4.2.3.9."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step(
        "A new rule of the firewall answers its segments with an ICMP error. The client sends."
    )
    rule = server.iptables(f"-A INPUT -p tcp --dport 80 -j REJECT --reject-with {rejection.answer}")
    connection.client.send(b"hello")
    connection.client.retransmits(2)

    lab.step("It sends again. Its program is not disturbed; only SO_ERROR tells of the error.")
    waiting = connection.client.reaches(ESTABLISHED, owner=client, send_queue=5)
    connection.client.error().fails(rejection.error)

    lab.step("The rule goes. The next repetition arrives, and nothing is lost.")
    rule.delete()
    connection.server.receives(b"hello")
    connection.client.reaches(ESTABLISHED, owner=client, send_queue=0)
    lab.figure(waiting)
