"""The handshake, as telnet and nginx do it: each side acknowledges the other's number plus one."""

from collections.abc import Callable

import pytest

from sockstates import ESTABLISHED, Host, Lab

pytestmark = [
    pytest.mark.claims("T18"),
    pytest.mark.cause("client.start", without="80", instead="81"),
    pytest.mark.programs("nginx", "telnet", "ss"),
]


def test_three_segments_open_the_connection(
    lab: Lab, client: Host, server: Host, nginx: Callable[[str], str]
) -> None:
    lab.step("nginx listens on port 80.")
    web = server.start(nginx("keepalive_timeout 1s;"))
    listener = web.listens(80)

    lab.step("telnet connects.")
    telnet = client.start("telnet server 80")
    connection = telnet.connects(listener)

    lab.step("Three segments: SYN, SYN with the acknowledgement, acknowledgement.")
    syn, syn_ack, acknowledgement = lab.sees_only("""
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [S.], seq K, ack J+1
        client > server.80: Flags [.], ack K+1, length 0
    """)
    lab.figure(
        f"SYN {syn.sequence} is acknowledged with {syn_ack.acknowledgement}, "
        f"SYN {syn_ack.sequence} with {acknowledgement.acknowledgement}"
    )
    connection.client.reaches(ESTABLISHED, owner=telnet)
    connection.server.reaches(ESTABLISHED, owner=web)
    telnet.prints("Connected to server")

    lab.step("ss shows the same on both hosts.")
    client.agrees_with_ss()
    server.agrees_with_ss()
