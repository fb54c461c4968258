"""What an entry of the catalogue says of itself is held against recorded timelines."""

import errno
import re

import pytest

from sockstates.catalogue.entries import Facts
from sockstates.catalogue.facts import hold
from sockstates.evidence.verdicts import ExpectationFailed, Inconclusive
from sockstates.record.events import CallBegan, CallEnded, FramesLost, ProgramWrote, SocketSeen
from sockstates.record.timeline import Timeline
from sockstates.tcp.segment import Address
from sockstates.tcp.states import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    State,
)
from tests.recorded import Written, at, empty_timeline, sends
from tests.report_samples import (
    CLIENT,
    HERE,
    SERVER,
    THERE,
    sampled,
    sampled_story,
    traced_story,
)

HOSTS = ("client", "server")


def held(timeline: Timeline, hosts: tuple[str, ...] = HOSTS, **facts: object) -> None:
    hold(Facts((53,), "hangs", **facts), timeline, hosts)  # type: ignore[arg-type]


class TestStates:
    @pytest.mark.parametrize("story", [sampled_story, traced_story])
    def test_nothing_named_is_nothing_held(self, story: object) -> None:
        held(story())  # type: ignore[operator]

    def test_states_that_were_seen_hold_by_samples_and_by_the_tracepoint(self) -> None:
        held(sampled_story(), client=(ESTABLISHED, CLOSE_WAIT), server=(LISTEN, FIN_WAIT1))
        held(traced_story(), client=(SYN_SENT, ESTABLISHED, FIN_WAIT1, TIME_WAIT))

    @pytest.mark.parametrize(
        ("facts", "expected", "seen"),
        [
            ({"client": (SYN_SENT, CLOSING)}, "SYN_SENT, then CLOSING", "SYN_SENT, ESTABLISHED"),
            (
                {"server": (CLOSE_WAIT, ESTABLISHED)},
                "CLOSE_WAIT, then ESTABLISHED",
                "ESTABLISHED,\n *CLOSE_WAIT$",
            ),
        ],
    )
    def test_what_was_not_seen_or_in_another_order_fails(
        self, facts: dict[str, tuple[State, ...]], expected: str, seen: str
    ) -> None:
        with pytest.raises(ExpectationFailed) as caught:
            held(traced_story(), **facts)
        assert "pytest.mark.phenomenon(53) says of the" in str(caught.value)
        assert re.search(rf"  expected  {expected}\n  seen      .*{seen}", str(caught.value))

    def test_what_must_have_been_between_two_samples_was_seen(self) -> None:
        timeline = empty_timeline()
        for moment, state in enumerate((ESTABLISHED, FIN_WAIT2), 1):
            timeline.add(sampled(moment, "client", state))
        held(timeline, client=(ESTABLISHED, FIN_WAIT1, FIN_WAIT2))

    def test_what_may_have_passed_unseen_is_inconclusive(self) -> None:
        timeline = empty_timeline()
        for moment, state in enumerate((ESTABLISHED, TIME_WAIT), 1):
            timeline.add(sampled(moment, "client", state))
        with pytest.raises(ExpectationFailed):  # no FIN of the server's was captured
            held(timeline, client=(CLOSING,))
        timeline.add(FramesLost(at(2), "client", 1))
        with pytest.raises(Inconclusive, match="may have passed unseen, or not"):
            held(timeline, client=(CLOSING,))

    def test_a_listener_and_its_connection_are_two_endpoints(self) -> None:
        timeline = empty_timeline()
        timeline.add(SocketSeen(at(0.5), "server", THERE, None, LISTEN))
        timeline.add(sampled(1, "server", SYN_RECV))
        held(timeline, server=(LISTEN, SYN_RECV))
        held(timeline, server=(SYN_RECV, LISTEN))
        with pytest.raises(ExpectationFailed):
            held(timeline, client=(LISTEN,))

    def test_states_of_two_connections_count_for_their_host(self) -> None:
        timeline = empty_timeline()
        timeline.add(sampled(1, "client", ESTABLISHED))
        another = Address(HERE.ip, HERE.port + 1)
        timeline.add(SocketSeen(at(2), "client", another, THERE, SYN_SENT, not_before=at(1.9)))
        held(timeline, client=(ESTABLISHED, SYN_SENT))

    def test_other_hosts_are_named_by_their_order(self) -> None:
        timeline = empty_timeline()
        timeline.add(sampled(1, "client", ESTABLISHED))
        timeline.add(sampled(1, "server", SYN_RECV))
        held(timeline, ("server", "client"), client=(ESTABLISHED,), server=(SYN_RECV,))
        held(timeline, ("client", "third", "server"), server=(SYN_RECV,))
        with pytest.raises(ExpectationFailed, match="of the server \\(third\\)"):
            held(timeline, ("client", "third"), server=(SYN_RECV,))


