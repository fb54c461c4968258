"""RST in TIME_WAIT: it ends the waiting, unless tcp_rfc1337 forbids that."""

import pytest

from sockstates import (
    CLOSED,
    ESTABLISHED,
    FIN_WAIT2,
    TIME_WAIT,
    WRITE,
    CraftedPeer,
    Endpoint,
    Host,
    Lab,
)


def in_time_wait(lab: Lab, client: Host, server: Host) -> tuple[Endpoint, CraftedPeer]:
    """The server's end, in TIME_WAIT; and one to write segments with, where the client's was."""
    listener = server.listen(port=80)
    connection = client.connect(listener, source_port=7001)
    connection.client.reaches(ESTABLISHED)
    connection.server.shutdown(WRITE)
    connection.server.reaches(FIN_WAIT2, owner=server)
    connection.client.close()
    connection.client.reaches(CLOSED)
    connection.server.reaches(TIME_WAIT, owner=None)
    lab.sees("""
        ...
        server > client: Flags [F.], seq K, ack J
        ...
        client > server: Flags [F.], seq J, ack K+1
        server > client: Flags [.], ack J+1
    """)
    return connection.server, client.crafts(port=7001, to=listener)


@pytest.mark.phenomenon(
    63,
    symptom="as it should be",
    client="CLOSED",
    server="TIME_WAIT, CLOSED",
    lasts="at once",
    settings=("tcp_rfc1337",),
)
@pytest.mark.cause("client.sends")
def test_a_reset_ends_time_wait(lab: Lab, client: Host, server: Host) -> None:
    """An RST with the right number ends TIME_WAIT at once: that is its assassination."""
    lab.step("The server closes first, then the client: the server's side is TIME_WAIT.")
    waiting, late = in_time_wait(lab, client, server)

    lab.step("An RST of the old connection arrives, late. TIME_WAIT is over before its time.")
    late.sends("Flags [R], seq J+1")
    waiting.reaches(CLOSED, seconds=lab.deadlines.patience)
    lab.figure(lab.sees("client > server: Flags [R], seq J+1"))


@pytest.mark.phenomenon(
    63,
    symptom="as it should be",
    client="CLOSED",
    server="TIME_WAIT",
    predict="time-wait",
    settings=("tcp_rfc1337",),
)
@pytest.mark.cause("server.sysctl")
def test_tcp_rfc1337_protects_time_wait(lab: Lab, client: Host, server: Host) -> None:
    """With tcp_rfc1337 the same RST changes nothing, and TIME_WAIT lasts its minute."""
    lab.step("The same, on a server with tcp_rfc1337.")
    server.sysctl("net.ipv4.tcp_rfc1337", 1)
    waiting, late = in_time_wait(lab, client, server)

    lab.step("An RST of the old connection arrives, late. TIME_WAIT goes on, and says nothing.")
    late.sends("Flags [R], seq J+1")
    lab.sees("client > server: Flags [R], seq J+1")
    lab.figure(waiting.stays(TIME_WAIT, owner=None, seconds=0.3))
    lab.stays_quiet(seconds=0.2)


@pytest.mark.phenomenon(
    63,
    symptom="as it should be",
    client="CLOSED",
    server="TIME_WAIT",
    predict="time-wait",
)
@pytest.mark.cause("client.sends")
def test_a_reset_with_another_number_is_nothing(lab: Lab, client: Host, server: Host) -> None:
    """An RST whose number is not exactly the next one does not end TIME_WAIT."""
    lab.step("The server closes first, then the client: the server's side is TIME_WAIT.")
    waiting, late = in_time_wait(lab, client, server)

    lab.step("An RST arrives whose number is one too high: it is thrown away.")
    late.sends("Flags [R], seq J+2")
    lab.sees("client > server: Flags [R], seq J+2")
    waiting.stays(TIME_WAIT, owner=None, seconds=0.3)
    lab.stays_quiet(seconds=0.2)
