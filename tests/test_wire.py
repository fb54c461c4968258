"""What is expected of the wire: once where it holds, once where it does not."""

import pytest

from sockstates import ESTABLISHED, Connection, Host, Lab
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.report.delivery import lost_segments

pytestmark = pytest.mark.families("ipv4")

HANDSHAKE = """
    client > server: Flags [S], seq J
    server > client: Flags [S.], seq K, ack J+1
    client > server: Flags [.], ack K+1
"""
WITHOUT_ITS_END = """
    client > server: Flags [S], seq J
    server > client: Flags [S.], seq K, ack J+1
"""


@pytest.fixture
def connection(lab: Lab, client: Host, server: Host) -> Connection:
    lab.deadlines.patience = 0.3
    made = client.connect(server.listen(port=5000))
    made.client.reaches(ESTABLISHED, seconds=5)
    made.server.reaches(ESTABLISHED, seconds=5)
    return made


@pytest.mark.usefixtures("connection")
def test_sees(lab: Lab) -> None:
    lab.sees(HANDSHAKE)


@pytest.mark.usefixtures("connection")
def test_sees_not_what_is_not_there(lab: Lab) -> None:
    with pytest.raises(ExpectationFailed, match="the wire did not show what was expected"):
        lab.sees("client > server: Flags [F.], seq J+1")


@pytest.mark.usefixtures("connection")
def test_sees_goes_on_behind_what_it_found(lab: Lab) -> None:
    lab.sees("client > server: Flags [S], seq J")
    with pytest.raises(ExpectationFailed, match="the wire did not show what was expected"):
        lab.sees("client > server: Flags [S], seq J")


def test_sees_with_the_numbers_of_before(lab: Lab, connection: Connection) -> None:
    lab.sees(HANDSHAKE)
    connection.client.send(b"12345")
    with pytest.raises(ExpectationFailed, match="the wire did not show what was expected"):
        lab.sees("client > server: Flags [P.], seq J+2:J+7, ack K+1")
    lab.sees("client > server: Flags [P.], seq J+1:J+6, ack K+1")


@pytest.mark.usefixtures("connection")
def test_sees_only(lab: Lab) -> None:
    lab.sees_only(HANDSHAKE)


@pytest.mark.usefixtures("connection")
def test_sees_only_minds_what_is_more(lab: Lab) -> None:
    with pytest.raises(ExpectationFailed, match="more than was expected"):
        lab.sees_only(WITHOUT_ITS_END)


@pytest.mark.usefixtures("connection")
def test_sees_only_minds_what_is_missing(lab: Lab) -> None:
    with pytest.raises(ExpectationFailed, match="the wire did not show what was expected"):
        lab.sees_only(HANDSHAKE + "    client > server: Flags [.], ack K+1\n")


@pytest.mark.usefixtures("connection")
def test_stays_quiet(lab: Lab) -> None:
    lab.stays_quiet(seconds=0.2)


def test_stays_quiet_minds_a_segment(lab: Lab, connection: Connection, client: Host) -> None:
    client.iptables("-A INPUT -s server -j DROP")
    connection.client.send(b"1")  # nobody acknowledges it, so it is sent again and again
    lab.settle()
    # It fails with the next one, which comes twice as late each time: later the slower we were.
    with pytest.raises(ExpectationFailed, match=r"silence was expected for 60 s(.|\n)*Flags \["):
        lab.stays_quiet(seconds=60)


def test_loopback_is_not_captured_unless_asked_for(client: Host) -> None:
    client.connect(client.listen()).client.reaches(ESTABLISHED)
    client.lab.settle()
    assert not client.lab.timeline.wire


@pytest.mark.topology(loopback=True)
def test_loopback_captured(lab: Lab, client: Host) -> None:
    client.connect(client.listen(port=5000)).server.reaches(ESTABLISHED)
    lab.settle()
    assert [each.flags for each in lab.timeline.wire] == ["S", "S.", "."], "each segment once"
    assert not lost_segments(lab.timeline), "nobody computes a checksum over loopback"
