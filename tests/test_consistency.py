"""The witnesses of states against each other: each kind of contradiction is found, none invented.

Every contradiction stands beside the same timeline without it, or as a known difference has it.
"""

from collections.abc import Callable

import pytest

from sockstates import (
    CLOSE_WAIT,
    CLOSED,
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
from sockstates.evidence.consistency import (
    SKEW,
    Contradiction,
    Span,
    contradictions_about_states,
    exact_spans,
    sampled_spans,
)
from sockstates.evidence.differences import KNOWN, SEGMENTS, SOCKETS, TRACEPOINT, reason_for
from sockstates.evidence.doubts import contradictions, doubt
from sockstates.record.events import NANOSECONDS, ClockStepped, FramesLost, SysctlSet
from sockstates.record.kernel_events import StateChanged
from sockstates.record.timeline import Timeline
from tests.recorded import Written, at, empty_timeline, sends
from tests.recorded_witnesses import (
    CLIENT,
    KEY,
    SERVER,
    changes,
    glances,
    sampled,
    samples,
    traced,
)

SKEW_SECONDS = SKEW / NANOSECONDS
Told = tuple[str, str]


def found(timeline: Timeline, until: float = 10.0) -> list[Contradiction]:
    return contradictions_about_states(timeline, at(until))


def told(timeline: Timeline) -> set[Told]:
    return {each for contradiction in found(timeline) for each in contradiction.told}


def test_witnesses_that_agree_are_in_order() -> None:
    timeline = traced((0, CLOSED), (0.1, ESTABLISHED), (1.0, FIN_WAIT1), (2.0, FIN_WAIT2))
    samples(timeline, (0.101, ESTABLISHED), (1.001, FIN_WAIT1), (2.001, FIN_WAIT2))
    glances(timeline, (0.1005, ESTABLISHED), (1.0005, FIN_WAIT1), (2.0005, FIN_WAIT2))
    assert not found(timeline)
    assert doubt(timeline, at(10)) is None


def test_psutil_against_the_tracepoint() -> None:
    timeline = traced((0, CLOSED), (0.1, ESTABLISHED), (1.0, FIN_WAIT1))
    samples(timeline, (0.101, ESTABLISHED))
    (contradiction,) = found(timeline)
    assert (contradiction.began, contradiction.ended) == (at(1.0), at(10))
    assert contradiction.told == (("tracepoint", "FIN_WAIT1"), ("psutil", "ESTABLISHED"))
    text = contradiction.text(at(0))
    assert "about server.80 (to client.40000), 1.000 to 10.000 s" in text
    assert "  psutil      ESTABLISHED" in text
    assert doubt(timeline, at(10)) == text


def test_sock_diag_against_the_tracepoint() -> None:
    timeline = traced((0, CLOSED), (0.1, ESTABLISHED), (1.0, FIN_WAIT1))
    glances(timeline, (0.101, ESTABLISHED))
    assert told(timeline) == {("tracepoint", "FIN_WAIT1"), ("sock_diag", "ESTABLISHED")}


def test_psutil_against_sock_diag() -> None:
    timeline = samples(empty_timeline(), (0.1, ESTABLISHED), (1.0, FIN_WAIT1))
    glances(timeline, (0.1, ESTABLISHED))
    assert told(timeline) == {("psutil", "FIN_WAIT1"), ("sock_diag", "ESTABLISHED")}


def test_a_disagreement_that_a_held_up_processor_explains_does_not_count() -> None:
    exact = (0, CLOSED), (0.1, ESTABLISHED), (1.0, FIN_WAIT1), (2.0, FIN_WAIT2)
    soon = samples(traced(*exact), (0.2, ESTABLISHED), (1.0, FIN_WAIT1), (1.99, FIN_WAIT2))
    assert not found(soon)
    late = SKEW_SECONDS + 0.01
    lasting = samples(traced(*exact), (0.2, ESTABLISHED), (1.001, FIN_WAIT1), (2 - late, FIN_WAIT2))
    assert told(lasting) == {("tracepoint", "FIN_WAIT1"), ("psutil", "FIN_WAIT2")}


def test_nothing_is_certain_between_two_looks() -> None:
    """Seen once, then seen otherwise: the change may have come right after the first look."""
    timeline = traced((0, CLOSED), (0.1, ESTABLISHED), (0.2, FIN_WAIT1))
    samples(timeline, (0.101, ESTABLISHED), (5.0, FIN_WAIT1))
    assert found(timeline)
    timeline = traced((0, CLOSED), (0.1, ESTABLISHED), (0.2, FIN_WAIT1))
    samples(timeline, (0.101, ESTABLISHED), until=0.05)
    assert not found(timeline)


def test_what_was_not_heard_yet_is_not_judged() -> None:
    timeline = traced((0, CLOSED), (0.1, ESTABLISHED), (1.0, FIN_WAIT1))
    samples(timeline, (0.101, ESTABLISHED))
    assert not found(timeline, until=1.0)


@pytest.mark.parametrize("hidden", [TIME_WAIT, FIN_WAIT2, SYN_RECV])
def test_closed_in_the_tracepoint_may_be_something_else(hidden: State) -> None:
    timeline = traced((0, CLOSED), (0.1, ESTABLISHED), (1.0, FIN_WAIT2), (2.0, CLOSED))
    samples(timeline, (0.11, ESTABLISHED), (1.001, FIN_WAIT2), (2.001, hidden))
    assert not found(timeline)


@pytest.mark.parametrize("later", [FIN_WAIT1, CLOSE_WAIT, CLOSED])
def test_the_last_state_that_was_told_may_have_been_left_unseen(later: State) -> None:
    """The kernel loses a record now and then, and does not always say so."""
    timeline = traced((0, CLOSED), (0.1, SYN_SENT), (0.2, ESTABLISHED))
    samples(timeline, (0.21, ESTABLISHED), (1.0, later))
    assert not found(timeline)


def test_a_connection_whose_end_was_not_told_does_not_contradict_the_next_one() -> None:
    """The kernel lost both records of FIN_WAIT2; then the same ports were used again."""
    timeline = traced((0, CLOSED), (0.1, ESTABLISHED), (1.0, FIN_WAIT1))
    looks = (0.11, ESTABLISHED), (1.001, FIN_WAIT1), (1.2, FIN_WAIT2)
    samples(timeline, *looks, (1.3, TIME_WAIT), (2.0, SYN_RECV))
    assert not found(timeline)
    timeline = traced((0, CLOSED), (0.1, ESTABLISHED), (1.0, FIN_WAIT1))
    samples(timeline, (0.11, ESTABLISHED), (1.001, FIN_WAIT1), (2.0, SYN_RECV))
    assert told(timeline) == {("tracepoint", "FIN_WAIT1"), ("psutil", "SYN_RECV")}


def test_what_the_tracepoint_told_last_cannot_become_what_was_before() -> None:
    timeline = samples(traced((0, CLOSED), (0.1, SYN_SENT), (0.2, ESTABLISHED)), (0.11, SYN_SENT))
    assert told(timeline) == {("tracepoint", "ESTABLISHED"), ("psutil", "SYN_SENT")}


def test_a_request_socket_is_no_contradiction_and_a_lasting_one_is() -> None:
    child = (3.0, LISTEN), (3.0, SYN_RECV), (3.0, ESTABLISHED)
    assert not found(samples(traced(*child), (1.0, SYN_RECV), (3.01, ESTABLISHED)))
    late = samples(traced(*child), (1.0, SYN_RECV), (5.0, ESTABLISHED))
    assert told(late) == {("tracepoint", "ESTABLISHED"), ("psutil", "SYN_RECV")}


def test_a_missing_link_leaves_open_what_was_meanwhile() -> None:
    def timeline(seen: State) -> Timeline:
        made = traced((0, CLOSED), (0.1, SYN_SENT), (0.2, ESTABLISHED))
        made.add(StateChanged(at(2.0), *KEY, LAST_ACK, CLOSED, 0xABC))
        return samples(made, (1.0, seen), (1.9, LAST_ACK), (2.0, CLOSED))

    assert not found(timeline(CLOSE_WAIT))
    assert told(timeline(SYN_SENT)) == {("tracepoint", "ESTABLISHED"), ("psutil", "SYN_SENT")}


def test_another_socket_of_the_same_addresses_begins_anew() -> None:
    timeline = traced((0, CLOSED), (0.1, SYN_SENT), (0.2, ESTABLISHED), (1.0, CLOSED))
    for seconds, before, after in ((2.0, LISTEN, SYN_RECV), (2.0, SYN_RECV, ESTABLISHED)):
        timeline.add(StateChanged(at(seconds), *KEY, before, after, 0xABC))
    assert not found(timeline)


def close_by_the_client(timeline: Timeline, *, acknowledged: bool) -> None:
    """A connection that the client opens and closes; the server is the endpoint looked at."""
    sends(timeline, 0.1, CLIENT, SERVER, Written("S", 10))
    sends(timeline, 0.101, SERVER, CLIENT, Written("S.", 50, 11))
    sends(timeline, 0.102, CLIENT, SERVER, Written(".", 11, 51))
    sends(timeline, 0.2, SERVER, CLIENT, Written("P.", 51, 11, b"hello"))
    sends(timeline, 0.201, CLIENT, SERVER, Written(".", 11, 56))
    sends(timeline, 1.0, CLIENT, SERVER, Written("F.", 11, 56))
    if acknowledged:
        sends(timeline, 1.001, SERVER, CLIENT, Written(".", 56, 12))


@pytest.mark.parametrize(("setting", "contradicted"), [("eth0 netem", 0), ("eth0 mtu", 1)])
def test_an_acknowledgement_that_netem_lost_leaves_open_when_a_state_was_left(
    setting: str, contradicted: int
) -> None:
    timeline = empty_timeline()
    timeline.add(SysctlSet(at(0), "client", setting, "loss 0.1"))
    sends(timeline, 0.1, CLIENT, SERVER, Written("S", 10))
    sends(timeline, 0.101, SERVER, CLIENT, Written("S.", 50, 11))
    sends(timeline, 3.0, SERVER, CLIENT, Written("S.", 50, 11))
    sends(timeline, 3.001, CLIENT, SERVER, Written(".", 11, 51))
    samples(timeline, (0.099, SYN_SENT), (0.102, ESTABLISHED), key=("client", CLIENT, SERVER))
    assert len(found(timeline)) == contradicted


@pytest.mark.parametrize("kind", [samples, glances])
def test_segments_against_the_kernel(kind: Callable[..., Timeline]) -> None:
    timeline = empty_timeline()
    close_by_the_client(timeline, acknowledged=True)
    timeline.glanced["server"] = at(10)
    kind(timeline, (0.1, SYN_RECV), (0.102, ESTABLISHED))
    assert ("segments", "CLOSE_WAIT") in told(timeline)
    agreeing = empty_timeline()
    close_by_the_client(agreeing, acknowledged=True)
    kind(agreeing, (0.1, SYN_RECV), (0.102, ESTABLISHED), (1.001, CLOSE_WAIT))
    assert not found(agreeing)


def test_segments_against_the_tracepoint() -> None:
    timeline = empty_timeline()
    close_by_the_client(timeline, acknowledged=True)
    changes(timeline, (0.1, SYN_RECV), (0.102, ESTABLISHED), (5.0, CLOSE_WAIT))
    assert told(timeline) == {("segments", "CLOSE_WAIT"), ("tracepoint", "ESTABLISHED")}


def test_of_two_copies_of_a_fin_either_may_have_been_taken_in() -> None:
    """The acknowledgement of the first was delayed, and the sender's probe came before it."""
    timeline, key = empty_timeline(), ("client", CLIENT, SERVER)
    sends(timeline, 0.1, CLIENT, SERVER, Written("S", 10))
    sends(timeline, 0.101, SERVER, CLIENT, Written("S.", 50, 11))
    sends(timeline, 0.102, CLIENT, SERVER, Written(".", 11, 51))
    sends(timeline, 1.0, SERVER, CLIENT, Written("F.", 51, 11))
    sends(timeline, 1.5, SERVER, CLIENT, Written("F.", 51, 11))
    sends(timeline, 1.501, CLIENT, SERVER, Written(".", 11, 52))
    timeline.glanced["client"] = at(10)
    samples(timeline, (0.099, SYN_SENT), (0.102, ESTABLISHED), (1.001, CLOSE_WAIT), key=key)
    assert not found(timeline)
    changes(timeline, (0.1, SYN_SENT), (0.101, ESTABLISHED), (0.5, CLOSE_WAIT), key=key)
    assert ("segments", "ESTABLISHED") in told(timeline), "no copy had come yet"


def test_a_segment_that_nobody_acknowledged_proves_nothing() -> None:
    timeline = empty_timeline()
    close_by_the_client(timeline, acknowledged=False)
    samples(timeline, (0.1, SYN_RECV), (0.102, ESTABLISHED))
    assert not found(timeline)


def test_known_differences_are_data_with_reasons() -> None:
    assert all(len(known.reason) > 5 for known in KNOWN)
    assert reason_for(TRACEPOINT, CLOSED, SOCKETS, TIME_WAIT)
    assert reason_for(SOCKETS, TIME_WAIT, TRACEPOINT, CLOSED)
    assert reason_for(SOCKETS, CLOSED, TRACEPOINT, TIME_WAIT) is None
    assert reason_for(SOCKETS, TIME_WAIT, SOCKETS, CLOSED) is None
    assert reason_for(TRACEPOINT, ESTABLISHED, SOCKETS, FIN_WAIT1) is None
    assert reason_for(SEGMENTS, FIN_WAIT1, SOCKETS, ESTABLISHED) is None
    assert reason_for(SEGMENTS, ESTABLISHED, SOCKETS, FIN_WAIT1)


def test_spans_are_from_the_first_look_to_the_last() -> None:
    looks = sampled((1.0, ESTABLISHED), (2.0, FIN_WAIT1)).history(KEY)
    assert sampled_spans(looks, at(5)) == (
        Span(ESTABLISHED, at(1.0), at(1.999)),
        Span(FIN_WAIT1, at(2.0), at(5)),
    )
    assert sampled_spans(looks[:1], at(0.5)) == ()
    exact = traced((0, CLOSED), (1.0, SYN_SENT), (2.0, ESTABLISHED)).changes(KEY)
    assert exact_spans(exact, at(3)) == (
        Span(SYN_SENT, at(1.0), at(2.0)),
        Span(ESTABLISHED, at(2.0), at(3), left_unseen=True),
    )


def test_a_flood_of_frames_that_nobody_read_is_not_read_for_this(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timeline = empty_timeline()
    close_by_the_client(timeline, acknowledged=True)
    glances(timeline, (0.1, SYN_RECV), (0.102, ESTABLISHED))
    monkeypatch.setattr("sockstates.evidence.doubts.MOST_UNREAD", timeline.unread - 1)
    assert doubt(timeline, at(10)) is None
    samples(timeline, (0.2, FIN_WAIT1))
    assert "psutil      FIN_WAIT1" in str(doubt(timeline, at(10)))
    assert timeline.wire
    assert "segments    CLOSE_WAIT" in str(doubt(timeline, at(10)))


def test_doubt_says_what_was_lost_first_and_few_contradictions() -> None:
    timeline = empty_timeline()
    for port in range(5):
        key = ("server", SERVER, CLIENT._replace(port=port + 1))
        samples(timeline, (0.1, ESTABLISHED), key=key)
        changes(timeline, (0, CLOSED), (0.1, FIN_WAIT1), key=key)
    assert len(contradictions(timeline, at(10))) == 5
    text = doubt(timeline, at(10))
    assert text is not None
    assert text.count("contradict each other") == 3
    assert text.endswith("and 2 more contradictions")
    timeline.add(ClockStepped(at(1), "client", 2 * NANOSECONDS))
    assert "clock was set by +2.000 s" in str(doubt(timeline, at(10)))
    timeline.events.insert(0, FramesLost(at(1), "client", 3))
    assert "lost 3 frames" in str(doubt(timeline, at(10)))
