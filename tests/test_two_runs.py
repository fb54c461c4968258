"""Two runs of one scenario: what is found to differ, and what only one of them could not see."""

import errno
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sockstates.__main__ import main
from sockstates.evidence.two_runs import Finding, Run, compare, one_timer
from sockstates.record.events import CallBegan, CallEnded, HostReady, SegmentCrafted, SysctlSet
from sockstates.record.timeline import Timeline
from sockstates.report.folder import write_folder
from sockstates.tcp.segment import Address
from sockstates.tcp.states import CLOSE_WAIT, CLOSED, ESTABLISHED, LAST_ACK, SYN_RECV, State
from sockstates.tcp.timers import TICK, early, late
from tests.recorded import Written, at, empty_timeline, sends
from tests.recorded_witnesses import changes, samples

SERVER = Address("10.0.0.2", 80)
PASSIVE = ((0.0, CLOSED), (0.002, ESTABLISHED), (1.0, CLOSE_WAIT))
LINEAR = "net.ipv4.tcp_syn_linear_timeouts"
SYNS = (
    "again after 1.000, 1.000 s, no more for 4.000 s",
    ("again after 1.000, 2.000 s, no more for 3.000 s"),
)
Sent = Sequence[tuple[float, Written]]


def run(
    *states: tuple[float, State],
    port: int = 40000,
    sent: Sent = (),
    answered: float | None = None,
    until: float = 10.0,
    isn: int = 1000,
) -> Timeline:
    """A client opens a connection from `port`; the server sends, and goes through states."""
    timeline = empty_timeline()
    client = Address("10.0.0.1", port)
    sends(timeline, 0.0, client, SERVER, Written("S", 77))
    sends(timeline, 0.001, SERVER, client, Written("S.", isn, 78))
    sends(timeline, 0.002, client, SERVER, Written(".", 78, isn + 1))
    for seconds, written in sent:
        sends(timeline, seconds, SERVER, client, written)
    if answered is not None:
        sends(timeline, answered, client, SERVER, Written(".", 78, isn + 6))
    key = "server", SERVER, client
    if states:
        changes(timeline, *states, key=key)
    samples(timeline, until=until, key=key)
    timeline.sampled["client"] = timeline.glanced["client"] = at(until)
    return timeline


def data(*moments: float, isn: int = 1000) -> Sent:
    """The same five bytes, each time."""
    return [(each, Written("P.", isn + 1, 78, b"hello")) for each in moments]


def found(first: Timeline, second: Timeline, tick: float = TICK) -> list[Finding]:
    return compare(Run(first, tick), Run(second, tick))


def differing(first: Timeline, second: Timeline) -> list[str]:
    """What differs, and that it does so both ways round."""
    one = [each.what for each in found(first, second) if each.differs]
    assert sorted(one) == sorted(e.what for e in found(second, first) if e.differs)
    return one


def remarks(first: Timeline, second: Timeline) -> list[str]:
    assert not differing(first, second)
    return [each.what for each in found(first, second)]


def test_the_same_run_with_other_ports_and_numbers_agrees() -> None:
    first = run(*PASSIVE, sent=data(0.1, 0.3), answered=0.4)
    second = run(*PASSIVE, sent=data(0.1, 0.3, isn=9000), answered=0.4, port=50000, isn=9000)
    assert found(first, second) == []


class TestStates:
    WHAT = "server.80 (to client.*): states"

    def test_another_state_differs(self) -> None:
        other = (*PASSIVE[:2], (1.0, LAST_ACK))
        assert differing(run(*PASSIVE), run(*other)) == [self.WHAT]

    def test_both_are_said(self) -> None:
        (finding,) = found(run(*PASSIVE), run(*PASSIVE[:2], (1.0, LAST_ACK)))
        assert finding.first.endswith("ESTABLISHED > CLOSE_WAIT")
        assert finding.second.endswith("ESTABLISHED > LAST_ACK")

    def test_what_only_one_could_see_is_a_remark(self) -> None:
        blurred = run()
        key = "server", SERVER, Address("10.0.0.1", 40000)
        samples(blurred, (0.05, ESTABLISHED), (1.0, CLOSE_WAIT), key=key)
        exact = run()
        samples(exact, (0.001, SYN_RECV), key=key)
        changes(exact, *PASSIVE, key=key)
        assert remarks(exact, blurred) == [self.WHAT]

    def test_where_the_tracepoint_lost_a_change_nothing_is_concluded(self) -> None:
        torn = run(*PASSIVE)
        key = "server", SERVER, Address("10.0.0.1", 40000)
        torn.changes(key)[-1] = replace(torn.changes(key)[-1], before=LAST_ACK)
        assert remarks(torn, run(*PASSIVE[:2], (1.0, LAST_ACK))) == [self.WHAT]

    def test_a_run_that_ended_before_is_a_remark(self) -> None:
        assert remarks(run(*PASSIVE), run(*PASSIVE[:2], until=late(0.9))) == [self.WHAT]

    def test_a_state_that_did_not_come_although_it_was_waited_for_differs(self) -> None:
        assert differing(run(*PASSIVE), run(*PASSIVE[:2], until=1.3)) == [self.WHAT]


