"""A name with two addresses, of which the IPv6 one is a black hole: what the client makes of it.

For a client that tries one address after the other the first costs the whole schedule of its SYNs.
Happy Eyeballs (RFC 8305) begins the second attempt soon, a quarter of a second later, and takes
what comes first.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sockstates import ESTABLISHED, SYN_SENT, Host, Lab

CONNECTS = str(Path(__file__).parent / "connects.py")
RECOMMENDED_DELAY = "0.25"
"""RFC 8305, section 5: Connection Attempt Delay."""

pytestmark = [
    pytest.mark.families("ipv4"),
    pytest.mark.programs("nginx"),
    pytest.mark.cause("server.iptables"),
]


@pytest.mark.phenomenon(
    76,
    symptom="connect hangs",
    client="SYN_SENT, ESTABLISHED",
    server="LISTEN, ESTABLISHED",
    errno="ETIMEDOUT",
    predict="syn",
    settings=("tcp_syn_retries", "tcp_syn_linear_timeouts", "TCP_USER_TIMEOUT"),
)
@pytest.mark.shortened(client={"net.ipv4.tcp_syn_retries": 1})
def test_one_address_after_the_other(
    lab: Lab, client: Host, server: Host, nginx: Callable[[str], str]
) -> None:
    """IPv6 is black-holed, IPv4 works: in sequence the client pays for every SYN of IPv6 first."""
    lab.step("nginx listens on both. Whatever comes over IPv6 is lost on its way.")
    web = server.start(nginx("keepalive_timeout 60s;"))
    listener = web.listens(80)
    server.iptables("ip6tables -A INPUT -j DROP")

    lab.step("The client tries IPv6 first, with all the patience of its kernel.")
    program = client.start([sys.executable, CONNECTS, "in sequence", *_addresses(server)])
    sixth = program.connects(listener)
    sixth.client.reaches(SYN_SENT, owner=program)
    sixth.client.retransmits_as_predicted()

    lab.step("ETIMEDOUT. Only now it tries IPv4, which answers at once.")
    program.prints("AF_INET6: ETIMEDOUT")
    program.prints("AF_INET connected")
    client.sample()
    fourth = program.connects(listener)
    fourth.reaches(client=ESTABLISHED, server=ESTABLISHED)
    program.close_input()
    program.ends(0)


@pytest.mark.phenomenon(
    76,
    symptom="as it should be",
    client="SYN_SENT, ESTABLISHED",
    server="LISTEN, ESTABLISHED",
    lasts="the delay between two attempts: a quarter of a second",
    settings=("the program: RFC 8305, Connection Attempt Delay", "curl: --happy-eyeballs-timeout"),
)
def test_happy_eyeballs(lab: Lab, client: Host, server: Host, nginx: Callable[[str], str]) -> None:
    """IPv6 is black-holed, IPv4 works: happy eyeballs do not wait for the first to fail."""
    lab.step("nginx listens on both. Whatever comes over IPv6 is lost on its way.")
    web = server.start(nginx("keepalive_timeout 60s;"))
    listener = web.listens(80)
    server.iptables("ip6tables -A INPUT -j DROP")

    lab.step("The client tries IPv6 first, IPv4 a moment later, and keeps what answers.")
    program = client.start([sys.executable, CONNECTS, RECOMMENDED_DELAY, *_addresses(server)])
    program.prints("AF_INET connected")
    client.sample()
    fourth = program.connects(listener)
    fourth.reaches(client=ESTABLISHED, server=ESTABLISHED)

    lab.step("The other attempt is given up by the program: its socket is gone, without a segment.")
    lab.sees("""
        client > server.80: Flags [S]
        ...
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [S.], ack J+1
    """)
    lab.never_sees("client > server: Flags [R]")
    program.close_input()
    program.ends(0)


def _addresses(host: Host) -> tuple[str, str]:
    """IPv6 first, as most programs and the rules of RFC 6724 have it."""
    return host.address_of("ipv6"), host.address_of("ipv4")
