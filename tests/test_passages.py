"""The order of states: what exact changes and samples show, leave open, and contradict."""

from types import EllipsisType

import pytest

from sockstates import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    State,
)
from sockstates.evidence.passages import (
    Stage,
    judge,
    may_have_passed,
    narrowed,
    passages,
    stages,
    walks,
)
from sockstates.evidence.testimony import Sought, explain_absence, explain_passage
from sockstates.record.events import FramesLost, SocketSeen
from sockstates.record.kernel_events import ResetPassed, StateChanged
from sockstates.record.timeline import Timeline
from tests.recorded import START, Written, at, empty_timeline, sends
from tests.recorded_witnesses import CLIENT, KEY, SERVER, changes, glances, sampled, samples, traced

ACTIVE = ((0.0, CLOSED), (0.1, SYN_SENT), (0.2, ESTABLISHED), (1.0, FIN_WAIT1))
States = list[State | EllipsisType]


def verdict(timeline: Timeline, states: States) -> str:
    return _verdict(stages(timeline, KEY), states)


def _verdict(seen: list[Stage], states: States) -> str:
    judged = judge(seen, states)
    if judged.holds:
        return "holds"
    if not judged.final:
        return "open"
    return "possible" if judged.possible else "contradicted"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([FIN_WAIT1, CLOSING, TIME_WAIT], "holds"),
        ([CLOSED, SYN_SENT, ESTABLISHED, FIN_WAIT1, CLOSING, TIME_WAIT], "holds"),
        ([ESTABLISHED, ..., TIME_WAIT], "holds"),
        ([FIN_WAIT1, ..., CLOSING], "holds"),
        ([FIN_WAIT1, TIME_WAIT], "contradicted"),
        ([FIN_WAIT1, FIN_WAIT2, TIME_WAIT], "contradicted"),
        ([CLOSING, FIN_WAIT1], "contradicted"),
        ([CLOSING, TIME_WAIT, CLOSED], "open"),
        ([CLOSE_WAIT, LAST_ACK], "contradicted"),
        ([TIME_WAIT, ESTABLISHED], "open"),
    ],
)
def test_the_tracepoint_shows_states_of_any_length(states: States, expected: str) -> None:
    timeline = traced(*ACTIVE, (1.00001, CLOSING), (1.00002, CLOSED))
    samples(timeline, (0.3, ESTABLISHED), (1.01, TIME_WAIT))
    assert verdict(timeline, states) == expected


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([ESTABLISHED, FIN_WAIT1, FIN_WAIT2, TIME_WAIT], "possible"),
        ([ESTABLISHED, FIN_WAIT1, CLOSING, TIME_WAIT], "possible"),
        ([ESTABLISHED, ..., TIME_WAIT], "holds"),
        ([FIN_WAIT1, ..., TIME_WAIT], "holds"),
        ([ESTABLISHED, CLOSE_WAIT, TIME_WAIT], "contradicted"),
        ([FIN_WAIT2, FIN_WAIT1, TIME_WAIT], "contradicted"),
        ([TIME_WAIT, ESTABLISHED], "open"),
        ([TIME_WAIT, CLOSED], "open"),
    ],
)
def test_between_samples_only_what_the_transitions_leave_open(
    states: States, expected: str
) -> None:
    timeline = sampled((0.3, ESTABLISHED), (1.0, TIME_WAIT))
    assert verdict(timeline, states) == expected


def test_samples_decide_where_nothing_else_can_lie_between() -> None:
    timeline = sampled((0.3, ESTABLISHED), (1.0, FIN_WAIT1), (2.0, FIN_WAIT2), (3.0, TIME_WAIT))
    assert verdict(timeline, [ESTABLISHED, FIN_WAIT1, FIN_WAIT2, TIME_WAIT]) == "holds"
    assert verdict(timeline, [SYN_SENT, ESTABLISHED]) == "possible"
    assert verdict(timeline, [SYN_SENT, FIN_WAIT1]) == "contradicted"


def test_sock_diag_fills_what_psutil_missed() -> None:
    timeline = sampled((0.3, ESTABLISHED), (1.0, FIN_WAIT1), (2.0, TIME_WAIT))
    assert verdict(timeline, [FIN_WAIT1, CLOSING, TIME_WAIT]) == "possible"
    glances(timeline, (0.3, ESTABLISHED), (1.0, FIN_WAIT1), (1.5, CLOSING), (2.0, TIME_WAIT))
    assert verdict(timeline, [FIN_WAIT1, CLOSING, TIME_WAIT]) == "holds"


