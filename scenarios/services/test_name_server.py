"""A name server that does not answer: connect seems to hang, and no SYN was ever sent.

The C library asks again after a timeout, five seconds unless resolv.conf(5) says otherwise, and two
times in all. Here it waits for one second. That is time before TCP: no socket is to be seen, and no
setting of TCP changes it.
"""

import sys
from pathlib import Path

import pytest

from sockstates import ESTABLISHED, LISTEN, Host, Lab, Program

CONNECTS = str(Path(__file__).parent / "connects_to_name.py")
NAME_SERVER = str(Path(__file__).parent / "name_server.py")
RESOLVER = "nameserver {}\noptions timeout:1 attempts:2"
SETTINGS = (
    "resolv.conf: timeout, attempts, more than one nameserver",
    "the environment: RES_OPTIONS",
)
pytestmark = pytest.mark.cause("server.iptables")


@pytest.mark.phenomenon(
    73,
    symptom="connect hangs",
    server="LISTEN",
    lasts="timeout times attempts for each name server: 10 s with one",
    settings=SETTINGS,
)
def test_no_name_no_connection(lab: Lab, client: Host, server: Host) -> None:
    """The name server's answer never comes: the program gives up before TCP has begun."""
    lab.step("A service listens, and a name server. Queries to that are lost.")
    listener = server.listen(port=80)
    server.start([sys.executable, NAME_SERVER, server.address]).prints("ready")
    server.iptables("-A INPUT -p udp --dport 53 -j DROP")
    queries = server.capture("udp dst port 53", direction="in")

    lab.step("A program connects to a name. Its resolver asks twice, and gives up.")
    program = _connect_to_a_name(client, server)
    program.prints("EAI_AGAIN")
    assert len(queries.frames) == 2

    lab.step("TCP had no part in it.")
    lab.never_sees("client > server: Flags [S]")
    listener.reaches(LISTEN, receive_queue=0)


@pytest.mark.phenomenon(
    73,
    symptom="slow",
    client="ESTABLISHED",
    server="LISTEN, ESTABLISHED",
    lasts="the resolver's timeout: 5 s",
    settings=SETTINGS,
)
def test_one_query_is_lost(lab: Lab, client: Host, server: Host) -> None:
    """Connect takes seconds, and the handshake a moment: the time went before the SYN."""
    lab.step("A service listens, and a name server. Every other query to that is lost.")
    listener = server.listen(port=80)
    server.start([sys.executable, NAME_SERVER, server.address]).prints("ready")
    server.iptables(
        "-A INPUT -p udp --dport 53 -m statistic --mode nth --every 2 --packet 0 -j DROP"
    )
    queries = server.capture("udp dst port 53", direction="in")

    lab.step("A program connects to a name. The resolver asks again, and only then there is a SYN.")
    program = _connect_to_a_name(client, server)
    program.prints("connected")
    assert len(queries.frames) == 2
    lost, asked_again = queries.frames
    syn, *_ = lab.sees("client > server.80: Flags [S]")
    assert lost.time < asked_again.time < syn.time

    lab.step("The connection knows nothing of it.")
    program.connects(listener).reaches(client=ESTABLISHED, server=ESTABLISHED)


def _connect_to_a_name(client: Host, server: Host) -> Program:
    """Start the program where the host's resolv.conf names the server; /run is the host's own."""
    client.start(["sh", "-c", 'echo "$1" >/run/resolv.conf', "-", _resolver(server)]).ends(0)
    return client.start([sys.executable, CONNECTS, client.lab.family])


def _resolver(server: Host) -> str:
    return RESOLVER.format(server.address)
