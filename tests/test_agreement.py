"""What the kernel says of packets against the captures: each kind of contradiction is found."""

from sockstates import ESTABLISHED, FIN_WAIT1
from sockstates.evidence.agreement import contradictions_about_packets
from sockstates.evidence.doubts import doubt
from sockstates.record.events import Event, RuleChanged, SysctlSet
from sockstates.record.kernel_events import (
    FilterDecided,
    FlowChanged,
    ResetPassed,
    Retransmitted,
    SocketGlanced,
    StateChanged,
    WitnessJoined,
)
from sockstates.record.timeline import Timeline
from sockstates.tcp.segment import Address
from tests.recorded import Written, at, empty_timeline, sends
from tests.recorded_witnesses import CLIENT, SERVER

TRACED = WitnessJoined(at(-1), "tracepoints")
RULE = "-A INPUT -s client -j DROP"
OUTPUT_RULE = "-A OUTPUT -d client -j DROP"
SYN, FIN, RESET = Written("S", 10), Written("F.", 11, 51), Written("R", 11)


def recorded(*events: Event) -> Timeline:
    timeline = empty_timeline()
    for event in (TRACED, *events):
        timeline.add(event)
    return timeline


def told(timeline: Timeline, until: float = 10.0) -> list[str]:
    """What each contradiction says, witness by witness."""
    return [
        "; ".join(f"{name}: {said}" for name, said in each.told)
        for each in contradictions_about_packets(timeline, at(until))
    ]


def sent_again(host: str, local: Address, remote: Address, seconds: float = 1.0) -> Retransmitted:
    return Retransmitted(at(seconds), host, local, remote, ESTABLISHED)


class TestRetransmissions:
    def test_as_many_captured_as_told(self) -> None:
        timeline = recorded(sent_again("client", CLIENT, SERVER))
        sends(timeline, 0.5, CLIENT, SERVER, FIN)
        sends(timeline, 1.0, CLIENT, SERVER, FIN)
        assert not told(timeline)

    def test_told_and_not_captured(self) -> None:
        timeline = recorded(sent_again("client", CLIENT, SERVER))
        sends(timeline, 0.5, CLIENT, SERVER, FIN)
        assert told(timeline) == ["tracepoint: sent again 1 times; capture: sent again 0 times"]

    def test_the_kernel_may_lose_a_record_and_not_say_so(self) -> None:
        timeline = recorded()
        sends(timeline, 0.5, CLIENT, SERVER, FIN)
        sends(timeline, 1.0, CLIENT, SERVER, FIN)
        assert not told(timeline)

    def test_several_segments_of_one_word(self) -> None:
        timeline = recorded(sent_again("client", CLIENT, SERVER))
        for seconds in (0.5, 1.0):
            sends(timeline, seconds, CLIENT, SERVER, Written(".", 11, 51, b"a" * 100))
            sends(timeline, seconds, CLIENT, SERVER, Written(".", 111, 51, b"b" * 100))
        assert not told(timeline)

    def test_what_its_own_filter_may_have_dropped_is_left_out(self) -> None:
        event = RuleChanged(at(0), "client", OUTPUT_RULE, "applied")
        timeline = recorded(event, sent_again("client", CLIENT, SERVER))
        assert not told(timeline)

    def test_what_netem_may_have_lost_is_left_out(self) -> None:
        event = SysctlSet(at(0), "client", "eth0 netem", "loss 0.5")
        timeline = recorded(event, sent_again("client", CLIENT, SERVER))
        assert not told(timeline)

    def test_what_was_not_heard_yet_is_not_judged(self) -> None:
        timeline = recorded(sent_again("client", CLIENT, SERVER))
        sends(timeline, 0.5, CLIENT, SERVER, FIN)
        assert not told(timeline, until=0.9)

    def test_the_syn_ack_of_a_simultaneous_open_is_no_repetition(self) -> None:
        timeline = recorded()
        sends(timeline, 0.5, CLIENT, SERVER, SYN)
        sends(timeline, 1.0, CLIENT, SERVER, Written("S.", 10, 51))
        assert not told(timeline)


class TestResets:
    def test_sent(self) -> None:
        event = ResetPassed(at(1), "client", CLIENT, SERVER, sent=True)
        timeline = recorded(event)
        sends(timeline, 0.5, CLIENT, SERVER, SYN)
        assert told(timeline) == ["tracepoint: the kernel sent 1; capture: 0 by then"]
        sends(timeline, 1.0, CLIENT, SERVER, RESET)
        assert not told(timeline)

    def test_taken_in(self) -> None:
        event = ResetPassed(at(1.001), "server", SERVER, CLIENT, sent=False)
        timeline = recorded(event)
        sends(timeline, 0.5, CLIENT, SERVER, SYN)
        assert told(timeline) == ["tracepoint: the kernel took in 1; capture: 0 by then"]
        sends(timeline, 1.0, CLIENT, SERVER, RESET)
        assert not told(timeline)

    def test_one_that_was_captured_later_is_another_one(self) -> None:
        event = ResetPassed(at(1), "server", SERVER, CLIENT, sent=False)
        timeline = recorded(event)
        sends(timeline, 5.0, CLIENT, SERVER, RESET)
        assert told(timeline)

    def test_data_for_a_closed_end_counts_as_a_reset(self) -> None:
        timeline = recorded(ResetPassed(at(1.001), "server", SERVER, CLIENT, sent=False))
        sends(timeline, 1.0, CLIENT, SERVER, Written("P.", 11, 51, b"late"))
        assert not told(timeline)

    def test_of_an_end_that_nobody_else_knows_nothing_is_concluded(self) -> None:
        """An orphan of a lab before this one, with the addresses that are this lab's now."""
        stranger = CLIENT._replace(port=7001)
        timeline = recorded(
            ResetPassed(at(1), "client", stranger, SERVER, sent=True),
            sent_again("client", stranger, SERVER),
        )
        sends(timeline, 0.5, CLIENT, SERVER, SYN)
        key = "client", stranger, SERVER
        timeline.add(StateChanged(at(-5), *key, ESTABLISHED, FIN_WAIT1))
        assert not told(timeline)
        timeline.add(SocketGlanced(at(0.5), *key, ESTABLISHED))
        assert len(told(timeline)) == 2

    def test_one_that_names_no_peer_and_one_on_one_host_are_left_out(self) -> None:
        nobody, local = Address("0.0.0.0", 0), Address("127.0.0.1", 80)
        timeline = recorded(
            ResetPassed(at(1), "server", SERVER, nobody, sent=True),
            ResetPassed(at(1), "server", local, local._replace(port=9), sent=True),
        )
        assert not told(timeline)


