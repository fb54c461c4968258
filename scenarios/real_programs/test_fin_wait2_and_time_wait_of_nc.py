"""FIN_WAIT2, then TIME_WAIT, with nc: the client's nc does not close when the server's goes.

That holds here as long as its standard input is open, as it is at a terminal. When the input has
ended before, nc has nothing left to do at the end of the data, and closes at once.
"""

import signal

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, TIME_WAIT, Host, Lab

pytestmark = pytest.mark.programs("nc", "netstat")
NO_PROCESS: frozenset[int] = frozenset()


@pytest.mark.claims("T28", "T29", "T32")
@pytest.mark.cause("server.interrupt")
def test_fin_wait2_until_the_client_closes_too(
    lab: Lab, client: Host, server: Host, nc: str
) -> None:
    lab.step("nc is connected to nc.")
    waiting = server.start(f"{nc} -l 16868")
    listener = waiting.listens(16868)
    netcat = client.start(f"{nc} -v server 16868")
    connection = netcat.connects(listener)
    connection.server.reaches(ESTABLISHED, owner=waiting)

    lab.step(
        "Ctrl-C ends the server's nc. The client's kernel acknowledges; the client's nc stays."
    )
    waiting.interrupt()
    lab.sees("""
        server.16868 > client: Flags [F.], seq K, ack J, length 0
        client > server.16868: Flags [.], ack K+1, length 0
    """)
    gone = connection.server.reaches(FIN_WAIT2, owner=None)
    connection.client.reaches(CLOSE_WAIT, owner=netcat)
    left = connection.client.stays(CLOSE_WAIT, owner=netcat, seconds=1)
    lab.figure([gone, left])

    lab.step("netstat -antp on both: FIN_WAIT2 without a process, CLOSE_WAIT with the client's nc.")
    (half_closed,) = server.agrees_with_netstat().on(16868)
    assert (half_closed.state, half_closed.owners) == (FIN_WAIT2, NO_PROCESS)
    (waits,) = client.agrees_with_netstat().sockets
    assert (waits.state, waits.owners) == (CLOSE_WAIT, frozenset([netcat.pid]))
    assert waits.program.startswith("nc")

    lab.step("Ctrl-C ends the client's nc as well: TIME_WAIT on the side that closed first.")
    netcat.interrupt()
    netcat.ends(-signal.SIGINT)
    lab.sees_only("""
        client > server.16868: Flags [F.], seq J, ack K+1, length 0
        server.16868 > client: Flags [.], ack J+1, length 0
    """)
    lab.figure(connection.server.reaches(TIME_WAIT, owner=None))
    connection.client.reaches(CLOSED)
    (row,) = server.agrees_with_netstat().on(16868)
    assert (row.state, row.owners) == (TIME_WAIT, NO_PROCESS)


@pytest.mark.claims("T28", holds=False)
@pytest.mark.cause("client.close_input")
def test_an_nc_whose_input_has_ended_closes_by_itself(
    lab: Lab, client: Host, server: Host, nc: str
) -> None:
    """With its standard input at an end, nc closes as soon as the server does."""
    lab.step("nc is connected to nc, and the client's has read the end of its standard input.")
    waiting = server.start(f"{nc} -l 16868")
    listener = waiting.listens(16868)
    netcat = client.start(f"{nc} -v server 16868")
    netcat.close_input()
    connection = netcat.connects(listener)
    connection.server.reaches(ESTABLISHED, owner=waiting)
    connection.client.stays(ESTABLISHED, owner=netcat, seconds=0.5)

    lab.step("Ctrl-C ends the server's nc; the client's ends without being told.")
    waiting.interrupt()
    netcat.ends(0)
    closing = lab.sees("""
        server.16868 > client: Flags [F.], seq K, ack J, length 0
        ...
        client > server.16868: Flags [F.], seq J, ack K+1, length 0
        server.16868 > client: Flags [.], ack J+1, length 0
    """)
    lab.figure(closing)
    connection.client.reaches(CLOSED)
