"""The letters for the flags: S, F, R, P and `.`; URG has its own, U."""

from collections.abc import Callable

import pytest

from scenarios.tcpdump_usage.conftest import Tcpdump
from sockstates import ESTABLISHED, Host, Lab

pytestmark = [pytest.mark.programs("tcpdump")]


def flags(line: str) -> str:
    """The letters between the brackets of a line."""
    return line.partition("Flags [")[2].partition("]")[0]


@pytest.mark.claims("T15")
@pytest.mark.cause("client.send")
def test_the_letters_of_an_ordinary_life(
    lab: Lab, client: Host, server: Host, tcpdump: Callable[..., Tcpdump]
) -> None:
    lab.step("tcpdump watches a connection that opens, carries data and closes one way.")
    watch = tcpdump(server, "-i eth0 -nn port 80")
    connection = client.connect(server.listen(port=80))
    connection.server.reaches(ESTABLISHED)
    connection.client.send(b"data")
    lab.sees("...\nclient > server.80: Flags [P.], length 4\nserver.80 > client: Flags [.]")
    connection.client.shutdown()
    lab.sees("client > server.80: Flags [F.]\n...\nserver.80 > client: Flags [.]")

    lab.step("Then the server aborts it.")
    connection.server.abort()
    lab.sees("server.80 > client: Flags [R.]")
    letters = [flags(line) for line in watch.shows()]
    assert letters == ["S", "S.", ".", "P.", ".", "F.", ".", "R."]
    lab.figure(f"SYN, SYN ACK, ACK, PSH, FIN and RST are printed {', '.join(letters)}")


@pytest.mark.claims("T15", holds=False)
@pytest.mark.cause(
    "client.sends",
    without="[.U], seq 1001, ack K+1, urg 1",
    instead="[.], seq 1001, ack K+1",
)
def test_urg_is_a_letter_of_its_own(
    lab: Lab, client: Host, server: Host, tcpdump: Callable[..., Tcpdump]
) -> None:
    """URG is printed as U, with its pointer behind it; `.` is ACK and nothing else."""
    lab.step("A client whose segments are written by hand opens a connection.")
    watch = tcpdump(server, "-i eth0 -nn src host client and port 80")
    crafted = client.crafts(port=40000, to=server.listen(port=80))
    crafted.sends("Flags [S], seq 1000, win 64240, options [mss 1460]")
    lab.sees("server > client: Flags [S.], seq K, ack 1001")
    crafted.sends("Flags [.], seq 1001, ack K+1")
    crafted.peer.reaches(ESTABLISHED)

    lab.step("It sends an byte with ACK and URG, and a segment with URG alone.")
    crafted.sends("Flags [.U], seq 1001, ack K+1, urg 1", payload=b"!")
    crafted.sends("Flags [U], seq 1002, urg 1", payload=b"!")
    lines = watch.shows()
    assert [flags(line) for line in lines] == ["S", ".", ".U", "U"]
    assert ", urg 1, " in lines[2]
    lab.figure([f"ACK: {lines[1]}", f"ACK and URG: {lines[2]}", f"URG: {lines[3]}"])
