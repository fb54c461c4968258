from dataclasses import replace

from sockstates import Segment
from sockstates.evidence.schedules import (
    Repeated,
    explain_repetitions,
    explain_schedule,
    faults,
    repetitions,
)
from sockstates.tcp.limits import syn_schedule, synack_schedule
from sockstates.tcp.prediction import KINDS, Prediction
from sockstates.tcp.segment import Address
from sockstates.tcp.timers import early, late
from tests.recorded import at

SECOND = 1_000_000_000
SCHEDULE = Prediction(KINDS["syn"], (1.0, 3.0), 7.0, "ETIMEDOUT")
START = 1_700_000_000 * SECOND


def repeated(*repeats: float, given_up: tuple[float, float] | None) -> Repeated:
    moments = [START + round(each * SECOND) for each in repeats]
    span = None
    if given_up is not None:
        span = START + round(given_up[0] * SECOND), START + round(given_up[1] * SECOND)
    return Repeated(START, tuple(moments), span)


def settings(retries: int, linear: int, **more: int) -> dict[str, str]:
    wished = {"tcp_syn_retries": retries, "tcp_syn_linear_timeouts": linear, **more}
    return {f"net.ipv4.{name}": str(value) for name, value in wished.items()}


def test_repetitions_on_time_are_on_schedule() -> None:
    assert not faults(repeated(1.0, 3.0, given_up=(6.99, 7.01)), SCHEDULE)


def test_each_gap_may_be_late_by_what_a_timer_may_be() -> None:
    first = late(1.0)
    second = first + late(2.0)
    third = second + late(4.0)
    assert not faults(repeated(first, second, given_up=(third, third + 1)), SCHEDULE)


def test_a_repetition_is_never_early_by_more_than_the_ticks_may_lag() -> None:
    first = early(1.0)
    assert not faults(repeated(first, first + 2.0, given_up=(6.9, 7.1)), SCHEDULE)
    (fault,) = faults(repeated(0.975, 3.0, given_up=(6.99, 7.01)), SCHEDULE)
    assert fault == "repetition 1 came early, after 0.975000 s instead of 1 s"


def test_a_repetition_that_is_too_late_is_a_fault() -> None:
    (fault,) = faults(repeated(1.0, 3.3, given_up=(7.29, 7.31)), SCHEDULE)
    assert fault == "repetition 2 came late, after 2.300000 s instead of 2 s (at most 2.27 s)"


def test_the_gap_counts_and_not_the_sum_of_what_was_late() -> None:
    assert not faults(repeated(1.1, 3.2, given_up=(7.3, 7.4)), SCHEDULE)
    assert faults(repeated(1.1, 3.0, given_up=(7.0, 7.1)), SCHEDULE)


def test_giving_up_is_judged_by_the_span_in_which_it_happened() -> None:
    assert not faults(repeated(1.0, 3.0, given_up=(6.9, 9.0)), SCHEDULE)
    (early,) = faults(repeated(1.0, 3.0, given_up=(6.0, 6.9)), SCHEDULE)
    assert early == "it was given up early, after 3.900000 s instead of 4 s"
    (late_end,) = faults(repeated(1.0, 3.0, given_up=(7.9, 8.0)), SCHEDULE)
    assert late_end.startswith("it was given up late, after 4.900000 s")


def test_a_timer_that_was_set_right_may_run_out_late() -> None:
    """Where no processor is free, what is due waits; sock_diag has told when it was due."""
    late_twice = repeated(1.0, 3.5, given_up=(8.5, 8.6))
    assert len(faults(late_twice, SCHEDULE)) == 2
    due = (START + SECOND, START + 3 * SECOND, START + round(7.5 * SECOND))
    assert not faults(replace(late_twice, due=due), SCHEDULE)
    assert len(faults(replace(late_twice, due=(due[0], None, due[2])), SCHEDULE)) == 1
    wrong = (due[0], START + round(3.4 * SECOND), due[2])
    assert len(faults(replace(late_twice, due=wrong), SCHEDULE)) == 1
    overdue = (due[0], START + SECOND, due[2])
    assert len(faults(replace(late_twice, due=overdue), SCHEDULE)) == 1


def test_a_late_timer_whose_double_was_on_time_had_been_set_right() -> None:
    doubling = Prediction(KINDS["data"], (0.2, 0.4, 0.8), 1.6, "ETIMEDOUT")
    late_then_right = repeated(0.2, 0.5, 0.9, given_up=(1.69, 1.71))
    assert not faults(late_then_right, doubling)
    (fault,) = faults(repeated(0.2, 0.5, 1.1, given_up=(2.29, 2.31)), doubling)[:1]
    assert fault.startswith("repetition 2 came late, after 0.300000 s instead of 0.2 s")
    (fault,) = faults(repeated(0.3, 0.5, 0.9, given_up=(1.69, 1.71)), doubling)
    assert fault.startswith("repetition 1 came late"), "the next gap is no double of this one"


def test_giving_up_is_expected() -> None:
    assert faults(repeated(1.0, 3.0, given_up=None), SCHEDULE) == ["it was not given up"]


def test_one_too_few_or_too_many_is_a_fault() -> None:
    assert faults(repeated(1.0, given_up=(6.99, 7.01)), SCHEDULE) == [
        "sent again 1 time, expected 2"
    ]
    assert faults(repeated(1.0, 3.0, 7.0, given_up=(15.0, 15.1)), SCHEDULE) == [
        "sent again 3 times, expected 2"
    ]


