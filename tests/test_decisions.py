"""Which segment a filter's decision was about, and how reports show it; on hand-made timelines."""

import pytest

from sockstates.evidence.decisions import decided_segments
from sockstates.record.events import RuleChanged
from sockstates.record.kernel_events import FilterDecided
from sockstates.record.timeline import Timeline
from sockstates.report.delivery import dropping_rules, lost_segments
from sockstates.report.text import ladder, text_timeline
from sockstates.tcp.segment import Address
from tests.recorded import Written, at, empty_timeline, sends

CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)
RULE = "-A INPUT -s client -j DROP"
DATA = Written("P.", 1000, 7, b"abc")


def _decided(
    seconds: float,
    written: Written = DATA,
    *,
    host: str = "server",
    chain: str = "INPUT",
    line: str = RULE,
) -> FilterDecided:
    return FilterDecided(
        at(seconds),
        host,
        line,
        "drop",
        Address(*CLIENT),
        Address(*SERVER),
        written.flags,
        written.sequence,
        written.acknowledgement,
        len(written.payload),
        chain,
    )


@pytest.fixture
def timeline() -> Timeline:
    """The same segment three times: let in, dropped, dropped; and something else."""
    made = empty_timeline("router")
    for seconds in (0.1, 0.3, 0.7):
        sends(made, seconds, CLIENT, SERVER, DATA)
    sends(made, 0.8, CLIENT, SERVER, Written(".", 1003, 7))
    made.add(_decided(0.3001))
    made.add(_decided(0.7001))
    return made


def test_a_decision_is_about_the_latest_equal_segment(timeline: Timeline) -> None:
    assert [each.time for each in decided_segments(timeline)] == [at(0.3), at(0.7)]


def test_decisions_that_come_late_are_about_one_segment_each(timeline: Timeline) -> None:
    timeline.events = [each for each in timeline.events if not isinstance(each, FilterDecided)]
    timeline.add(_decided(0.71))
    timeline.add(_decided(0.72))
    assert {each.time for each in decided_segments(timeline)} == {at(0.3), at(0.7)}


@pytest.mark.parametrize(
    "other",
    [
        _decided(0.9, Written("P.", 1001, 7, b"abc")),
        _decided(0.9, Written("P.", 1000, 8, b"abc")),
        _decided(0.9, Written("P.", 1000, 7, b"abcd")),
        _decided(0.9, Written(".", 1000, 7, b"abc")),
        _decided(0.05),
        _decided(0.9, chain="OUTPUT"),
    ],
)
def test_a_decision_about_something_else_finds_nothing(
    timeline: Timeline, other: FilterDecided
) -> None:
    before = decided_segments(timeline)
    timeline.add(other)
    assert decided_segments(timeline) == before


def test_a_dropped_segment_ends_at_the_host_that_dropped_it(timeline: Timeline) -> None:
    assert {each.time: where for each, where in lost_segments(timeline).items()} == {
        at(0.3): "server",
        at(0.7): "server",
    }
    assert set(dropping_rules(timeline).values()) == {RULE}


def test_without_a_trace_what_was_captured_arrived(timeline: Timeline) -> None:
    timeline.events = [each for each in timeline.events if not isinstance(each, FilterDecided)]
    assert not lost_segments(timeline)


def test_a_rule_that_is_not_the_scenarios_is_said_to_be_none(timeline: Timeline) -> None:
    sends(timeline, 0.9, CLIENT, SERVER, Written("F.", 1003, 7))
    timeline.add(_decided(0.9001, Written("F.", 1003, 7), line=""))
    assert "drop: a rule of server that is not the scenario's" in dropping_rules(timeline).values()


def test_the_ladder_names_the_rule_where_the_arrow_ends(timeline: Timeline) -> None:
    timeline.add(RuleChanged(at(0.2), "server", RULE, "applied"))
    drawn = ladder(timeline).splitlines()
    arrows = [line for line in drawn if "[P.]" in line]
    assert [f"x {RULE}" in line for line in arrows] == [False, True, True]
    assert arrows[0].endswith(">|")
    assert drawn[-1] == "x with a rule: what the filter says that the rule dropped or rejected"
    assert "not at its destination" not in ladder(timeline)


def test_the_ladder_says_in_which_router(timeline: Timeline) -> None:
    fin = Written("F.", 1003, 7)
    sends(timeline, 0.9, CLIENT, SERVER, fin, seen_at=("router",))
    line = "-A FORWARD -j DROP"
    timeline.add(_decided(0.9001, fin, host="router", chain="FORWARD", line=line))
    assert f"x in router: {line}" in ladder(timeline)
    assert f"[lost in router, by {line}]" in text_timeline(timeline)


def test_a_long_rule_leaves_room_for_the_arrow(timeline: Timeline) -> None:
    fin = Written("F.", 1003, 7)
    sends(timeline, 0.9, CLIENT, SERVER, fin)
    timeline.add(_decided(0.9001, fin, line="-A INPUT " + "-s client " * 9 + "-j DROP"))
    (arrow,) = [line for line in ladder(timeline).splitlines() if "[F.]" in line]
    assert len(arrow) <= 80
    assert "x -A INPUT -s client" in arrow
    assert arrow.rstrip(" |").endswith("... -j DROP"), "what it does is said in any case"
