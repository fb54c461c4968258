"""SYNs that cross: both ends are SYN_RECV at the same time, though neither ever listened."""

import pytest

from sockstates import ESTABLISHED, SYN_RECV, SYN_SENT, Host, Lab, Wire

pytestmark = [pytest.mark.claims("R1"), pytest.mark.cause("wire.hold", occurrence=3)]


def test_both_ends_are_syn_recv_when_the_syns_cross(
    lab: Lab, client: Host, server: Host, wire: Wire
) -> None:
    lab.step("The wire keeps every SYN-ACK, and the client's SYN until the server's has passed.")
    from_client = wire.hold("client > server: Flags [S.]")
    from_server = wire.hold("server > client: Flags [S.]")
    first = wire.hold("client > server: Flags [S]", until="server > client: Flags [S]")

    lab.step("Each connects to the port that the other connects from. The SYNs cross on the wire.")
    left = client.connect(server, port=7002, source_port=7001).client
    left.reaches(SYN_SENT, owner=client)
    first.meets()
    right = server.connect(client, port=7001, source_port=7002).client
    left.reaches(SYN_RECV, owner=client)
    right.reaches(SYN_RECV, owner=server)
    crossed = lab.sees("""
        client.7001 > server.7002: Flags [S], seq J
        ...
        server.7002 > client.7001: Flags [S], seq K
    """)

    lab.step("Each has answered the other's SYN with a SYN-ACK of its own. They stay on the wire.")
    answers = (*from_client.meets(), *from_server.meets())
    lab.figure((crossed[0], crossed[-1], *answers))
    left.stays(SYN_RECV, owner=client, seconds=0.3)
    right.stays(SYN_RECV, owner=server, seconds=0.3)

    lab.step("The SYN-ACKs go on: there is one connection, with two active ends.")
    from_client.release()
    from_server.release()
    left.connecting.returns()
    right.connecting.returns()
    left.reaches(ESTABLISHED, owner=client)
    right.reaches(ESTABLISHED, owner=server)
    left.passes_through([SYN_SENT, SYN_RECV, ESTABLISHED])

    lab.step("It carries data both ways.")
    left.send(b"from the client")
    right.send(b"from the server")
    left.receives(b"from the server")
    right.receives(b"from the client")
