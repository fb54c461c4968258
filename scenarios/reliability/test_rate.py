"""A slow link spreads a burst: each frame leaves when the one before it has been sent."""

import socket

import pytest

from sockstates import ESTABLISHED, Host, Lab
from sockstates.record.events import NANOSECONDS
from sockstates.tcp.timers import early, late

BITS_A_SECOND = 1_000_000
ETHERNET_HEADER, MTU = 14, 1500
FRAME_TIME = 8 * (ETHERNET_HEADER + MTU) / BITS_A_SECOND


@pytest.mark.kernel("netem")
@pytest.mark.cause("lab.link")
def test_a_rate_spreads_a_burst(lab: Lab, client: Host, server: Host) -> None:
    lab.step("A connection over a link that takes milliseconds for a full frame.")
    lab.link(rate=BITS_A_SECOND)
    connection = client.connect(server.listen(port=80))
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    size = connection.client.get_option(socket.IPPROTO_TCP, socket.TCP_MAXSEG)

    lab.step("Five full segments are written at once. Four frames' time lies between them.")
    connection.client.send(5 * size * b"x")
    connection.server.receives(5 * size * b"x")
    first, *_, last = lab.sees(f"""
        client > server: Flags [_], seq J+1:J+{size + 1}
        ...
        client > server: Flags [_], seq J+{4 * size + 1}:J+{5 * size + 1}
    """)
    assert early(4 * FRAME_TIME) <= (last.time - first.time) / NANOSECONDS <= late(4 * FRAME_TIME)
