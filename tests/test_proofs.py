"""What is said to be proved of ends' states is true, wherever and however badly it was captured.

SOCKSTATES_TALKS sets how many connections are judged; 4,000 by default.
"""

import os

import pytest

from sockstates.tcp.inference import Inferred, infer_states
from sockstates.tcp.segment import Segment
from sockstates.tcp.states import State
from tests.test_inference import HANDSHAKE, A, capture, line
from tests.two_ends import World, numbers_follow

TALKS = int(os.environ.get("SOCKSTATES_TALKS", "4000"))
PROVABLE = frozenset(State) - {State.LISTEN, State.FIN_WAIT2}


def told(segments: list[Segment]) -> list[str]:
    return [line(each) for each in infer_states(segments)]


def judged(seed: int) -> tuple[list[Inferred], World] | None:
    """A connection captured anywhere; None for one that is outside the assumptions."""
    world = World(seed)
    world.run()
    begun = world.chance.randrange(len(world.captured) + 1) if world.chance.random() < 0.3 else 0
    seen = world.captured[begun:]
    if not numbers_follow(world.captured) or world.hides_simultaneous_open(seen):
        return None
    return infer_states(seen), world


def test_no_proved_state_is_false() -> None:
    false, proved, left_out = [], dict.fromkeys(PROVABLE, 0), 0
    for seed in range(TALKS):
        result = judged(seed)
        if result is None:
            left_out += 1
            continue
        inferred, world = result
        for each in inferred:
            if each.certain:
                proved[each.after] += 1
                if each.after not in world.ends[each.local].visited:
                    false.append((seed, each.local.port, str(each.after), each.why))
    assert false == []
    assert all(proved.values()), proved
    assert left_out < TALKS / 5


def test_a_fin_lost_before_the_capture_leaves_the_close_open() -> None:
    """The peer's ACK tells a number too far: its FIN may have been sent, and lost on its way."""
    lines = told(
        capture(
            *HANDSHAKE, "A F. 101 ack 301", "B . 302 ack 102", "B F. 301 ack 101", "A . 102 ack 302"
        )
    )
    found = [each for each in lines if "CLOSE_WAIT" in each or "LAST_ACK" in each]
    assert not [each for each in found if "?" not in each]
    assert "A ESTABLISHED>FIN_WAIT1 4" in lines


def test_a_fin_that_may_have_been_sent_before_the_capture_is_no_last_ack() -> None:
    lines = told(
        capture(
            "B F. 301 ack 101", "A . 153 ack 302", "A FP. 101 ack 302 len 51", "B . 302 ack 153"
        )
    )
    assert not [each for each in lines if each.endswith(("CLOSE_WAIT 1", "LAST_ACK 3"))]


@pytest.mark.parametrize("sent_before", [True, False])
def test_an_ack_of_the_fin_proves_a_half_close_when_no_number_is_missing(
    *, sent_before: bool
) -> None:
    opened = [*HANDSHAKE, "B P. 301 ack 101 len 5"]
    before = ["A P. 101 ack 306 len 5"] if sent_before else []
    lines = told(capture(*opened, *before, "B F. 306 ack 101", "A . 106 ack 307"))
    close_wait = [each for each in lines if "CLOSE_WAIT" in each]
    assert [("?" in each) for each in close_wait] == [not sent_before]


def test_who_closes_second_is_told_by_what_its_first_ack_of_the_fin_says() -> None:
    lines = told(
        capture(
            *HANDSHAKE, "B F. 301 ack 101", "A . 101 ack 302", "A F. 101 ack 302", "B . 302 ack 102"
        )
    )
    assert "A ESTABLISHED>CLOSE_WAIT 4" in lines
    assert "A CLOSE_WAIT>LAST_ACK 6" in lines
    assert "B ESTABLISHED>FIN_WAIT1 4" in lines
    assert "B FIN_WAIT2>TIME_WAIT 6" in lines


def test_a_state_that_a_proved_one_rules_out_is_not_even_possible() -> None:
    lines = told(
        capture(
            *HANDSHAKE,
            *("A F. 101 ack 301", "B F. 301 ack 101", "A . 102 ack 302", "A F. 101 ack 302"),
        )
    )
    assert not [each for each in lines if each.startswith("A") and "LAST_ACK" in each]
    assert any("CLOSING" in each and "?" not in each for each in lines if each.startswith("A"))


def test_captured_at_the_host_an_end_is_proved_more_of() -> None:
    lines = capture(*HANDSHAKE, "B F. 301 ack 101", "A F. 101 ack 302")
    anywhere = [each for each in infer_states(lines) if each.local == A]
    at_host = [each for each in infer_states(lines, captured_at_host=True) if each.local == A]
    assert not [each for each in anywhere if each.after == "LAST_ACK" and each.certain]
    assert [each for each in at_host if each.after == "LAST_ACK" and each.certain]