def test_a_minisocket_behind_closed_is_what_the_samples_say() -> None:
    timeline = traced(*ACTIVE, (1.1, FIN_WAIT2), (1.10001, CLOSED))
    assert verdict(timeline, [FIN_WAIT2, TIME_WAIT]) == "open"
    samples(timeline, (0.3, ESTABLISHED), (1.05, FIN_WAIT1), (1.2, FIN_WAIT2), (3, TIME_WAIT))
    found = stages(timeline, KEY)
    assert [stage.state for stage in found[-2:]] == [FIN_WAIT2, TIME_WAIT]
    assert found[-2].began == (at(1.1), at(1.1))
    assert found[-1].began == (at(2.999), at(3))
    assert verdict(timeline, [FIN_WAIT1, FIN_WAIT2, TIME_WAIT]) == "holds"


def test_a_minisocket_that_no_sample_saw_may_have_been_there() -> None:
    timeline = traced(*ACTIVE, (1.1, FIN_WAIT2), (1.2, CLOSED))
    timeline.glanced["server"] = at(5)
    assert verdict(timeline, [FIN_WAIT2, CLOSED]) == "possible"
    assert verdict(timeline, [FIN_WAIT2, TIME_WAIT, CLOSED]) == "possible"
    assert may_have_passed(stages(timeline, KEY), TIME_WAIT) == (False, True)


def test_closed_behind_last_ack_hides_nothing() -> None:
    timeline = traced((0, CLOSED), (0.2, ESTABLISHED), (1, CLOSE_WAIT), (2, LAST_ACK), (2, CLOSED))
    assert verdict(timeline, [CLOSE_WAIT, LAST_ACK, CLOSED]) == "holds"
    assert verdict(timeline, [CLOSE_WAIT, LAST_ACK, TIME_WAIT]) == "contradicted"


def test_a_request_socket_is_seen_by_samples_and_its_child_by_the_tracepoint() -> None:
    child = (1.0, LISTEN), (1.0, SYN_RECV), (1.00001, ESTABLISHED)
    timeline = traced(*child)
    assert verdict(timeline, [CLOSED, SYN_RECV, ESTABLISHED]) == "holds"
    assert stages(timeline, KEY)[0].began == (0, at(1.0))
    samples(timeline, (0.5, SYN_RECV), (1.1, ESTABLISHED))
    assert verdict(timeline, [CLOSED, SYN_RECV, ESTABLISHED]) == "holds"
    assert stages(timeline, KEY)[0].began == (at(0.499), at(0.5))


def test_a_witness_that_came_late_leaves_the_beginning_open() -> None:
    timeline = traced((0, ESTABLISHED), (1.0, FIN_WAIT1))
    assert verdict(timeline, [ESTABLISHED, FIN_WAIT1]) == "holds"
    assert verdict(timeline, [SYN_SENT, ESTABLISHED, FIN_WAIT1]) == "possible"


def test_where_a_link_is_missing_the_next_change_tells_what_was_before_it() -> None:
    timeline = traced((0.0, CLOSED), (0.1, SYN_SENT), (0.2, ESTABLISHED))
    timeline.add(StateChanged(at(2.0), *KEY, LAST_ACK, CLOSED, 0xABC))
    assert verdict(timeline, [SYN_SENT, ESTABLISHED]) == "holds"
    assert verdict(timeline, [ESTABLISHED, CLOSE_WAIT, LAST_ACK, CLOSED]) == "holds"
    assert verdict(timeline, [ESTABLISHED, LAST_ACK]) == "contradicted"


def test_a_missing_link_leaves_open_which_way_was_taken() -> None:
    timeline = traced((0.0, CLOSED), (0.1, SYN_SENT), (0.2, ESTABLISHED))
    timeline.add(StateChanged(at(2.0), *KEY, CLOSING, CLOSED, 0xABC))
    assert verdict(timeline, [ESTABLISHED, FIN_WAIT1, CLOSING]) == "holds"
    timeline = traced(*ACTIVE)
    timeline.add(StateChanged(at(2.0), *KEY, FIN_WAIT2, CLOSED, 0xABC))
    samples(timeline, (2.01, TIME_WAIT))
    assert verdict(timeline, [FIN_WAIT1, FIN_WAIT2, TIME_WAIT]) == "holds"


def test_samples_go_on_where_the_tracepoint_falls_silent() -> None:
    timeline = traced(*ACTIVE, (1.5, CLOSING))
    assert verdict(timeline, [FIN_WAIT1, CLOSING, TIME_WAIT]) == "open"
    samples(timeline, (1.1, FIN_WAIT1), (1.51, CLOSING), (2.0, TIME_WAIT))
    assert verdict(timeline, [FIN_WAIT1, CLOSING, TIME_WAIT]) == "holds"
    assert verdict(timeline, [CLOSING, ESTABLISHED]) == "contradicted"


