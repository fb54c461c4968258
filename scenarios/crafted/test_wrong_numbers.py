"""Segments with wrong numbers: an acknowledgement says what was expected, nothing else happens."""

import pytest

from sockstates import ESTABLISHED, LISTEN, CraftedPeer, Host, Lab


@pytest.mark.claims("R12")
@pytest.mark.cause("client.sends")
@pytest.mark.parametrize("number", [500, 1_000_000])
def test_data_outside_the_window_is_answered_with_what_is_expected(
    lab: Lab, crafted: CraftedPeer, number: int
) -> None:
    lab.step("Data from before what was received, or from beyond the window.")
    crafted.sends(f"Flags [P.], seq {number}, ack K+1", payload=b"hello")
    answered = lab.sees_only(f"""
        client > server: Flags [P.], seq {number}, ack K+1, length 5
        server > client: Flags [.], seq K+1, ack 1001, length 0
    """)
    lab.figure([*answered, crafted.peer.reaches(ESTABLISHED, receive_queue=0)])


@pytest.mark.phenomenon(
    36,
    symptom="as it should be",
    server="ESTABLISHED",
    lasts="until the challenge is answered",
    settings=("tcp_challenge_ack_limit",),
)
@pytest.mark.claims("R14")
@pytest.mark.cause("client.sends")
def test_a_syn_in_the_middle_is_challenged(lab: Lab, server: Host, crafted: CraftedPeer) -> None:
    """A SYN for an established connection, as of a peer that restarted: a challenge ACK.

    Who sent it in earnest knows no such connection, and answers the challenge with RST.
    """
    challenges = server.counter("TcpExtTCPSYNChallenge")

    lab.step("A SYN for a connection that is established: no new one, but a challenge.")
    crafted.sends("Flags [S], seq 7000")
    challenged = lab.sees_only("""
        client > server: Flags [S], seq 7000
        server > client: Flags [.], seq K+1, ack 1001
    """)
    challenges.grows(by=1)
    lab.figure([*challenged, crafted.peer.reaches(ESTABLISHED)])


@pytest.mark.kernel("unsent_challenged")
@pytest.mark.claims("R16")
@pytest.mark.cause("client.sends")
def test_an_acknowledgement_of_what_was_never_sent(lab: Lab, crafted: CraftedPeer) -> None:
    lab.step("It acknowledges a hundred bytes that the server has not sent.")
    crafted.sends("Flags [P.], seq 1001, ack K+101", payload=b"hello")
    answered = lab.sees_only("""
        client > server: Flags [P.], seq 1001, ack K+101
        server > client: Flags [.], seq K+1, ack 1001
    """)
    lab.figure([*answered, crafted.peer.reaches(ESTABLISHED, receive_queue=0)])


@pytest.mark.claims("T17", "R17")
@pytest.mark.cause("client.sends", without="[.], seq 1001, ack 5000", instead="[S], seq 1001")
def test_a_listener_resets_an_acknowledgement(lab: Lab, client: Host, server: Host) -> None:
    listener = server.listen(port=80)
    crafted = client.crafts(port=40000, to=listener)

    lab.step("An ACK for a socket that only listens: it is of no connection.")
    crafted.sends("Flags [.], seq 1001, ack 5000")
    refused = lab.sees_only("""
        client > server: Flags [.], ack 5000
        server > client: Flags [R], seq 5000
    """)
    lab.figure(refused)
    listener.reaches(LISTEN)
    crafted.peer.reaches("CLOSED")
