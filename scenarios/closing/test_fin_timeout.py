"""tcp_fin_timeout: how long an orphan waits in FIN_WAIT2 for a FIN that does not come."""

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, Host, Lab
from sockstates.tcp.timers import TIME_WAIT_LENGTH


@pytest.mark.phenomenon(
    54,
    symptom="close lingers",
    client="CLOSE_WAIT",
    server="FIN_WAIT2, CLOSED",
    predict="fin-wait2",
    settings=("tcp_fin_timeout", "TCP_LINGER2"),
)
@pytest.mark.parametrize("seconds", [1, 61], ids=["a second", "more than a minute"])
@pytest.mark.cause("server.close")
def test_an_orphan_waits_for_the_peers_fin(
    lab: Lab, client: Host, server: Host, seconds: int
) -> None:
    """FIN_WAIT2 of an orphan ends with tcp_fin_timeout, but with more than a minute much sooner.

    Linux waits in two parts then, each as long as the setting is more than a minute: 61 seconds
    make two.
    """
    lab.step("The server's setting says how long an orphan waits.")
    server.sysctl("net.ipv4.tcp_fin_timeout", seconds)
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)

    lab.step("The server closes. The client's program never does.")
    connection.server.close()
    connection.server.reaches(FIN_WAIT2, owner=None)
    connection.client.reaches(CLOSE_WAIT, owner=client, receive_queue=1)

    lab.step("The server's end is forgotten, in less than a minute. The client's stays as it was.")
    connection.server.reaches(CLOSED)
    lasted = connection.server.spends(FIN_WAIT2, at_most=TIME_WAIT_LENGTH)
    lab.figure(f"FIN_WAIT2 for {lasted}")
    lab.stays_quiet(seconds=0.2)
    connection.client.stays(CLOSE_WAIT, owner=client, seconds=0.2)
