"""Closing, state by state: each of the five is held still until it has been seen."""

import pytest

from sockstates import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    TIME_WAIT,
    Host,
    Lab,
)

pytestmark = [pytest.mark.claims("T23"), pytest.mark.cause("server.close")]


@pytest.mark.phenomenon(
    48,
    symptom="as it should be",
    client="ESTABLISHED, CLOSE_WAIT, LAST_ACK, CLOSED",
    server="ESTABLISHED, FIN_WAIT1, FIN_WAIT2, TIME_WAIT",
    predict="time-wait",
)
def test_the_states_of_both_closers(lab: Lab, client: Host, server: Host) -> None:
    """The end that closes first passes FIN_WAIT1 and FIN_WAIT2, and then waits for a minute."""
    lab.step("A connection is established, and the client hears nothing of what follows.")
    connection = client.connect(server.listen(port=16868)).established()
    client_deaf = client.iptables("-A INPUT -s server -j DROP")

    lab.step("The server closes first: FIN_WAIT1 until that is acknowledged.")
    connection.server.close()
    connection.reaches(client=ESTABLISHED, server=FIN_WAIT1)

    lab.step("The client hears again: FIN_WAIT2 at the server, CLOSE_WAIT at the client.")
    client_deaf.delete()
    connection.reaches(client=CLOSE_WAIT, server=FIN_WAIT2)

    lab.step("The client closes, and the server hears nothing of it: LAST_ACK.")
    server_deaf = server.iptables("-A INPUT -s client -j DROP")
    connection.client.close()
    connection.reaches(client=LAST_ACK, server=FIN_WAIT2)

    lab.step("The server hears again: TIME_WAIT for the one that closed first.")
    server_deaf.delete()
    connection.reaches(client=CLOSED, server=TIME_WAIT)
    active = connection.server.passes_through([ESTABLISHED, FIN_WAIT1, FIN_WAIT2, TIME_WAIT])
    lab.figure(active)
    passive = connection.client.passes_through([ESTABLISHED, CLOSE_WAIT, LAST_ACK, CLOSED])
    lab.figure(passive)