class TestSchedules:
    WHAT = "server.80 (to client.*): bytes at 1"

    def test_late_by_what_a_timer_may_be_agrees(self) -> None:
        first = run(sent=data(0.1, 0.1 + early(0.4)), answered=0.7)
        assert found(first, run(sent=data(0.1, 0.1 + late(0.4)), answered=0.7)) == []

    def test_later_than_that_differs(self) -> None:
        first = run(sent=data(0.1, 0.1 + early(0.4)), answered=0.7)
        second = run(sent=data(0.1, 0.11 + late(0.4)), answered=0.7)
        assert differing(first, second) == [self.WHAT]

    def test_a_finer_tick_allows_less(self) -> None:
        first, second = run(sent=data(0.1, 0.5)), run(sent=data(0.1, 0.58))
        assert not any(each.differs for each in found(first, second))
        assert any(each.differs for each in found(first, second, tick=0.001))

    def test_a_second_gap_counts_too(self) -> None:
        first = run(sent=data(0.1, 0.5, 1.3), answered=1.4)
        second = run(sent=data(0.1, 0.5, 0.9), answered=1.4)
        assert differing(first, second) == [self.WHAT]

    def test_once_more_differs_where_the_other_was_left_waiting(self) -> None:
        first = run(sent=data(0.1, 0.5, 1.3), answered=1.4)
        second = run(sent=data(0.1, 0.5), answered=0.5 + late(late(0.8)) + 0.1)
        assert differing(first, second) == [self.WHAT]

    def test_once_more_is_a_remark_where_the_answer_came_before(self) -> None:
        first = run(sent=data(0.1, 0.5, 1.3), answered=1.4)
        assert remarks(first, run(sent=data(0.1, 0.5), answered=1.29)) == [self.WHAT]

    def test_once_more_differs_where_the_other_gave_up(self) -> None:
        life = (0.0, CLOSED), (0.002, ESTABLISHED), (1.2, CLOSED)
        first = run(*life[:2], (2.2, CLOSED), sent=data(0.1, 0.5, 1.3), until=2.3)
        second = run(*life, sent=data(0.1, 0.5), until=1.25)
        assert differing(first, second) == [self.WHAT]

    def test_what_the_other_never_sent_differs_when_it_was_repeated(self) -> None:
        assert differing(run(sent=data(0.1, 0.5)), run()) == [self.WHAT]
        assert differing(run(sent=data(0.1)), run()) == []

    def test_what_the_scenario_wrote_itself_has_no_schedule(self) -> None:
        first, second = run(sent=data(0.1, 0.5)), run(sent=data(0.1, 2.5))
        for timeline in (first, second):
            ends = SERVER, Address("10.0.0.1", 40000)
            timeline.add(SegmentCrafted(at(0.1), "server", *ends, "text"))
        assert found(first, second) == []

    @pytest.mark.parametrize(("crossing", "differs"), [(True, 0), (False, 1)])
    def test_syns_that_cross_have_no_schedule(self, crossing: bool, differs: int) -> None:
        first, second = run(), run()
        for timeline, again in ((first, 1.0), (second, 3.0)):
            ends = Address("10.0.0.1", 7001), Address("10.0.0.2", 7002)
            for each in (0.0, again):
                sends(timeline, 4 + each, *ends, Written("S", 5))
            if crossing:
                sends(timeline, 4.5, *ends[::-1], Written("S", 9))
        assert len(differing(first, second)) == differs

    @pytest.mark.parametrize(("asked", "differs"), [(1, 1), (2, 0)])
    def test_what_answers_a_syn_that_came_again_has_no_schedule(
        self, asked: int, differs: int
    ) -> None:
        first, second = run(), run()
        for timeline, again in ((first, 1.0), (second, 3.0)):
            client, server = Address("10.0.0.1", 7001), Address("10.0.0.2", 7002)
            for count in range(asked):
                sends(timeline, 4 + count, client, server, Written("S", 5))
            for each in (0.001, again):
                sends(timeline, 4 + each, server, client, Written("S.", 9, 6))
        found = [each for each in differing(first, second) if "SYN-ACK" in each]
        assert len(found) == differs


