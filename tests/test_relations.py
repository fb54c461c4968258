"""A state and a segment: after, before, or between two samples, where nobody can tell."""

from sockstates import CLOSE_WAIT, ESTABLISHED, Segment
from sockstates.evidence.durations import Decision
from sockstates.evidence.passages import Stage, stages
from sockstates.evidence.relations import as_captured_at, came_after, came_before, entered
from sockstates.evidence.testimony import Sought, explain_order
from tests.recorded import START, Written, at, empty_timeline, sends
from tests.recorded_witnesses import CLIENT, KEY, SERVER, samples, traced

HOLDS, FAILS, UNDECIDED = Decision.HOLDS, Decision.FAILS, Decision.UNDECIDED


def fin(seconds: float) -> Segment:
    return Segment(at(seconds), CLIENT, SERVER, "F.", 1, 1, 500)


def close_wait(earliest: float, latest: float) -> Stage:
    return Stage(CLOSE_WAIT, (at(earliest), at(latest)), "samples", direct=False)


def test_after_a_segment() -> None:
    assert came_after(close_wait(1.0, 1.0), fin(0.9)) is HOLDS
    assert came_after(close_wait(1.0, 1.0), fin(1.1)) is FAILS
    assert came_after(close_wait(0.9, 1.1), fin(1.0)) is UNDECIDED
    assert came_after(close_wait(1.0, 1.1), fin(1.0)) is HOLDS
    assert came_after(close_wait(0.8, 0.9), fin(1.0)) is FAILS


def test_before_a_segment() -> None:
    assert came_before(close_wait(1.0, 1.0), fin(1.1)) is HOLDS
    assert came_before(close_wait(1.0, 1.0), fin(0.9)) is FAILS
    assert came_before(close_wait(0.9, 1.1), fin(1.0)) is UNDECIDED


def test_the_first_time_counts() -> None:
    seen = stages(traced((0, ESTABLISHED), (1.0, CLOSE_WAIT)), KEY)
    stage = entered(seen, CLOSE_WAIT)
    assert stage is not None
    assert stage.began == (at(1.0), at(1.0))
    assert entered(seen[:0], CLOSE_WAIT) is None


def test_a_segment_is_found_again_in_the_capture_of_its_receiver() -> None:
    timeline = empty_timeline()
    for seconds in (1.0, 2.0):
        sends(timeline, seconds, CLIENT, SERVER, Written("F.", 7, 9))
    first, second = timeline.wire
    arrived = timeline.arrived["server"]
    assert as_captured_at(arrived, first) is arrived[0]
    assert as_captured_at(arrived, second) is arrived[1]
    assert as_captured_at(arrived[:1], second) is None


def test_an_explanation_has_both_moments() -> None:
    timeline = empty_timeline()
    sends(timeline, 1.0, CLIENT, SERVER, Written("F.", 7, 9))
    samples(timeline, (0.5, ESTABLISHED), (1.0, CLOSE_WAIT))
    stage = entered(stages(timeline, KEY), CLOSE_WAIT)
    text = explain_order(
        Sought(timeline, KEY, 1.0, START),
        CLOSE_WAIT,
        ("after", "client > server: Flags [F.]"),
        segment=timeline.arrived["server"][0],
        stage=stage,
        undecided=True,
    )
    assert "whether CLOSE_WAIT began only after this segment is not known" in text
    assert "captured  at 1.000 s, client.40000 > server.80: Flags [F.]" in text
    assert "entered   after 0.999 s, at 1.000 s at the latest" in text
    assert "because" in text
