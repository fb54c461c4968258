"""UDP for contrast: there is no state that could be seen, and nothing is sent again.

A closed port answers with ICMP. The kernel gives that to a program only if its socket is connected
(connect(2) on UDP sends nothing, it only names the peer), as its next call's error; see udp(7).
"""

import sys
from pathlib import Path

import pytest

from sockstates import Host, Lab

DATAGRAMS = str(Path(__file__).parent / "datagrams.py")
ICMP = {"ipv4": "IcmpInDestUnreachs", "ipv6": "Icmp6InDestUnreachs"}


@pytest.mark.phenomenon(
    80,
    symptom="refused",
    errno="ECONNREFUSED",
    lasts="at once",
    settings=("connect(2) on the UDP socket", "IP_RECVERR", "icmp_ratelimit"),
)
@pytest.mark.cause("client.type", occurrence=1)
def test_a_connected_socket_is_told_that_nobody_is_there(
    lab: Lab, client: Host, server: Host
) -> None:
    """A datagram to a closed port succeeds; the call after it fails."""
    lab.step("A program connects a UDP socket, which sends nothing, and sends a datagram.")
    answers = client.capture("icmp or icmp6", direction="in")
    program = client.start([sys.executable, DATAGRAMS, server.address, "connected"])
    program.type("send\n")
    program.prints("1 send 14")

    lab.step("Nobody has that port: the server's kernel says so, and the next call is told.")
    program.type("wait\n")
    program.prints("2 wait ECONNREFUSED")
    assert len(answers.frames) == 1


@pytest.mark.phenomenon(
    80,
    symptom="writes go nowhere",
    errno="EAGAIN",
    lasts="for ever",
    settings=("connect(2) on the UDP socket", "IP_RECVERR", "the program's own timeout"),
)
@pytest.mark.cause("client.type", occurrence=1)
def test_a_socket_that_is_not_connected_is_not_told(lab: Lab, client: Host, server: Host) -> None:
    """The same ICMP comes back, and the program never learns of it."""
    lab.step("A program sends two datagrams to a closed port, each with sendto.")
    refusals = client.counter(ICMP[lab.family])
    program = client.start([sys.executable, DATAGRAMS, server.address, "unconnected"])
    program.type("send\n")
    program.prints("1 send 14")
    refusals.grows(by=1)
    program.type("send\n")
    program.prints("2 send 14")
    refusals.grows(by=2)

    lab.step("Its kernel has been told twice. Who looks for an answer sees none, and no error.")
    program.type("look\n")
    program.prints("3 look EAGAIN")


@pytest.mark.phenomenon(
    80,
    symptom="writes go nowhere",
    errno="EAGAIN",
    lasts="for ever",
    settings=("the program's own timeout, and what it sends again",),
)
@pytest.mark.cause("server.iptables")
def test_a_black_hole_looks_like_a_slow_answer(lab: Lab, client: Host, server: Host) -> None:
    """Datagrams are lost: every send succeeds, nothing comes, and no kernel sends it again."""
    lab.step("What comes to the server over UDP is lost. A connected socket sends two datagrams.")
    lost = server.iptables("-A INPUT -p udp -j DROP")
    sent = server.capture("udp", direction="in")
    program = client.start([sys.executable, DATAGRAMS, server.address, "connected"])
    program.type("send\nsend\nlook\n")

    lab.step("Both sends succeed, and there is no answer: neither a datagram nor an error.")
    program.prints("3 look EAGAIN")
    assert program.output == b"1 send 14\n2 send 14\n3 look EAGAIN\n"
    assert (len(sent.frames), lost.packets) == (2, 2)