def test_one_length_of_a_timer_explains_two_times_or_does_not() -> None:
    assert one_timer(early(1), TICK, late(1), TICK)
    assert one_timer(late(1), TICK, early(1), TICK)
    assert not one_timer(early(1), TICK, late(1) + 0.001, TICK)


def called(error: int | None) -> Timeline:
    timeline = run()
    client = Address("10.0.0.1", 40000)
    timeline.add(CallBegan(at(0.0), "client", 1, "connect", "", client, SERVER))
    if error is not None:
        timeline.add(CallEnded(at(1.0), "client", 1, "connect", error))
    return timeline


@pytest.mark.parametrize(
    ("error", "text"),
    [(0, "ok"), (errno.ECONNREFUSED, "ECONNREFUSED"), (None, "still waiting")],
)
def test_how_a_call_ended_differs(error: int | None, text: str) -> None:
    assert found(called(error), called(error)) == []
    (finding,) = found(called(errno.ETIMEDOUT), called(error))
    assert finding == Finding("client.* (to server.80): connect", "ETIMEDOUT", text)


def test_a_connection_that_only_one_has_differs() -> None:
    more = run()
    sends(more, 1.0, Address("10.0.0.1", 40001), SERVER, Written("S", 5))
    assert differing(run(), more) == [
        "client.* (to server.80), number 2",
        "server.80 (to client.*), number 2",
    ]


def test_like_is_compared_with_like() -> None:
    name = "net.ipv4.tcp_retries2"
    first, second = run(), run()
    first.add(SysctlSet(at(0.0), "client", name, "3", "15"))
    second.add(SysctlSet(at(0.0), "client", name, "4", "15"))
    assert differing(first, second) == [f"client: {name}"]


def test_a_setting_that_one_kernel_lacks_is_a_remark() -> None:
    first = run()
    first.add(HostReady(at(0.0), "client", 1, {LINEAR: "4"}))
    assert remarks(first, run()) == [f"client: {LINEAR}"]


@pytest.mark.parametrize(("settings", "differs"), [({}, False), ({LINEAR: "4"}, True)])
def test_syns_of_a_kernel_without_linear_timeouts_have_a_schedule_of_their_own(
    settings: dict[str, str], differs: bool
) -> None:
    first, second = run(), run()
    for timeline, syns in ((first, (1.0, 2.0)), (second, (1.0, 3.0))):
        for each in (0.0, *syns):
            sends(timeline, 4 + each, Address("10.0.0.1", 41000), SERVER, Written("S", 5))
    first.add(HostReady(at(0.0), "client", 1, {LINEAR: "4"}))
    second.add(HostReady(at(0.0), "client", 1, settings))
    what = "client.* (to server.80), number 2: SYN at 0"
    assert Finding(what, *SYNS, differs=differs) in found(first, second)


class TestCommand:
    def report(self, base: Path, name: str, **scenarios: Timeline) -> Path:
        for scenario, timeline in scenarios.items():
            write_folder(timeline, base / name / scenario)
        return base / name

    def test_reports_that_agree(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        one = self.report(tmp_path, "one", a=run(*PASSIVE), b=run())
        other = self.report(tmp_path, "other", a=run(*PASSIVE))
        assert main(["compare", str(one), str(other)]) == 0
        assert capsys.readouterr().out.endswith("1 of 1 scenarios agree; 1 only in the first\n")
        assert main(["compare", str(one), str(other), "-v"]) == 0
        assert "\nagrees  a\n" in capsys.readouterr().out

    def test_reports_that_differ(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        one = self.report(tmp_path, "one", a=run(sent=data(0.1, 0.5)), b=run())
        other = self.report(tmp_path, "other", a=run(sent=data(0.1, 1.5)), b=run())
        assert main(["compare", str(one), str(other)]) == 1
        said = capsys.readouterr().out
        assert "differs a\n    server.80 (to client.*): bytes at 1\n" in said
        assert "        first   again after 0.400 s, no more for 9.500 s\n" in said
        assert "        second  again after 1.400 s, no more for 8.500 s\n" in said
        assert said.endswith("1 of 2 scenarios agree\n")
        assert main(["compare", str(one), str(other), "--without", "a"]) == 0
        assert capsys.readouterr().out.endswith("1 of 1 scenarios agree\n")

    def test_nothing_in_common(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        one = self.report(tmp_path, "one", a=run())
        assert main(["compare", str(one), str(tmp_path / "none")]) == 1
        assert "there is no scenario that both reports have: 1 are in" in capsys.readouterr().err

    def test_a_broken_recording(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        one = self.report(tmp_path, "one", a=run())
        other = self.report(tmp_path, "other", a=run())
        (other / "a" / "timeline.jsonl").write_text("{}\n")
        assert main(["compare", str(one), str(other)]) == 1
        assert "is not a timeline" in capsys.readouterr().err
