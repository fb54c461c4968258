"""A link that takes time: the handshake waits for it, and so does what is sent again."""

import pytest

from sockstates import ESTABLISHED, Host, Lab
from sockstates.record.events import NANOSECONDS
from sockstates.tcp.timers import early, first_rto, late

pytestmark = [pytest.mark.kernel("netem"), pytest.mark.cause("lab.link")]
ONE_WAY = 0.05
ROUND_TRIP = 2 * ONE_WAY


def test_a_handshake_takes_a_round_trip(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Each end of the cable holds every frame back.")
    lab.link(delay=ONE_WAY)

    lab.step("connect(2) returns when the answer to the SYN is there: a round trip later.")
    connection = client.connect(server.listen(port=80))
    connection.client.connecting.lasts(ROUND_TRIP)

    lab.step("The server needs the third segment, too.")
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    syn, _, acknowledged = lab.sees("""
        client > server: Flags [S], seq J
        server > client: Flags [S.], seq K, ack J+1
        client > server: Flags [.], ack K+1
    """)
    assert early(ROUND_TRIP) <= (acknowledged.time - syn.time) / NANOSECONDS <= late(ROUND_TRIP)


def test_a_retransmission_waits_for_the_round_trip_too(
    lab: Lab, client: Host, server: Host
) -> None:
    """RFC 6298: the timer runs for the measured round trip and what it may vary."""
    lab.step("The handshake measures the round trip.")
    lab.link(delay=ONE_WAY)
    connection = client.connect(server.listen(port=80))
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)

    lab.step("Data that does not arrive is sent again: later than on a bare cable, by as much.")
    server.iptables("-A INPUT -s client -j DROP")
    connection.client.send(b"hello")
    (first,) = lab.sees("client > server: Flags [P.], length 5")
    (again,) = connection.client.retransmits(1)[:1]
    waited = (again.time - first.time) / NANOSECONDS
    assert early(first_rto(ROUND_TRIP)) <= waited <= late(first_rto(ROUND_TRIP))
