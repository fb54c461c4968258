"""The close of nc and telnet, the server interrupted first: four segments, or three.

The article's capture has four. It holds under a condition: the client must take longer to close
than its kernel waits with the acknowledgement of the FIN. A client that reads the end of the data
and closes at once acknowledges with its own FIN, and the second and third segment are one.
"""

import signal

import pytest

from harness import CLOSE_WAIT, CLOSED, FIN_WAIT2, TIME_WAIT
from harness.lab import Host, Lab

pytestmark = pytest.mark.programs("nc", "telnet", "ss")


@pytest.mark.claims("T24")
@pytest.mark.cause("client.send_signal", occurrence=1)
def test_four_segments_when_the_client_takes_its_time(
    lab: Lab, client: Host, server: Host, nc: str
) -> None:
    lab.step("telnet is connected to nc.")
    waiting = server.start(f"{nc} -l 16868")
    listener = waiting.listens(16868)
    telnet = client.start("telnet server 16868")
    connection = telnet.connects(listener)
    telnet.prints("Connected to server")

    lab.step("telnet is stopped (SIGSTOP): it will not see the end of the data yet.")
    telnet.send_signal(signal.SIGSTOP)
    connection.server.reaches("ESTABLISHED", owner=waiting)

    lab.step("Ctrl-C ends nc. Its kernel sends the FIN, the client's kernel acknowledges it.")
    waiting.interrupt()
    waiting.ends(-signal.SIGINT)
    connection.server.reaches(FIN_WAIT2, owner=None)
    connection.client.reaches(CLOSE_WAIT, owner=telnet)
    connection.client.stays(CLOSE_WAIT, owner=telnet, seconds=0.3)
    client.agrees_with_ss()

    lab.step("telnet goes on, reads the end, and closes too.")
    telnet.send_signal(signal.SIGCONT)
    *_, first, second, third, fourth = lab.sees("""
        client > server.16868: Flags [S], seq A
        server.16868 > client: Flags [S.], seq B, ack A+1
        client > server.16868: Flags [.], ack B+1
        ...
        server.16868 > client: Flags [F.], seq K, ack J, length 0
        client > server.16868: Flags [.], ack K+1, length 0
        client > server.16868: Flags [F.], seq J, ack K+1, length 0
        server.16868 > client: Flags [.], ack J+1, length 0
    """)
    lab.figure([first, second, third, fourth])
    telnet.prints("Connection closed by foreign host")
    connection.server.reaches(TIME_WAIT, owner=None)
    connection.client.reaches(CLOSED)
    server.agrees_with_ss()


@pytest.mark.cause("server.interrupt")
def test_the_numbers_whether_four_segments_or_three(
    lab: Lab, client: Host, server: Host, nc: str
) -> None:
    """The client's FIN is acknowledged, and acknowledges the server's, merged or not.

    Whether TIME_WAIT follows is not said here. An acknowledgement that a timer sends on one
    processor can be overtaken by the FIN that the program sends on another; the server answers the
    stale one from TIME_WAIT, the client resets, and TIME_WAIT is over (RFC 1337).
    """
    lab.step("telnet is connected to nc.")
    waiting = server.start(f"{nc} -l 16868")
    listener = waiting.listens(16868)
    telnet = client.start("telnet server 16868")
    connection = telnet.connects(listener)
    telnet.prints("Connected to server")
    connection.server.reaches("ESTABLISHED", owner=waiting)

    lab.step("Ctrl-C ends nc; telnet closes as soon as it sees the end of the data.")
    waiting.interrupt()
    waiting.ends(-signal.SIGINT)
    telnet.prints("Connection closed by foreign host")
    lab.sees("""
        server.16868 > client: Flags [F.], seq K, ack J, length 0
        ...
        client > server.16868: Flags [F.], seq J, ack K+1, length 0
        server.16868 > client: Flags [.], ack J+1, length 0
    """)
    connection.client.reaches(CLOSED)


@pytest.mark.claims("T24", holds=False)
@pytest.mark.cause("server.close_input")
def test_three_segments_when_telnet_closes_at_once(
    lab: Lab, client: Host, server: Host, nc: str
) -> None:
    """Nobody holds telnet up: in some of twenty closes its FIN is the first to acknowledge."""
    lab.step(
        "nc serves one connection after the other, and closes each at once: its input is over."
    )
    waiting = server.start(f"{nc} -N -k -l 16868")
    waiting.close_input()
    waiting.listens(16868)

    lab.step("telnet connects, reads the end, and closes; twenty times.")
    twenty = "for each in $(seq 20); do telnet server 16868; done"
    client.start(["sh", "-c", twenty]).ends()
    lab.figure(
        lab.sees("""
            server.16868 > client: Flags [F.], seq K, ack J, length 0
            client > server.16868: Flags [F.], seq J, ack K+1, length 0
            server.16868 > client: Flags [.], ack J+1, length 0
        """)
    )