def test_a_sample_of_what_the_last_change_has_left_does_not_come_after_it() -> None:
    timeline = samples(traced(*ACTIVE), (1.0005, ESTABLISHED))
    assert verdict(timeline, [ESTABLISHED, FIN_WAIT1]) == "holds"


def test_samples_tell_of_another_connection_that_the_tracepoint_lost() -> None:
    timeline = traced(
        (0.0, LISTEN), (0.1, ESTABLISHED), (1.0, CLOSE_WAIT), (1.1, LAST_ACK), (1.2, CLOSED)
    )
    samples(timeline, (0.3, ESTABLISHED), (1.3, CLOSED), (2.0, ESTABLISHED))
    assert verdict(timeline, [CLOSE_WAIT, LAST_ACK, CLOSED, ..., ESTABLISHED]) == "holds"


def test_samples_tell_of_another_connection_also_where_the_end_of_the_first_is_lost() -> None:
    timeline = traced((0.0, LISTEN), (0.1, ESTABLISHED), (1.0, FIN_WAIT1), (1.1, FIN_WAIT2))
    samples(timeline, (0.3, ESTABLISHED), (1.3, TIME_WAIT), (2.0, SYN_RECV), (3.0, ESTABLISHED))
    assert verdict(timeline, [FIN_WAIT2, TIME_WAIT, ..., SYN_RECV, ESTABLISHED]) == "holds"


def test_nothing_seen_is_open_never_held() -> None:
    assert verdict(empty_timeline(), [ESTABLISHED, FIN_WAIT1]) == "open"
    assert passages([]) == [(CLOSED,)]


def test_walks_follow_the_transitions_and_visit_no_other_connection() -> None:
    assert walks(FIN_WAIT1, TIME_WAIT) == {(), (FIN_WAIT2,), (CLOSING,)}
    assert walks(ESTABLISHED, CLOSE_WAIT) == {()}
    assert walks(CLOSE_WAIT, CLOSED) == {(), (LAST_ACK,)}
    assert walks(TIME_WAIT, ESTABLISHED) == {()}, "what no walk explains was seen all the same"


@pytest.mark.parametrize(
    ("state", "expected"),
    [(SYN_SENT, (True, True)), (CLOSING, (False, False)), (CLOSE_WAIT, (False, False))],
)
def test_absence_by_the_tracepoint(state: State, expected: tuple[bool, bool]) -> None:
    timeline = traced(*ACTIVE, (1.1, FIN_WAIT2))
    assert may_have_passed(stages(timeline, KEY), state) == expected


def test_absence_by_samples_where_the_transitions_exclude_it() -> None:
    timeline = sampled((0.3, ESTABLISHED), (1.0, FIN_WAIT1), (2.0, FIN_WAIT2), (3.0, TIME_WAIT))
    assert may_have_passed(stages(timeline, KEY), CLOSING) == (False, False)
    coarse = sampled((0.3, ESTABLISHED), (3.0, TIME_WAIT))
    assert may_have_passed(stages(coarse, KEY), CLOSING) == (False, True)
    assert may_have_passed(stages(coarse, KEY), FIN_WAIT1) == (True, True)


def test_an_explanation_has_each_witness_and_what_would_help() -> None:
    timeline = sampled((0.3, ESTABLISHED), (1.0, TIME_WAIT))
    sought = Sought(timeline, KEY, 5.0, START)
    states = [FIN_WAIT1, CLOSING, TIME_WAIT]
    text = explain_passage(sought, states, possible=True)
    for words in (
        "server.80 (to client.40000) may have passed through this unseen",
        "expected  FIN_WAIT1, CLOSING, TIME_WAIT",
        "samples   0.300 ESTABLISHED, 1.000 TIME_WAIT",
        "tracepoint not there: it needs root",
        "unseen_allowed=True",
    ):
        assert words in " ".join(text.split()) or words in text
    assert "unseen_allowed" not in explain_passage(sought, states, possible=False)
    changes(timeline, *ACTIVE)
    text = explain_absence(sought, FIN_WAIT1, certain=True)
    assert "kernel    0.100 SYN_SENT, 0.200 ESTABLISHED, 1.000 FIN_WAIT1" in text
    assert "was FIN_WAIT1" in text


