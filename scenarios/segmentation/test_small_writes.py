"""Small writes: TCP puts them together while something is on its way, unless it is told not to."""

import sys
from pathlib import Path

import pytest

from sockstates import ESTABLISHED, Host, Lab

pytestmark = [pytest.mark.claims("T9"), pytest.mark.cause("client.type")]
SMALL_WRITES = str(Path(__file__).with_name("small_writes.py"))
PUT_TOGETHER, ONE_BY_ONE = "0", "1"
"""What the program sets TCP_NODELAY to."""


@pytest.mark.phenomenon(
    43,
    symptom="slow",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="until an acknowledgement gets through",
    settings=("TCP_NODELAY", "TCP_CORK"),
)
def test_three_writes_make_two_segments(lab: Lab, client: Host, server: Host) -> None:
    """While something is unacknowledged, small writes wait and are put together: Nagle's algorithm.

    RFC 896; RFC 9293, section 3.7.4.
    """
    lab.step("A program connects. What the server acknowledges from now on does not arrive.")
    listener = server.listen(port=80)
    program = client.start([sys.executable, SMALL_WRITES, "server", PUT_TOGETHER])
    connection = program.connects(listener)
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    client.iptables("-A INPUT -s server -j DROP")

    lab.step("It writes three letters. The first goes at once; the others wait, and go together.")
    program.type("\n")
    segments = lab.sees("""
        client > server: Flags [P.], seq J:J+1, length 1
        ...
        client > server: Flags [P.], seq J+1:J+3, length 2
    """)
    connection.server.receives(b"abc")
    lab.figure([segments[0], segments[-1]])


@pytest.mark.phenomenon(
    43,
    symptom="as it should be",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="at once",
    settings=("TCP_NODELAY", "tcp_autocorking"),
)
def test_three_writes_make_three_segments_without_delay(
    lab: Lab, client: Host, server: Host
) -> None:
    """With TCP_NODELAY each small write goes at once, in a segment of its own.

    It is not all: autocorking puts writes together while the interface is still busy.

    Linux: tcp_should_autocork() in net/ipv4/tcp.c.
    """
    lab.step("A program connects, and sets TCP_NODELAY, tcp(7). No acknowledgement arrives.")
    client.sysctl("ipv4.tcp_autocorking", 0)
    listener = server.listen(port=80)
    program = client.start([sys.executable, SMALL_WRITES, "server", ONE_BY_ONE])
    connection = program.connects(listener)
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    client.iptables("-A INPUT -s server -j DROP")

    lab.step("It writes three letters, and each goes at once in a segment of its own.")
    program.type("\n")
    segments = lab.sees("""
        client > server: Flags [P.], seq J:J+1, length 1
        ...
        client > server: Flags [P.], seq J+1:J+2, length 1
        ...
        client > server: Flags [P.], seq J+2:J+3, length 1
    """)
    lab.figure([segments[0], segments[-1]])
    connection.server.receives(b"abc")
