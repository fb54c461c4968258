"""How long a state lasted: exact numbers, the bounds that samples give, and what these decide."""

import pytest

from sockstates import CLOSED, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, LISTEN, SYN_RECV, TIME_WAIT
from sockstates.evidence.durations import Decision, Lasted, Limits, decide, time_in
from sockstates.evidence.passages import stages
from sockstates.evidence.testimony import Sought, explain_duration
from sockstates.tcp.timers import early, late
from tests.recorded import START, at
from tests.recorded_witnesses import KEY, sampled, samples, traced

HOLDS, FAILS, UNDECIDED = Decision.HOLDS, Decision.FAILS, Decision.UNDECIDED


def test_the_tracepoint_gives_a_number() -> None:
    seen = stages(traced((0, ESTABLISHED), (1.0, FIN_WAIT1), (1.5, FIN_WAIT2)), KEY)
    lasted = time_in(seen, FIN_WAIT1, at(9))
    assert lasted == Lasted(0.5, 0.5)
    assert str(lasted) == "0.500 s"


def test_samples_give_bounds() -> None:
    timeline = sampled((0, ESTABLISHED), (1.0, FIN_WAIT1), (1.5, FIN_WAIT2), (9.0, CLOSED))
    lasted = time_in(stages(timeline, KEY), FIN_WAIT1, at(9))
    assert lasted is not None
    assert (lasted.least, lasted.most) == pytest.approx((0.499, 0.501))
    assert str(lasted) == "between 0.499 and 0.501 s"


def test_an_orphans_fin_wait2_begins_exactly_and_ends_as_sampled() -> None:
    timeline = traced((0, ESTABLISHED), (1.0, FIN_WAIT1), (2.0, FIN_WAIT2), (2.00001, CLOSED))
    samples(timeline, (1.1, FIN_WAIT1), (2.1, FIN_WAIT2), (3.05, CLOSED))
    lasted = time_in(stages(timeline, KEY), FIN_WAIT2, at(9))
    assert lasted is not None
    assert (lasted.least, lasted.most) == pytest.approx((1.049, 1.05))
    assert decide(lasted, Limits.timer(1)) is HOLDS


def test_what_is_not_over_lasts_at_least_until_the_last_look() -> None:
    seen = stages(sampled((0, ESTABLISHED), (1.0, FIN_WAIT2)), KEY)
    lasted = time_in(seen, FIN_WAIT2, at(4))
    assert lasted == Lasted(3.0, float("inf"), over=False)
    assert decide(lasted, Limits(least=2)) is HOLDS
    assert decide(lasted, Limits(most=2)) is FAILS
    assert decide(lasted, Limits(most=4)) is UNDECIDED
    assert str(lasted) == "3.000 s so far"


def test_a_request_sockets_time_is_open_to_the_tracepoint() -> None:
    seen = stages(traced((1.0, LISTEN), (1.0, SYN_RECV), (1.001, ESTABLISHED)), KEY)
    lasted = time_in(seen, SYN_RECV, at(9))
    assert lasted is not None
    assert decide(lasted, Limits(most=1)) is UNDECIDED


def test_a_state_that_never_was_has_no_time() -> None:
    assert time_in(stages(sampled((0, ESTABLISHED)), KEY), TIME_WAIT, at(9)) is None


@pytest.mark.parametrize(
    ("least", "most", "decision"),
    [
        (1.0, 1.0, HOLDS),
        (early(1), late(1), HOLDS),
        (early(1) - 0.001, 1.0, UNDECIDED),
        (1.0, late(1) + 0.001, UNDECIDED),
        (0.5, early(1) - 0.001, FAILS),
        (late(1) + 0.001, 2.0, UNDECIDED),
    ],
)
def test_a_timers_length_is_judged_one_sided(least: float, most: float, decision: Decision) -> None:
    assert decide(Lasted(least, most), Limits.timer(1)) is decision


def test_a_limit_that_is_no_timers_is_one() -> None:
    assert decide(Lasted(1.1, 1.2), Limits(most=1)) is FAILS


def test_an_explanation_says_how_long_it_was_and_should_have_been() -> None:
    timeline = sampled((0, ESTABLISHED), (1.0, FIN_WAIT2), (1.5, CLOSED))
    lasted = time_in(stages(timeline, KEY), FIN_WAIT2, at(9))
    sought = Sought(timeline, KEY, 5.0, START)
    text = explain_duration(sought, FIN_WAIT2, Limits(least=1), lasted, undecided=False)
    assert "was not in FIN_WAIT2 for as long as expected" in text
    assert "expected  FIN_WAIT2 for at least 1 s" in text
    assert "seen      FIN_WAIT2 for between 0.499 and 0.501 s" in text
    assert "because" not in text
    text = explain_duration(sought, TIME_WAIT, Limits(most=1), None, undecided=True)
    assert "perhaps not in TIME_WAIT" in text
    assert "never seen in TIME_WAIT" in text
    assert "because" in text
