"""A protocol word keeps only that protocol: a ping shows under icmp, if it is one of IPv4."""

from collections.abc import Callable

import pytest

from scenarios.tcpdump_usage.conftest import Tcpdump
from sockstates import ESTABLISHED, Host, Lab

pytestmark = pytest.mark.programs("tcpdump", "ping", "ip")


@pytest.mark.claims("T2")
@pytest.mark.cause("server.start", without="-nn arp", instead="-nn tcp")
@pytest.mark.families("ipv4")
def test_a_word_for_each_protocol(
    lab: Lab, client: Host, server: Host, tcpdump: Callable[..., Tcpdump]
) -> None:
    lab.step("Three tcpdumps on the server: icmp, arp, and tcp.")
    icmp, arp, tcp = (tcpdump(server, f"-i eth0 -nn {word}") for word in ("icmp", "arp", "tcp"))

    lab.step(
        "Hosts of a lab know each other and need no ARP; the client has to ask. Then it pings."
    )
    client.start("ip link set dev eth0 arp on").ends(0)
    server.start("ip link set dev eth0 arp on").ends(0)
    client.start("ping -n -c 1 server").ends(0)

    lab.step("The client connects.")
    connection = client.connect(server.listen(port=80))
    connection.server.reaches(ESTABLISHED)

    lab.step("Each shows its own protocol and nothing else.")
    pings, questions, segments = icmp.shows(), arp.shows(), tcp.shows()
    assert ["ICMP echo request" in line for line in pings] == [True, False]
    assert ["ICMP echo reply" in line for line in pings] == [False, True]
    assert "ARP, Request who-has" in questions[0]
    assert "ARP, Reply" in questions[1]
    assert len(segments) == 3
    assert all("Flags [" in line for line in segments)
    lab.figure(f"icmp: {len(pings)} lines, arp: {len(questions)}, tcp: {len(segments)}")


@pytest.mark.claims("T2", holds=False)
@pytest.mark.cause("server.start", without="-nn icmp", instead="-nn icmp6")
@pytest.mark.families("ipv6")
def test_a_ping_over_ipv6_is_not_icmp(
    lab: Lab, client: Host, server: Host, tcpdump: Callable[..., Tcpdump]
) -> None:
    """Over IPv6 a ping does not show under icmp, nor neighbours under arp: both are icmp6."""
    lab.step("Three tcpdumps on the server: icmp, arp, and icmp6.")
    icmp, arp, icmp6 = (tcpdump(server, f"-i eth0 -nn {word}") for word in ("icmp", "arp", "icmp6"))

    lab.step("The client pings over IPv6.")
    client.start("ping -n -c 1 server").ends(0)

    lab.step("Only icmp6 shows it.")
    pings = icmp6.shows()
    assert ["ICMP6, echo request" in line for line in pings] == [True, False]
    assert icmp.shows() == arp.shows() == []
    lab.figure(f"icmp: 0 lines, icmp6: {len(pings)} lines, the first: {pings[0]}")
