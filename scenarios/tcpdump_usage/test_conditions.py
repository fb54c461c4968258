"""port, dst port, src host, and what `and` makes of them."""

from collections.abc import Callable

import pytest

from scenarios.tcpdump_usage.conftest import Tcpdump
from sockstates import Host, Lab


@pytest.mark.claims("T3", "T4", "T5")
@pytest.mark.programs("tcpdump", "nginx", "curl", "ping")
@pytest.mark.cause("server.start", without="dst port 80", instead="port 80")
def test_ports_and_hosts(
    lab: Lab,
    client: Host,
    server: Host,
    nginx: Callable[[str], str],
    tcpdump: Callable[..., Tcpdump],
) -> None:
    lab.step("nginx serves on port 80; four tcpdumps on the server watch.")
    web = server.start(nginx("keepalive_timeout 60s;"))
    web.listens(80)
    both, there, sent, combined = (
        tcpdump(server, f"-i eth0 -nn {words}")
        for words in ("port 80", "dst port 80", "src host client", "src host client and port 80")
    )

    lab.step("The client pings the server, and gets a page with curl, which closes.")
    client.start("ping -n -c 1 server").ends(0)
    client.start("curl --silent --show-error http://server/").ends(0)
    lab.sees("""
        ...
        client > server.80: Flags [F.], seq J
        ...
        server.80 > client: Flags [F.], seq K, ack J+1
        client > server.80: Flags [.], ack K+1
    """)

    lab.step("port 80 shows both directions, dst port 80 only what goes to the server.")
    of_port, of_destination = both.shows(), there.shows()
    to, back = f" > {server.address}.80: ", f" {server.address}.80 > "
    assert sum(to in line for line in of_port) == len(of_destination)
    assert sum(back in line for line in of_port) == len(of_port) - len(of_destination) > 0
    assert all(to in line for line in of_destination)

    lab.step("src host shows only what the client sent; with the port, its ping is gone as well.")
    of_host, of_both = sent.shows(), combined.shows()
    assert all(f" {client.address}" in line.partition(" > ")[0] for line in of_host)
    assert len(of_host) == len(of_destination) + 1
    assert sum(": ICMP" in line for line in of_host) == 1
    assert of_both != of_host
    assert len(of_both) == len(of_destination)
    lab.figure(
        f"port 80: {len(of_port)} lines; dst port 80: {len(of_destination)}; "
        f"src host client: {len(of_host)}; src host client and port 80: {len(of_both)}"
    )


@pytest.mark.claims("T5")
@pytest.mark.programs("tcpdump", "ping")
@pytest.mark.families("ipv4")
@pytest.mark.topology(hosts=("client", "server", "other"))
@pytest.mark.cause("server.start", without="and src client")
def test_who_pings_the_server(
    lab: Lab, client: Host, server: Host, tcpdump: Callable[..., Tcpdump]
) -> None:
    lab.step("Two tcpdumps on the server: whoever pings it, and whether one host does.")
    everybody = tcpdump(server, "-i eth0 -nn icmp and dst host server")
    one = tcpdump(server, "-i eth0 -nn icmp and dst server and src client")

    lab.step("Two hosts ping the server.")
    other = lab["other"]
    client.start("ping -n -c 1 server").ends(0)
    other.start("ping -n -c 1 server").ends(0)

    lab.step("The first shows both, the second one of them; the answers are in neither.")
    of_all, of_one = everybody.shows(), one.shows()
    senders = [line.partition(" > ")[0].rpartition(" ")[2] for line in of_all]
    assert senders == [client.address, other.address]
    assert all("echo request" in line for line in (*of_all, *of_one))
    assert len(of_one) == 1
    assert f" {client.address} > " in of_one[0]
    lab.figure(f"icmp and dst host server: {len(of_all)} senders; with src client: {len(of_one)}")
