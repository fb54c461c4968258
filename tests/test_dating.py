"""When a state began: between two samples, and by the segment that arrived between them."""

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, LAST_ACK
from sockstates.evidence.dating import BEGUN_BY_ARRIVALS, dated
from sockstates.evidence.durations import Decision, Limits, decide, time_in
from sockstates.evidence.passages import stages
from sockstates.record.events import FramesLost, SocketSeen
from sockstates.record.frames import CapturedFrame
from sockstates.record.timeline import Timeline
from sockstates.tcp.states import State
from tests.recorded import Written, at, empty_timeline, frame_octets, sends
from tests.recorded_witnesses import CLIENT, KEY, SERVER, changes

HELD_UP = 1.08
"""When the sampler that was held up found FIN_WAIT2, for which it had last looked at 1.0 s."""
TWO_SECONDS = Limits.timer(2)


def opened() -> Timeline:
    """The server has sent its FIN at 1.001 s; nothing has answered that yet."""
    timeline = empty_timeline()
    sends(timeline, 0.1, CLIENT, SERVER, Written("S", 100))
    sends(timeline, 0.2, SERVER, CLIENT, Written("S.", 500, 101))
    sends(timeline, 0.3, CLIENT, SERVER, Written(".", 101, 501))
    sends(timeline, 1.001, SERVER, CLIENT, Written("F.", 501, 101))
    return timeline


def acknowledged(timeline: Timeline, *moments: float) -> Timeline:
    """The client has acknowledged the server's FIN at these moments."""
    for moment in moments:
        sends(timeline, moment, CLIENT, SERVER, Written(".", 101, 502))
    return timeline


def looked(
    timeline: Timeline, state: State = FIN_WAIT2, *, since: float = 1.0, gone: float = 3.02
) -> Timeline:
    """Samples that were held up: `state` was not yet at `since`, and no more at `gone`."""
    for seconds, before, each in (
        (0.4, 0.0, ESTABLISHED),
        (HELD_UP, since, state),
        (gone, gone - 0.004, CLOSED),
    ):
        timeline.add(SocketSeen(at(seconds), *KEY, each, not_before=at(before)))
    timeline.sampled["server"] = timeline.glanced["server"] = at(9)
    return timeline


def began(timeline: Timeline, state: State = FIN_WAIT2) -> tuple[int, int]:
    (stage,) = (each for each in dated(timeline, KEY, stages(timeline, KEY)) if each.state is state)
    return stage.began


def decided(timeline: Timeline, *, by_segments: bool = True) -> Decision:
    seen = stages(timeline, KEY)
    lasted = time_in(dated(timeline, KEY, seen) if by_segments else seen, FIN_WAIT2, at(9))
    assert lasted is not None
    return decide(lasted, TWO_SECONDS)


def arrival(seconds: float) -> int:
    """When what was sent then came to the server, whose capture is a microsecond behind."""
    return at(seconds) + 1000


def test_the_only_segment_between_two_looks_began_it() -> None:
    timeline = looked(acknowledged(opened(), 1.002))
    assert began(timeline) == (arrival(1.002), arrival(1.002))
    assert decided(timeline, by_segments=False) is Decision.UNDECIDED
    assert decided(timeline) is Decision.HOLDS


@pytest.mark.parametrize(
    ("gone", "decision"),
    [(2.98, Decision.FAILS), (3.3, Decision.UNDECIDED)],
    ids=["early", "late, as only a busy machine is"],
)
def test_a_time_that_is_wrong_is_found_to_be(gone: float, decision: Decision) -> None:
    timeline = looked(acknowledged(opened(), 1.002), gone=gone)
    assert decided(timeline, by_segments=False) is Decision.UNDECIDED
    assert decided(timeline) is decision


def test_each_of_several_may_have_begun_it() -> None:
    timeline = looked(acknowledged(opened(), 1.002, 1.07, 1.2))
    assert began(timeline) == (arrival(1.002), arrival(1.07))
    assert decided(timeline) is Decision.UNDECIDED


def test_what_came_before_the_earlier_look_did_not_begin_it() -> None:
    timeline = opened()
    sends(timeline, 0.9, CLIENT, SERVER, Written(".", 101, 501))
    assert began(looked(acknowledged(timeline, 1.002))) == (arrival(1.002), arrival(1.002))


@pytest.mark.parametrize("moments", [(), (1.2,), (1.002,), (1.002, 1.07)])
def test_nothing_is_dated_by_what_did_not_come_first_between_the_looks(
    moments: tuple[float, ...],
) -> None:
    """Not by a repetition, either: the kernel may only just have taken in what came before it."""
    timeline = looked(acknowledged(opened(), *moments), since=1.01)
    assert began(timeline) == (at(1.01), at(HELD_UP))


def test_nothing_is_dated_by_a_capture_that_lost_frames() -> None:
    timeline = looked(acknowledged(opened(), 1.002))
    timeline.add(FramesLost(at(2), "client", 3))
    timeline.add(FramesLost(at(2), "server", 3, chosen=True))
    assert began(timeline) == (arrival(1.002), arrival(1.002))
    timeline.add(FramesLost(at(2), "server", 3))
    assert began(timeline) == (at(1.0), at(HELD_UP))


def test_a_fin_begins_close_wait() -> None:
    timeline = empty_timeline()
    sends(timeline, 0.1, CLIENT, SERVER, Written("S", 100))
    sends(timeline, 0.2, SERVER, CLIENT, Written("S.", 500, 101))
    sends(timeline, 0.3, CLIENT, SERVER, Written(".", 101, 501))
    sends(timeline, 1.03, CLIENT, SERVER, Written("F.", 101, 501))
    assert began(looked(timeline, CLOSE_WAIT), CLOSE_WAIT) == (arrival(1.03), arrival(1.03))


def test_what_a_call_or_a_timer_may_begin_is_not_dated() -> None:
    assert {FIN_WAIT1, LAST_ACK, CLOSED}.isdisjoint(BEGUN_BY_ARRIVALS)
    timeline = acknowledged(opened(), 1.002)
    sends(timeline, 3.018, CLIENT, SERVER, Written("R", 101))
    assert began(looked(timeline), CLOSED) == (at(3.016), at(3.02))


def test_what_came_damaged_began_nothing() -> None:
    timeline = opened()
    octets = bytearray(frame_octets(CLIENT, SERVER, Written(".", 101, 502)))
    octets[-1] ^= 1
    for moment in (1.0015, 1.004):
        frame = CapturedFrame(at(moment), "server:eth0", "in", bytes(octets), len(octets))
        timeline.add_frames("server", [frame])
    assert began(looked(acknowledged(timeline, 1.002))) == (arrival(1.002), arrival(1.002))


def test_what_the_tracepoint_says_stays() -> None:
    timeline = acknowledged(opened(), 1.002)
    changes(timeline, (0, ESTABLISHED), (1.001, FIN_WAIT1), (1.0021, FIN_WAIT2))
    assert began(timeline) == (at(1.0021), at(1.0021))
