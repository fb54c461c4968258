"""A lone RST: its number decides whether it ends the connection (RFC 5961, section 3.2)."""

import errno

import pytest

from sockstates import CLOSED, ESTABLISHED, CraftedPeer, Host, Lab


@pytest.mark.phenomenon(
    35,
    symptom="reset",
    server="ESTABLISHED, CLOSED",
    errno="ECONNRESET",
    lasts="at once",
)
@pytest.mark.claims("T17", "R13")
@pytest.mark.cause("client.sends")
def test_the_next_number_ends_the_connection(lab: Lab, crafted: CraftedPeer) -> None:
    """An RST with exactly the number that is expected next ends a connection at once."""
    reading = crafted.peer.receive()

    lab.step("An RST with exactly the number that the server expects next.")
    crafted.sends("Flags [R], seq 1001")
    gone = crafted.peer.reaches(CLOSED)
    reading.fails(errno.ECONNRESET)
    reset = lab.sees_only("client > server: Flags [R], seq 1001")
    lab.figure([*reset, gone])


@pytest.mark.phenomenon(
    35,
    symptom="as it should be",
    server="ESTABLISHED, CLOSED",
    lasts="until the challenge is answered",
    settings=("tcp_challenge_ack_limit",),
)
@pytest.mark.claims("R13")
@pytest.mark.claims("T17", holds=False)
@pytest.mark.cause("client.sends", occurrence=1)
def test_a_number_in_the_window_is_challenged(lab: Lab, server: Host, crafted: CraftedPeer) -> None:
    """An RST that only lies in the window ends nothing: a challenge ACK asks for the number."""
    challenges = server.counter("TcpExtTCPChallengeACK")

    lab.step("An RST whose number lies in the window, but is not the next: a guess, perhaps.")
    crafted.sends("Flags [R], seq 1002")
    challenged = lab.sees_only("""
        client > server: Flags [R], seq 1002
        server > client: Flags [.], seq K+1, ack 1001
    """)
    lab.figure([*challenged, crafted.peer.reaches(ESTABLISHED)])
    challenges.grows(by=1)

    lab.step("Who has reset in earnest answers the challenge with the number that it names.")
    crafted.sends("Flags [R], seq 1001")
    crafted.peer.reaches(CLOSED)


@pytest.mark.claims("R15")
@pytest.mark.cause("client.sends", occurrence=1)
@pytest.mark.parametrize("number", [900, 1_000_000])
def test_a_number_outside_the_window_is_ignored(
    lab: Lab, server: Host, crafted: CraftedPeer, number: int
) -> None:
    received = server.counter("TcpInSegs")

    lab.step("An RST whose number lies outside of the window: from long ago, or from nobody.")
    crafted.sends(f"Flags [R], seq {number}")
    received.grows(by=1)
    ignored = lab.sees_only(f"client > server: Flags [R], seq {number}")

    lab.step("The connection goes on.")
    crafted.sends("Flags [P.], seq 1001, ack K+1", payload=b"hello")
    lab.sees("server > client: Flags [.], ack 1006")
    lab.figure([*ignored, crafted.peer.reaches(ESTABLISHED, receive_queue=5)])


@pytest.mark.claims("R17")
@pytest.mark.cause("client.sends")
def test_a_listener_ignores_it(lab: Lab, client: Host, server: Host) -> None:
    crafted = client.crafts(port=40000, to=server.listen(port=80))
    received = server.counter("TcpInSegs")

    lab.step("An RST for a socket that listens: there is nothing to reset, and no answer.")
    crafted.sends("Flags [R], seq 1000")
    received.grows(by=1)
    lab.figure(lab.sees_only("client > server: Flags [R], seq 1000"))
    lab.stays_quiet(seconds=0.2)