class TestClosed:
    """CLOSED is absence: it counts only where it says something."""

    def test_the_end_of_an_endpoint_is_closed(self) -> None:
        timeline = empty_timeline()
        timeline.add(sampled(1, "client", ESTABLISHED))
        with pytest.raises(ExpectationFailed):
            held(timeline, client=(CLOSED,))
        timeline.add(sampled(2, "client", CLOSED))
        held(timeline, client=(ESTABLISHED, CLOSED))
        with pytest.raises(ExpectationFailed):
            held(timeline, client=(CLOSED, ESTABLISHED))

    def test_an_end_that_a_look_did_not_find_is_closed(self) -> None:
        timeline = empty_timeline()
        timeline.add(sampled(1, "client", ESTABLISHED))
        with pytest.raises(ExpectationFailed, match="no endpoint at all"):
            held(timeline, server=(CLOSED,))
        timeline.sampled["server"] = at(1.5)
        held(timeline, server=(CLOSED,))

    def test_before_it_was_there_it_is_closed_only_where_a_look_said_so(self) -> None:
        timeline = empty_timeline()
        timeline.add(sampled(1, "client", SYN_SENT))
        timeline.sampled["server"] = at(9)
        timeline.add(sampled(3, "server", ESTABLISHED, before=2.5))
        with pytest.raises(ExpectationFailed):
            held(timeline, server=(CLOSED,))
        timeline = empty_timeline()
        timeline.add(sampled(1, "client", SYN_SENT))
        timeline.add(sampled(3, "server", ESTABLISHED, before=0.5))
        held(timeline, server=(CLOSED, ESTABLISHED))

    def test_calls_and_segments_tell_of_connections_too(self) -> None:
        for tell in (
            lambda to: to.add(CallBegan(at(1), "client", 1, "connect", "", HERE, THERE)),
            lambda to: sends(to, 1, CLIENT, SERVER, Written("S", 1)),
        ):
            timeline = empty_timeline()
            timeline.sampled["client"] = timeline.sampled["server"] = at(2)
            with pytest.raises(ExpectationFailed):
                held(timeline, client=(CLOSED,))
            tell(timeline)
            held(timeline, client=(CLOSED,), server=(CLOSED,))


def ends(timeline: Timeline, call: int, error: int, result: object = None) -> None:
    timeline.add(CallEnded(at(2), "client", call, "connect", error, result))


class TestErrors:
    def test_one_that_a_call_returned_holds(self) -> None:
        timeline = empty_timeline()
        ends(timeline, 1, errno.ETIMEDOUT)
        held(timeline, errors=("ETIMEDOUT",))
        with pytest.raises(ExpectationFailed) as caught:
            held(timeline, errors=("ETIMEDOUT", "EPIPE"))
        assert "  expected  EPIPE (Broken pipe) from a call" in str(caught.value)
        assert "  seen      connect on client ETIMEDOUT" in str(caught.value)

    def test_without_any_it_says_so(self) -> None:
        timeline = empty_timeline()
        ends(timeline, 1, 0, errno.EPIPE)
        with pytest.raises(ExpectationFailed, match="no call failed"):
            held(timeline, errors=("EPIPE",))

    def test_one_that_so_error_told_holds(self) -> None:
        timeline = empty_timeline()
        timeline.add(CallBegan(at(1), "client", 1, "getsockopt", "1, 4"))
        timeline.add(CallBegan(at(1), "client", 2, "getsockopt", "1, 41"))
        timeline.add(CallEnded(at(2), "client", 2, "getsockopt", 0, errno.EPIPE))
        with pytest.raises(ExpectationFailed):
            held(timeline, errors=("EPIPE",))
        timeline.add(CallEnded(at(2), "client", 1, "getsockopt", 0, errno.EPIPE))
        held(timeline, errors=("EPIPE",))

    @pytest.mark.parametrize(
        "text",
        [
            "curl: (7) connection refused",
            "ConnectionRefusedError: [Errno 111]",
            "connect() failed (111: anything)",
            "connect = -1 ECONNREFUSED",
        ],
    )
    def test_one_that_a_program_printed_holds(self, text: str) -> None:
        timeline = empty_timeline()
        first, second = text[:20].encode(), text[20:].encode()
        timeline.add(ProgramWrote(at(1), "client", 1, "stderr", first))
        timeline.add(ProgramWrote(at(1), "client", 2, "stderr", b"x"))
        with pytest.raises(ExpectationFailed, match="and no program printed it"):
            held(timeline, errors=("ECONNREFUSED",))
        timeline.add(ProgramWrote(at(1), "client", 1, "stderr", second))
        held(timeline, errors=("ECONNREFUSED",))
