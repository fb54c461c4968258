"""TCP_USER_TIMEOUT: how long a connection may go unanswered holds for its SYN as well."""

import errno
import socket

import pytest

from sockstates import CLOSED, SYN_SENT, Host, Lab
from sockstates.tcp.timers import early

LIMIT = 1.5
"""Seconds: longer than the first wait for an answer, shorter than the first two together."""
IMPATIENT = ((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(LIMIT * 1000)),)
PATIENT = ((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(2 * LIMIT * 1000)),)
"""What the scenario does not hold with: two SYNs do not take so long."""


@pytest.mark.phenomenon(
    4,
    symptom="connect hangs",
    client="SYN_SENT, CLOSED",
    server="LISTEN",
    errno="ETIMEDOUT",
    lasts="TCP_USER_TIMEOUT, and never less than the first wait for an answer",
    settings=("TCP_USER_TIMEOUT", "tcp_syn_retries", "tcp_syn_linear_timeouts"),
)
@pytest.mark.cause("client.connect", without="options", instead=PATIENT)
def test_the_user_timeout_ends_a_connect(lab: Lab, client: Host, server: Host) -> None:
    """A program with TCP_USER_TIMEOUT is told of a black hole long before the SYNs are used up."""
    lab.step("A firewall on the server swallows the SYNs. A client begins to connect.")
    listener = server.listen(port=80)
    server.iptables("-A INPUT -p tcp --dport 80 -j DROP")
    patient = client.connect(listener)
    patient.client.reaches(SYN_SENT, owner=client)

    lab.step("Another one sets TCP_USER_TIMEOUT first. It sends two SYNs; then its time is over.")
    impatient = client.connect(listener, source_port=7001, options=IMPATIENT)
    impatient.client.reaches(SYN_SENT, owner=client)
    impatient.client.connecting.fails(errno.ETIMEDOUT)
    impatient.client.connecting.lasts(at_least=early(LIMIT))
    impatient.client.reaches(CLOSED)
    *_, second = lab.sees("""
        ...
        client.7001 > server.80: Flags [S], seq J
        ...
        client.7001 > server.80: Flags [S], seq J
    """)
    lab.never_sees("client.7001 > server.80: Flags [S]", since=second)

    lab.step("The first one still waits for its SYNs to be answered.")
    patient.client.stays(SYN_SENT, owner=client, seconds=0.3)
    lab.never_sees("client.7001 > server.80: Flags [R]")
