"""SYN_RECV with nc: what the server answers never reaches the client's TCP."""

import pytest

from sockstates import LISTEN, SYN_RECV, SYN_SENT, Host, Lab

pytestmark = [
    pytest.mark.claims("T21", "T32"),
    pytest.mark.cause("client.iptables"),
    pytest.mark.programs("nc", "netstat"),
]


def test_syn_recv_stands_beside_the_listener(lab: Lab, client: Host, server: Host, nc: str) -> None:
    lab.step("nc listens.")
    waiting = server.start(f"{nc} -l 16868")
    listener = waiting.listens(16868)

    lab.step("The client drops whatever the server sends.")
    rule = client.iptables("-A INPUT -s server -j DROP")

    lab.step("Another nc connects. The server answers, and nothing of it arrives.")
    connection = client.start(f"{nc} -v server 16868").connects(listener)
    connection.client.reaches(SYN_SENT)
    half_open_end = connection.server.reaches(SYN_RECV, owner=None)
    lab.figure([half_open_end, listener.reaches(LISTEN, owner=waiting)])
    lab.sees("""
        client > server.16868: Flags [S], seq J
        server.16868 > client: Flags [S.], seq K, ack J+1
    """)
    assert rule.packets > 0

    lab.step(
        "netstat -antp on the server: the listener with its nc, the half-open one with nobody."
    )
    listening, half_open = server.agrees_with_netstat().on(16868)
    assert (listening.state, half_open.state) == (LISTEN, SYN_RECV)
    assert listening.owners == {waiting.pid}
    assert listening.program.startswith("nc")
    assert (half_open.owners, half_open.program) == (frozenset(), "")