def test_the_explanation_has_expected_beside_seen() -> None:
    seen = repeated(0.5, 3.0, given_up=(6.99, 7.01))
    text = explain_schedule("client.40000", seen, SCHEDULE)
    assert "client.40000 did not do with its SYN what was predicted" in text
    assert "expected  again at 1.000, 3.000, given up at 7.000" in text
    assert "seen      again at 0.500, 3.000, given up at 7.010" in text
    assert "repetition 1 came early" in text


def test_only_the_first_repetitions_can_be_meant() -> None:
    assert not faults(repeated(1.0, given_up=None), SCHEDULE, 1)
    assert not faults(repeated(1.0, 3.0, given_up=None), SCHEDULE, 1)
    assert faults(repeated(given_up=None), SCHEDULE, 1) == ["sent again 0 times, expected 1"]
    assert faults(repeated(1.5, given_up=None), SCHEDULE, 1)


def test_late_timers_can_let_the_time_run_out_sooner() -> None:
    sooner = Prediction(KINDS["data"], (1.0, 3.0), 7.0, "ETIMEDOUT", sooner=3.0)
    assert not faults(repeated(1.0, given_up=(2.9, 3.1)), sooner)
    assert not faults(repeated(1.0, 3.0, given_up=(6.9, 7.1)), sooner)
    assert faults(repeated(1.0, given_up=(2.9, 3.1)), SCHEDULE)


def test_a_user_timeout_is_counted_from_one_of_the_moments() -> None:
    """The last gap is what is left of it: the shorter, the later the repetitions were."""
    limited = Prediction(KINDS["data"], (1.0, 2.0, 4.0), 6.0, "ETIMEDOUT", timed_from=1)
    assert not faults(repeated(1.0, 2.1, 4.3, given_up=(5.99, 6.1)), limited)
    assert faults(repeated(1.0, 2.1, 4.3, given_up=(5.5, 5.6)), limited)
    assert faults(repeated(1.0, 2.1, 4.3, given_up=(6.8, 6.9)), limited)
    assert faults(repeated(1.0, 2.0, given_up=(5.99, 6.1)), limited)
    close = Prediction(KINDS["data"], (1.0, 2.0, 4.0), 4.2, "ETIMEDOUT", timed_from=1)
    assert not faults(repeated(1.0, 2.1, given_up=(4.2, 4.3)), close)


def test_syns_of_a_usual_kernel_are_linear_first() -> None:
    assert syn_schedule(settings(6, 4)) == (0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67, 131)


def test_syns_of_a_kernel_without_linear_timeouts_double() -> None:
    assert syn_schedule(settings(6, 0)) == (0, 1, 3, 7, 15, 31, 63, 127)
    assert syn_schedule({"net.ipv4.tcp_syn_retries": "1"}) == (0, 1, 3)


def test_few_retries_cut_the_linear_timeouts_short() -> None:
    """As measured on Linux 6.18; retries and linear timeouts do not simply add up."""
    assert syn_schedule(settings(1, 4)) == (0, 1, 2, 3)
    assert syn_schedule(settings(2, 4)) == (0, 1, 2, 3, 4, 5, 7)
    assert syn_schedule(settings(2, 2)) == (0, 1, 2, 3, 5, 9)
    assert syn_schedule(settings(1, 1)) == (0, 1, 2, 4)
    assert syn_schedule(settings(3, 1)) == (0, 1, 2, 4, 8, 16)


def test_no_gap_is_longer_than_the_longest_timeout() -> None:
    assert syn_schedule(settings(3, 0, tcp_rto_max_ms=2000)) == (0, 1, 3, 5, 7)
    assert synack_schedule({"net.ipv4.tcp_synack_retries": "1"}) == (0, 1, 3)


def sent(seconds: float, flags: str, sequence: int, payload: bytes = b"") -> Segment:
    ends = Address("10.0.0.1", 40000), Address("10.0.0.2", 80)
    return Segment(at(seconds), *ends, flags, sequence, 1, 500, payload=payload)


def test_a_repetition_carries_what_was_sent_before() -> None:
    syn, data = sent(0, "S", 10), sent(1, "P.", 11, b"abc")
    more, fin = sent(2, "P.", 14, b"de"), sent(2, "F.", 16)
    assert repetitions([syn, sent(0, ".", 11), data, more, fin]) == []
    for again in (syn, data, sent(3, "P.", 12, b"bcd"), fin):
        assert repetitions([syn, data, more, fin, again]) == [again]
    assert repetitions([data, data, data]) == [data, data]


def test_an_answer_and_a_new_connection_are_no_repetitions() -> None:
    assert repetitions([sent(0, "S", 10), sent(1, "S.", 10)]) == []
    assert repetitions([sent(0, "S", 10), sent(1, "S.", 10), sent(2, "S.", 10)]) != []
    assert repetitions([sent(0, "S", 5000), sent(1, "S", 10), sent(2, "F.", 11)]) == []


def test_an_explanation_counts_them() -> None:
    text = explain_repetitions("server.80", 3, [sent(1.5, "F.", 14)], at(0), 5.0)
    assert "server.80 did not send again as often as expected within 5.0 s" in text
    assert "expected  3 times\n  seen      1 times, at 1.500 s" in text
