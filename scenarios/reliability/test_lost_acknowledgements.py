"""A path that is dead in one direction only: data arrives, and its acknowledgements do not."""

import pytest

from sockstates import ESTABLISHED, Host, Lab


@pytest.mark.phenomenon(
    29,
    symptom="slow",
    client="ESTABLISHED",
    server="ESTABLISHED",
    lasts="until an acknowledgement gets through",
)
@pytest.mark.cause("client.iptables")
def test_only_the_acknowledgements_are_lost(lab: Lab, client: Host, server: Host) -> None:
    """Data arrives at once, but its sender cannot know, and sends duplicates until it hears so."""
    lab.step("A connection is established. Then nothing reaches the client any more.")
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    lab.sees("client > server: Flags [S], seq J")
    rule = client.iptables("-A INPUT -s server -j DROP")
    twice = server.counter("TcpExtTCPDSACKOldSent")

    lab.step("The client sends. The server has the data at once, and says so to nobody.")
    connection.client.send(b"hello")
    connection.server.reaches(ESTABLISHED, receive_queue=5)
    connection.client.reaches(ESTABLISHED, owner=client, send_queue=5)

    lab.step("The same comes again. The server answers each copy, and names what came twice.")
    *_, doubled = lab.sees("""
        ...
        client > server: Flags [P.], seq J+1:J+6, length 5
        server > client: Flags [.], ack J+6
        client > server: Flags [P.], seq J+1:J+6, length 5
        server > client: Flags [.], ack J+6, options [sack 1 {J+1:J+6}]
    """)
    twice.grows()

    lab.step("The way back is open again. The answer to the next copy ends it.")
    rule.delete()
    connection.client.reaches(ESTABLISHED, send_queue=0)
    connection.server.receives(b"hello")
    connection.server.reaches(ESTABLISHED, receive_queue=0)
    lab.figure([doubled, str(twice)])
