"""A link that loses frames by chance: all data arrives, in order, because it is sent again."""

import socket

import pytest

from sockstates import ESTABLISHED, Host, Lab

SEGMENTS, SHARE_LOST, SEED = 50, 0.1, 2


@pytest.mark.kernel("netem", "netem_seed")
@pytest.mark.cause("lab.link")
def test_what_is_lost_is_repaired(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The cable loses frames, both ways, by chance: of each ten one.")
    link = lab.link(loss=SHARE_LOST, seed=SEED)
    connection = client.connect(server.listen(port=80))
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    size = connection.client.get_option(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    again = client.counter("TcpRetransSegs")

    lab.step("The client sends segment after segment. Some are lost, and it sends them again.")
    data = b"".join(bytes([number]) * size for number in range(SEGMENTS))
    connection.client.send(data)

    lab.step("The program reads every byte, once and in order.")
    connection.server.receives(data)
    again.grows()
    assert link.lost > 0
