"""Answers that no honest kernel gives while a connection opens: resets and wrong numbers."""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, LISTEN, SYN_RECV, SYN_SENT, Host, Lab


@pytest.mark.phenomenon(
    22,
    symptom="one side only",
    server="LISTEN, SYN_RECV, CLOSED",
    lasts="at once",
)
@pytest.mark.cause("client.sends", occurrence=2)
def test_a_reset_for_syn_recv(lab: Lab, client: Host, server: Host) -> None:
    """An RST with the next number ends SYN_RECV; the listener goes on, its program hears nothing.

    What another number of the window does depends on the kernel: one of late 2025 answers with a
    challenge, as RFC 5961 wants it, and one of before takes it for the end.
    """
    lab.step("Somebody sends a SYN. The server answers and waits.")
    listener = server.listen(port=80)
    crafted = client.crafts(port=40000, to=listener)
    crafted.sends("Flags [S], seq 1000")
    crafted.peer.reaches(SYN_RECV, owner=None)
    failed = server.counter("TcpAttemptFails")

    lab.step("An RST with the next number.")
    crafted.sends("Flags [R], seq 1001")
    crafted.peer.reaches(CLOSED, seconds=lab.deadlines.patience)
    failed.grows(by=1)
    lab.sees("""
        client.40000 > server.80: Flags [S], seq 1000
        server.80 > client.40000: Flags [S.], seq K, ack 1001
        ...
        client.40000 > server.80: Flags [R], seq 1001
    """)
    listener.reaches(LISTEN, owner=server, receive_queue=0)


@pytest.mark.phenomenon(
    23,
    symptom="slow",
    client="SYN_SENT, ESTABLISHED",
    lasts="until the SYN is answered with the right number",
)
@pytest.mark.cause("server.sends", occurrence=1)
@pytest.mark.parametrize("wrong", ["J", "J+2"])
def test_an_answer_to_another_syn(lab: Lab, client: Host, server: Host, wrong: str) -> None:
    """A SYN-ACK for a number that was not sent is refused, and the SYN is sent again at once."""
    lab.step("The client connects to an end whose answers are written by hand.")
    crafted = server.crafts(port=80, to=client)
    connection = client.connect(server, port=80)
    lab.sees("client > server.80: Flags [S], seq J")
    connection.client.reaches(SYN_SENT, owner=client)

    lab.step("The answer acknowledges a SYN of another number, as of a connection of before.")
    crafted.sends(f"Flags [S.], seq 5000, ack {wrong}")
    lab.sees(f"""
        ...
        server.80 > client: Flags [S.], seq 5000, ack {wrong}
        client > server.80: Flags [R], seq {wrong}
        client > server.80: Flags [S], seq J
    """)
    connection.client.reaches(SYN_SENT, owner=client)

    lab.step("The right answer completes the handshake all the same.")
    crafted.sends("Flags [S.], seq 6000, ack J+1, options [mss 1460]")
    connection.client.connecting.returns()
    connection.client.reaches(ESTABLISHED)


@pytest.mark.phenomenon(
    24,
    symptom="refused",
    client="SYN_SENT, CLOSED",
    errno="ECONNREFUSED",
    lasts="at once",
)
@pytest.mark.cause("server.sends", occurrence=2)
def test_only_the_right_refusal_counts(lab: Lab, client: Host, server: Host) -> None:
    """An RST refuses a connection only if it acknowledges the very SYN that was sent."""
    lab.step("The client connects to an end whose answers are written by hand.")
    crafted = server.crafts(port=80, to=client)
    connection = client.connect(server, port=80)
    lab.sees("client > server.80: Flags [S], seq J")
    connection.client.reaches(SYN_SENT, owner=client)

    lab.step("An RST that acknowledges nothing is ignored.")
    received = client.counter("TcpInSegs")
    crafted.sends("Flags [R], seq 0")
    received.grows()
    connection.client.stays(SYN_SENT, owner=client, seconds=0.2)

    lab.step("An RST that acknowledges the SYN is a refusal.")
    crafted.sends("Flags [R.], seq 0, ack J+1")
    connection.client.connecting.fails(errno.ECONNREFUSED, seconds=lab.deadlines.patience)
    connection.client.reaches(CLOSED)
