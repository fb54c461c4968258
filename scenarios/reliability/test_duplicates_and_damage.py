"""Segments that arrive twice, or damaged: the program reads each byte once, and right."""

import pytest

from sockstates import ESTABLISHED, Host, Lab, Wire

pytestmark = pytest.mark.claims("T13")


@pytest.mark.cause("wire.duplicate")
def test_a_second_copy_is_dropped(lab: Lab, client: Host, server: Host, wire: Wire) -> None:
    connection = client.connect(server.listen(port=80)).established()
    twice = server.counter("TcpExtTCPDSACKOldSent")

    lab.step("The wire doubles what the client sends.")
    wire.duplicate("client > server: Flags [P.]", number=1)
    connection.client.send(b"hello")

    lab.step("Both copies are acknowledged; the second answer says which bytes came twice.")
    _, *_, doubled = lab.sees("""
        client > server: Flags [S], seq J
        ...
        client > server: Flags [P.], seq J+1:J+6
        ...
        server > client: Flags [.], ack J+6
        server > client: Flags [.], ack J+6, options [sack 1 {J+1:J+6}]
    """)
    twice.grows()

    lab.step("The program reads them once.")
    connection.server.receives(b"hello")
    connection.server.reaches(ESTABLISHED, receive_queue=0)
    assert connection.server.receive().pending
    lab.figure([doubled, str(twice)])


@pytest.mark.cause("wire.corrupt")
@pytest.mark.parametrize("where", ["payload", "header"])
def test_what_is_damaged_is_dropped_and_sent_again(
    lab: Lab, client: Host, server: Host, wire: Wire, where: str
) -> None:
    connection = client.connect(server.listen(port=80)).established()
    damaged = server.counter("TcpInCsumErrors")

    lab.step("The wire turns one bit of what the client sends: the checksum does not fit any more.")
    wire.corrupt("client > server: Flags [P.]", where=where, number=1)
    connection.client.send(b"hello")

    lab.step("The server drops and counts it, and acknowledges nothing: it is sent again.")
    damaged.grows(by=1)
    (again,) = connection.client.retransmits(1)
    lab.sees("""
        client > server: Flags [S], seq J
        ...
        client > server: Flags [P.], seq J+1:J+6
        client > server: Flags [P.], seq J+1:J+6
        server > client: Flags [.], ack J+6
    """)
    connection.server.receives(b"hello")
    lab.figure([str(damaged), again])