def dropped(chain: str = "INPUT", seconds: float = 1.0) -> FilterDecided:
    written = FIN.flags, FIN.sequence, FIN.acknowledgement
    return FilterDecided(at(seconds), "server", RULE, "drop", CLIENT, SERVER, *written, chain=chain)


def counted(packets: int, seconds: float = 5.0, change: str = "counted") -> RuleChanged:
    return RuleChanged(at(seconds), "server", RULE, change, packets, packets * 60)


APPLIED = counted(0, 0.1, "applied")


class TestTheFilter:
    def test_what_it_dropped_was_captured(self) -> None:
        timeline = recorded(APPLIED, dropped(), counted(1))
        sends(timeline, 0.999, CLIENT, SERVER, FIN)
        assert not told(timeline)

    def test_what_it_dropped_and_nobody_captured(self) -> None:
        assert told(recorded(dropped())) == [
            "filter: drop of Flags [F.], seq 11; capture: no such segment came"
        ]
        assert not told(recorded(dropped(chain="OUTPUT")))

    def test_what_it_dropped_and_did_not_count(self) -> None:
        timeline = recorded(APPLIED, dropped(), dropped(seconds=2), counted(1))
        sends(timeline, 0.999, CLIENT, SERVER, FIN)
        assert told(timeline) == ["filter: 2 packets ended at this rule; counter: 1 packets"]

    def test_what_it_dropped_after_the_counting_is_not_missed(self) -> None:
        timeline = recorded(APPLIED, dropped(), counted(1), dropped(seconds=6))
        sends(timeline, 0.999, CLIENT, SERVER, FIN)
        assert not told(timeline)

    def test_a_rule_that_began_anew_counts_on(self) -> None:
        timeline = recorded(
            APPLIED,
            dropped(seconds=1),
            counted(1, 2.0, "deleted"),
            counted(0, 3.0, "applied"),
            dropped(seconds=4),
            counted(1, 5.0),
        )
        sends(timeline, 0.999, CLIENT, SERVER, FIN)
        assert not told(timeline)

    def test_a_counter_that_says_more_than_came_in(self) -> None:
        timeline = recorded(APPLIED, counted(2))
        sends(timeline, 1.0, CLIENT, SERVER, FIN)
        sends(timeline, 1.0, SERVER, CLIENT, Written(".", 51, 12))
        assert told(timeline) == ["counter: 2 packets; capture: 1 packets came in at all"]
        sends(timeline, 2.0, CLIENT, SERVER, FIN)
        timeline.add(sent_again("client", CLIENT, SERVER, 2.0))
        assert not told(timeline)


def flow(state: str, change: str = "updated") -> FlowChanged:
    return FlowChanged(at(1.0), "server", CLIENT, SERVER, change, state)


class TestConnectionTracking:
    def test_a_state_with_its_segments(self) -> None:
        timeline = recorded(flow("SYN_SENT", "new"), flow("FIN_WAIT"))
        sends(timeline, 0.5, CLIENT, SERVER, SYN)
        sends(timeline, 0.9, CLIENT, SERVER, FIN)
        assert not told(timeline)

    def test_a_state_without_them(self) -> None:
        timeline = recorded(flow("FIN_WAIT"))
        sends(timeline, 0.5, CLIENT, SERVER, SYN)
        assert told(timeline) == [
            "conntrack: FIN_WAIT; capture: [F] by then from 0 of the ends, 1 needed"
        ]

    def test_a_second_fin_must_be_the_others(self) -> None:
        timeline = recorded(flow("LAST_ACK"))
        sends(timeline, 0.5, CLIENT, SERVER, FIN)
        assert "from 1 of the ends, 2 needed" in told(timeline)[0]
        sends(timeline, 0.6, SERVER, CLIENT, Written("F.", 51, 12))
        assert not told(timeline)

    def test_what_needs_no_segment(self) -> None:
        assert not told(recorded(flow("ESTABLISHED"), flow("TIME_WAIT", "destroyed")))
        own = RuleChanged(at(0), "server", OUTPUT_RULE, "applied")
        assert not told(recorded(own, flow("FIN_WAIT")))


def test_a_timeline_without_these_witnesses_has_nothing_to_contradict() -> None:
    timeline = empty_timeline()
    sends(timeline, 0.5, CLIENT, SERVER, SYN)
    assert not told(timeline)
    assert doubt(timeline, at(10)) is None