def fin_and_answer(timeline: Timeline, *, acknowledged: float = 0, fin: float = 0) -> None:
    """The server's FIN; the client's acknowledgement of it and its own FIN, where they came."""
    sends(timeline, 0.1, CLIENT, SERVER, Written("S", 100))
    sends(timeline, 0.1, SERVER, CLIENT, Written("S.", 500, 101))
    sends(timeline, 1.0, SERVER, CLIENT, Written("F.", 501, 101))
    if acknowledged:
        sends(timeline, acknowledged, CLIENT, SERVER, Written(".", 101, 502))
    if fin:
        sends(timeline, fin, CLIENT, SERVER, Written("F.", 101, 502))


@pytest.mark.parametrize(
    ("acknowledged", "fin", "states", "expected"),
    [
        (1.1, 0, [FIN_WAIT1, FIN_WAIT2, CLOSED], "holds"),
        (1.1, 6.0, [FIN_WAIT1, FIN_WAIT2, CLOSED], "holds"),
        (1.1, 4.0, [FIN_WAIT1, FIN_WAIT2, CLOSED], "possible"),
        (1.1, 0, [FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSED], "contradicted"),
    ],
)
def test_without_the_peers_fin_there_is_no_time_wait(
    acknowledged: float, fin: float, states: States, expected: str
) -> None:
    """The FIN came never, after the endpoint was seen to be CLOSED, and before."""
    timeline = traced(*ACTIVE, (1.1, FIN_WAIT2), (1.2, CLOSED))
    samples(timeline, (0.3, ESTABLISHED), (1.05, FIN_WAIT1), (5.0, CLOSED))
    fin_and_answer(timeline, acknowledged=acknowledged, fin=fin)
    seen = narrowed(timeline, KEY, stages(timeline, KEY))
    assert _verdict(seen, states) == expected
    assert may_have_passed(seen, TIME_WAIT) == (False, fin == 4.0)


def test_without_an_acknowledgement_of_its_fin_an_endpoint_stays_in_fin_wait1() -> None:
    timeline = sampled((0.3, ESTABLISHED), (1.05, FIN_WAIT1), (5.0, CLOSED))
    fin_and_answer(timeline)
    assert verdict(timeline, [FIN_WAIT1, CLOSED]) == "possible"
    seen = narrowed(timeline, KEY, stages(timeline, KEY))
    assert _verdict(seen, [FIN_WAIT1, CLOSED]) == "holds"


def test_a_capture_with_holes_excludes_nothing() -> None:
    timeline = sampled((0.3, ESTABLISHED), (1.05, FIN_WAIT1), (5.0, CLOSED))
    fin_and_answer(timeline)
    timeline.add(FramesLost(at(2), "server", 1))
    seen = narrowed(timeline, KEY, stages(timeline, KEY))
    assert _verdict(seen, [FIN_WAIT1, CLOSED]) == "possible"


def test_the_fin_of_an_earlier_connection_allows_nothing_in_the_next_one() -> None:
    timeline = sampled((2.3, ESTABLISHED), (3.05, FIN_WAIT1), (5.0, CLOSED))
    fin_and_answer(timeline, acknowledged=1.1, fin=1.2)
    sends(timeline, 2.1, CLIENT, SERVER, Written("S", 70_000))
    sends(timeline, 2.1, SERVER, CLIENT, Written("S.", 90_000, 70_001))
    sends(timeline, 3.0, SERVER, CLIENT, Written("F.", 90_001, 70_001))
    seen = narrowed(timeline, KEY, stages(timeline, KEY))
    assert may_have_passed(seen, TIME_WAIT) == (False, False)


def test_an_endpoint_that_takes_in_a_reset_is_closed_at_once() -> None:
    timeline = traced(*ACTIVE, (1.1, FIN_WAIT2), (1.2, CLOSED))
    assert verdict(timeline, [FIN_WAIT2, CLOSED]) == "open"
    timeline.add(ResetPassed(at(1.19), "server", SERVER, CLIENT, sent=False))
    assert verdict(timeline, [FIN_WAIT1, FIN_WAIT2, CLOSED]) == "holds"
    assert verdict(timeline, [FIN_WAIT2, TIME_WAIT]) == "contradicted"


def test_a_lost_record_does_not_make_a_state_come_twice() -> None:
    """Of FIN_WAIT1, FIN_WAIT2, CLOSED the kernel lost the record in the middle."""
    timeline = traced(*ACTIVE)
    changes(timeline, (1.2, FIN_WAIT2), (1.2, CLOSED))
    samples(timeline, (0.3, ESTABLISHED), (1.05, FIN_WAIT1), (1.15, FIN_WAIT2))
    timeline.add(SocketSeen(at(1.21), *KEY, CLOSED, not_before=at(1.15)))
    found = [stage.state for stage in stages(timeline, KEY)]
    assert found == [SYN_SENT, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSED]
