"""The close in three segments: the passive side's FIN goes out together with its acknowledgement.

The kernel acknowledges a FIN when the delayed ACK timer says so. A close that comes first sends the
FIN, which carries the acknowledgement with it. Where no data has come before, as with the article's
client, that timer runs out with the very next tick of the kernel (a few milliseconds); after data
it takes 40 ms. So the article's three segments are a race: nearly always won by a server that
does nothing but close, lost by one that is held up. The claim holds under that condition.
"""

import signal
import sys
from pathlib import Path

import pytest

from sockstates import LISTEN, Host, Lab

pytestmark = pytest.mark.topology(loopback=True)

SERVER = Path(__file__).parent / "server.py"
CLIENT = Path(__file__).parent / "client.py"
PATIENT_CLIENT = Path(__file__).parent / "patient_client.py"

FIFTY = 50
"""How often the patient client connects."""


@pytest.mark.phenomenon(49, symptom="as it should be", lasts="at once")
@pytest.mark.claims("H8", "H13")
@pytest.mark.cause("server.start", without="server.py", instead="keeping_server.py")
def test_close_in_three_segments(lab: Lab, server: Host) -> None:
    """Both ends close at once: three segments, and FIN_WAIT2 is over before anybody can look."""
    lab.step("The ten-line server listens on port 8080.")
    program = server.start([sys.executable, str(SERVER), lab.family])
    listener = program.listens(8080)
    listener.reaches(LISTEN, owner=program, send_queue=3)

    lab.step("The client connects and closes at once: three segments open the connection.")
    server.start([sys.executable, str(CLIENT), lab.family]).ends(0)
    lab.sees("""
        localhost > localhost.8080: Flags [S], seq J
        localhost.8080 > localhost: Flags [S.], seq K, ack J+1
        localhost > localhost.8080: Flags [.], ack K+1
        localhost > localhost.8080: Flags [F.], seq J+1, ack K+1
        ...
        localhost.8080 > localhost: Flags [F.], seq K+1, ack J+2
        localhost > localhost.8080: Flags [.], ack K+2
    """)

    lab.step("Fifty times more: it can be seen that the server's FIN is the first to acknowledge.")
    delayed = server.counter("TcpExtDelayedACKs")
    server.start([sys.executable, str(PATIENT_CLIENT), lab.family]).ends(0)
    delayed.has_not_told_of_lateness(
        "all fifty times the kernel acknowledged the client's FIN before the server could close",
        at_most=FIFTY - 1,
    )
    merged = lab.sees("""
        localhost > localhost.8080: Flags [F.], seq M, ack N
        localhost.8080 > localhost: Flags [F.], seq N, ack M+1
        localhost > localhost.8080: Flags [.], ack N+1
    """)
    lab.figure(merged)


@pytest.mark.claims("H8", holds=False)
@pytest.mark.cause("server.send_signal", occurrence=1)
def test_close_in_four_segments_when_the_server_is_held_up(lab: Lab, server: Host) -> None:
    lab.step("The ten-line server listens on port 8080, and is stopped.")
    program = server.start([sys.executable, str(SERVER), lab.family])
    listener = program.listens(8080)
    program.send_signal(signal.SIGSTOP)

    lab.step("The client connects and closes. The server's kernel answers by itself.")
    server.start([sys.executable, str(CLIENT), lab.family]).ends(0)
    listener.reaches(LISTEN, owner=program, receive_queue=1)
    listener.stays(LISTEN, owner=program, receive_queue=1, seconds=0.3)
    *_, fin, acknowledged = lab.sees_only("""
        localhost > localhost.8080: Flags [S], seq J
        localhost.8080 > localhost: Flags [S.], seq K, ack J+1
        localhost > localhost.8080: Flags [.], ack K+1
        localhost > localhost.8080: Flags [F.], seq J+1, ack K+1
        localhost.8080 > localhost: Flags [.], ack J+2
    """)

    lab.step("The server goes on: its FIN comes by itself, much later.")
    program.send_signal(signal.SIGCONT)
    listener.reaches(LISTEN, owner=program, receive_queue=0)
    closed = lab.sees_only("""
        localhost.8080 > localhost: Flags [F.], seq K+1, ack J+2
        localhost > localhost.8080: Flags [.], ack K+2
    """)
    lab.figure([fin, acknowledged, *closed])
