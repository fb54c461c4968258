"""A firewall that rejects: it answers a SYN with RST or with an ICMP error, and each has its errno.

The wire holds each SYN until the program waits in connect(2), as a network does that takes some
time. Between containers of one machine it takes none: an ICMP error that is there before connect(2)
has let go of the socket is only noted (tcp_v4_err() in net/ipv4/tcp_ipv4.c), and it is the next
SYN's, a second later, that counts. Which of the two it is there depends on the processors.
"""

import errno
from typing import Any, NamedTuple

import pytest

from harness import CLOSED, SYN_SENT
from harness.lab import Host, Lab, Wire


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


def entry(answer: str, error: int) -> Any:
    """A rejection, with the catalogue's entry of it."""
    marker = pytest.mark.phenomenon(
        8,
        symptom="refused",
        client="SYN_SENT, CLOSED",
        server="LISTEN",
        errno=errno.errorcode[error],
        lasts="a round trip",
        settings=("REJECT --reject-with",),
    )
    return pytest.param(Rejection(answer, error), marks=marker, id=answer)


@pytest.mark.families("ipv4")
@pytest.mark.cause("server.iptables")
@pytest.mark.parametrize(
    "rejection",
    [
        entry("icmp-port-unreachable", errno.ECONNREFUSED),
        entry("icmp-host-unreachable", errno.EHOSTUNREACH),
        entry("icmp-net-unreachable", errno.ENETUNREACH),
        entry("icmp-admin-prohibited", errno.EHOSTUNREACH),
    ],
)
def test_rejected_with_an_icmp_error(
    lab: Lab, client: Host, server: Host, wire: Wire, rejection: Rejection
) -> None:
    """A firewall that rejects with ICMP ends connect with the first error, and says why."""
    is_rejected(lab, client, server, wire, rejection)


@pytest.mark.families("ipv6")
@pytest.mark.cause("server.iptables")
@pytest.mark.parametrize(
    "rejection",
    [
        entry("icmp6-port-unreachable", errno.ECONNREFUSED),
        entry("icmp6-addr-unreachable", errno.EHOSTUNREACH),
        entry("icmp6-no-route", errno.ENETUNREACH),
        entry("icmp6-adm-prohibited", errno.EACCES),
    ],
)
def test_rejected_with_an_icmpv6_error(
    lab: Lab, client: Host, server: Host, wire: Wire, rejection: Rejection
) -> None:
    """The same over IPv6, where "prohibited" has an errno of its own."""
    is_rejected(lab, client, server, wire, rejection)


def is_rejected(lab: Lab, client: Host, server: Host, wire: Wire, rejection: Rejection) -> None:
    """The story of both families."""
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
