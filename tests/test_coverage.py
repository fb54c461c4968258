"""Which arcs were seen: one step between two sightings, and nothing else that explains it."""

import errno
import struct

import pytest

from sockstates.evidence.coverage import arcs_seen
from sockstates.record.events import CallBegan, CallEnded, SocketSeen
from sockstates.record.kernel_events import FilterDecided, StateChanged
from sockstates.record.timeline import Timeline
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State
from tests.recorded import Written, at, empty_timeline, sends

CLIENT, SERVER = Address("10.0.0.1", 40000), Address("10.0.0.2", 80)
ANYWHERE = Address("0.0.0.0", 80)
BUILT_IN, PROGRAM = 1, 7


@pytest.fixture
def timeline() -> Timeline:
    return empty_timeline()


def seen(
    timeline: Timeline,
    seconds: float,
    host: str,
    state: str,
    *,
    owner: int | None = BUILT_IN,
    since: float | None = None,
) -> None:
    """The host's end was seen so; not yet `since`, by default 5 ms before."""
    local, remote = (CLIENT, SERVER) if host == "client" else (SERVER, CLIENT)
    before = at(seconds - 0.005 if since is None else since)
    who = None if state == "CLOSED" else owner
    timeline.add(SocketSeen(at(seconds), host, local, remote, State(state), who, not_before=before))


def listens(timeline: Timeline, seconds: float, state: str = "LISTEN") -> None:
    timeline.add(
        SocketSeen(
            at(seconds), "server", ANYWHERE, None, State(state), 1, not_before=at(seconds - 0.01)
        )
    )


def client_sends(
    timeline: Timeline, seconds: float, flags: str, number: int, ack: int = 0, *, data: bytes = b""
) -> None:
    sends(timeline, seconds, CLIENT, SERVER, Written(flags, number, ack, data))


def server_sends(
    timeline: Timeline, seconds: float, flags: str, number: int, ack: int = 0, *, data: bytes = b""
) -> None:
    sends(timeline, seconds, SERVER, CLIENT, Written(flags, number, ack, data))


def client_calls(
    timeline: Timeline, seconds: float, name: str, detail: str = "", error: int = 0
) -> None:
    number = int(seconds * 1000)
    timeline.add(CallBegan(at(seconds), "client", number, name, detail, CLIENT, SERVER))
    timeline.add(CallEnded(at(seconds) + 50_000, "client", number, name, error))


def names(timeline: Timeline) -> set[str]:
    return {arc.name for arc in arcs_seen(timeline)}


def handshake(timeline: Timeline) -> None:
    client_sends(timeline, 1.0, "S", 100)
    server_sends(timeline, 1.001, "S.", 300, 101)
    client_sends(timeline, 1.002, ".", 101, 301)


def established(timeline: Timeline, owner: int | None = BUILT_IN) -> None:
    """Both ends, seen at 1.1 s; nothing of how they got there."""
    handshake(timeline)
    seen(timeline, 1.1, "client", "ESTABLISHED", owner=owner, since=0.9)
    seen(timeline, 1.1, "server", "ESTABLISHED", owner=owner, since=0.9)


def closing(timeline: Timeline) -> None:
    """The client has closed: FIN_WAIT1, seen at 2 s."""
    established(timeline)
    client_calls(timeline, 1.999, "close")
    client_sends(timeline, 1.999, "F.", 101, 301)
    seen(timeline, 2.0, "client", "FIN_WAIT1", owner=None)


def test_two_states_and_the_segment_between_them(timeline: Timeline) -> None:
    closing(timeline)
    server_sends(timeline, 2.1, ".", 301, 102)
    seen(timeline, 2.102, "client", "FIN_WAIT2", owner=None)
    assert names(timeline) == {
        "ESTABLISHED -> FIN_WAIT1 by CLOSE",
        "FIN_WAIT1 -> FIN_WAIT2 by rcv ACK",
    }


def test_two_steps_between_two_sightings_are_not_seen(timeline: Timeline) -> None:
    closing(timeline)
    server_sends(timeline, 2.1, ".", 301, 102)
    server_sends(timeline, 2.101, "F.", 301, 102)
    seen(timeline, 2.102, "client", "TIME_WAIT", owner=None)
    assert names(timeline) == {"ESTABLISHED -> FIN_WAIT1 by CLOSE"}


def test_one_segment_with_both_is_one_step(timeline: Timeline) -> None:
    closing(timeline)
    server_sends(timeline, 2.1, "F.", 301, 102)
    seen(timeline, 2.102, "client", "TIME_WAIT", owner=None)
    assert "FIN_WAIT1 -> TIME_WAIT by rcv FIN,ACK of FIN" in names(timeline)


def test_a_fin_alone_leads_to_closing(timeline: Timeline) -> None:
    closing(timeline)
    server_sends(timeline, 2.1, "F.", 301, 101)
    seen(timeline, 2.102, "client", "CLOSING", owner=None)
    assert "FIN_WAIT1 -> CLOSING by rcv FIN" in names(timeline)


class TestEnds:
    def test_a_reset(self, timeline: Timeline) -> None:
        established(timeline)
        server_sends(timeline, 2.0, "R.", 301, 101)
        seen(timeline, 2.002, "client", "CLOSED")
        assert names(timeline) == {"ESTABLISHED -> CLOSED by rcv RST"}

    def test_nothing_at_all_is_a_timeout(self, timeline: Timeline) -> None:
        established(timeline)
        seen(timeline, 9.0, "client", "CLOSED")
        assert names(timeline) == {"ESTABLISHED -> CLOSED by timeout"}

    def test_nothing_at_all_is_no_timeout_where_calls_are_not_recorded(
        self, timeline: Timeline
    ) -> None:
        established(timeline, owner=PROGRAM)
        seen(timeline, 9.0, "client", "CLOSED")
        assert names(timeline) == set()

    def test_a_reset_long_before_explains_nothing(self, timeline: Timeline) -> None:
        established(timeline)
        server_sends(timeline, 2.0, "R.", 301, 101)
        seen(timeline, 9.0, "client", "CLOSED")
        assert names(timeline) == {"ESTABLISHED -> CLOSED by timeout"}

    def test_a_reset_that_a_rule_dropped_explains_nothing(self, timeline: Timeline) -> None:
        established(timeline)
        server_sends(timeline, 8.998, "R.", 301, 101)
        way = Address(*SERVER), Address(*CLIENT)
        timeline.add(FilterDecided(at(8.999), "client", "-A INPUT", "drop", *way, "R.", 301, 101))
        seen(timeline, 9.0, "client", "CLOSED")
        assert names(timeline) == {"ESTABLISHED -> CLOSED by timeout"}

    def test_a_close_that_sends_rst_is_an_abort(self, timeline: Timeline) -> None:
        established(timeline)
        client_calls(timeline, 2.0, "close")
        client_sends(timeline, 2.00002, "R.", 101, 301)
        seen(timeline, 2.002, "client", "CLOSED")
        assert names(timeline) == {"ESTABLISHED -> CLOSED by ABORT"}

    def test_an_rst_without_a_call_is_no_timeout(self, timeline: Timeline) -> None:
        established(timeline)
        client_sends(timeline, 2.0, "R.", 101, 301)
        seen(timeline, 2.002, "client", "CLOSED")
        assert names(timeline) == set()

    def test_data_after_a_close_is_refused(self, timeline: Timeline) -> None:
        closing(timeline)
        server_sends(timeline, 2.1, "P.", 301, 101, data=b"hello")
        client_sends(timeline, 2.1001, "R", 101)
        seen(timeline, 2.102, "client", "CLOSED")
        assert "FIN_WAIT1 -> CLOSED by rcv data" in names(timeline)


class TestOpening:
    @pytest.mark.parametrize(
        ("error", "event"), [(errno.ETIMEDOUT, "timeout"), (errno.ECONNREFUSED, "rcv ICMP")]
    )
    def test_the_call_says_why_an_open_failed(
        self, timeline: Timeline, error: int, event: str
    ) -> None:
        client_calls(timeline, 1.0, "connect", error=error)
        client_sends(timeline, 1.001, "S", 100)
        seen(timeline, 1.002, "client", "SYN_SENT")
        seen(timeline, 5.0, "client", "CLOSED")
        assert names(timeline) == {
            "CLOSED -> SYN_SENT by active OPEN",
            f"SYN_SENT -> CLOSED by {event}",
        }

    @pytest.mark.parametrize("abort", [True, False])
    def test_taken_back(self, timeline: Timeline, abort: bool) -> None:
        client_calls(timeline, 1.0, "connect")
        seen(timeline, 1.002, "client", "SYN_SENT")
        if abort:
            client_calls(timeline, 1.999, "setsockopt", f"1, 13, {struct.pack('ii', 1, 0)!r}")
        client_calls(timeline, 2.0, "close")
        seen(timeline, 2.002, "client", "CLOSED")
        assert f"SYN_SENT -> CLOSED by {'ABORT' if abort else 'CLOSE'}" in names(timeline)

    def test_a_request_beside_the_listener_which_returns_to_it(self, timeline: Timeline) -> None:
        listens(timeline, 0.5)
        client_sends(timeline, 1.0, "S", 100)
        server_sends(timeline, 1.0001, "S.", 300, 101)
        seen(timeline, 1.002, "server", "SYN_RECV", owner=None)
        client_sends(timeline, 2.0, "R", 101)
        seen(timeline, 2.002, "server", "CLOSED")
        assert names(timeline) == {
            "CLOSED -> LISTEN by passive OPEN",
            "LISTEN -> SYN_RECV by rcv SYN",
            "SYN_RECV -> LISTEN by rcv RST",
        }

    def test_a_syn_sent_again_is_no_other_syn(self, timeline: Timeline) -> None:
        listens(timeline, 0.5)
        client_sends(timeline, 1.0, "S", 100)
        server_sends(timeline, 1.0001, "S.", 300, 101)
        seen(timeline, 1.002, "server", "SYN_RECV", owner=None)
        client_sends(timeline, 2.0, "S", 100)
        seen(timeline, 2.002, "server", "CLOSED")
        assert "SYN_RECV -> CLOSED by timeout" in names(timeline)
        assert "SYN_RECV -> LISTEN by rcv SYN" not in names(timeline)

    def test_without_a_listener_nothing_is_said_of_a_request(self, timeline: Timeline) -> None:
        client_sends(timeline, 1.0, "S", 100)
        server_sends(timeline, 1.0001, "S.", 300, 101)
        seen(timeline, 1.002, "server", "SYN_RECV", owner=None)
        assert names(timeline) == set()


class TestAnotherSynInFinWait2:
    def _arrives(self, timeline: Timeline) -> None:
        handshake(timeline)
        seen(timeline, 1.1, "server", "FIN_WAIT2", owner=None, since=0.9)
        client_sends(timeline, 2.0, "S", 150)

    def test_it_is_refused(self, timeline: Timeline) -> None:
        self._arrives(timeline)
        server_sends(timeline, 2.0001, "R.", 0, 151)
        seen(timeline, 2.002, "server", "CLOSED")
        assert names(timeline) == {"FIN_WAIT2 -> CLOSED by rcv SYN"}

    def test_a_challenge_does_nothing(self, timeline: Timeline) -> None:
        self._arrives(timeline)
        server_sends(timeline, 2.0001, ".", 302, 102)
        seen(timeline, 2.002, "server", "CLOSED")
        assert names(timeline) == {"FIN_WAIT2 -> CLOSED by timeout"}


class TestTimeWait:
    def _begun(self, timeline: Timeline) -> None:
        handshake(timeline)
        seen(timeline, 1.1, "server", "TIME_WAIT", owner=None, since=0.9)

    def test_a_newer_syn_is_answered(self, timeline: Timeline) -> None:
        self._begun(timeline)
        client_sends(timeline, 2.0, "S", 9000)
        server_sends(timeline, 2.0001, "S.", 8000, 9001)
        seen(timeline, 2.002, "server", "SYN_RECV", owner=None)
        assert names(timeline) == {"TIME_WAIT -> SYN_RECV by rcv SYN"}

    def test_an_old_syn_is_not_and_a_reset_ends_it(self, timeline: Timeline) -> None:
        self._begun(timeline)
        client_sends(timeline, 2.0, "S", 50)
        server_sends(timeline, 2.0001, ".", 301, 101)
        client_sends(timeline, 2.0002, "R", 101)
        seen(timeline, 2.002, "server", "CLOSED")
        assert names(timeline) == {"TIME_WAIT -> CLOSED by rcv RST"}

    def test_a_minute_later(self, timeline: Timeline) -> None:
        self._begun(timeline)
        seen(timeline, 61.5, "server", "CLOSED")
        assert names(timeline) == {"TIME_WAIT -> CLOSED by timeout"}


class TestTracepoint:
    def _changed(self, timeline: Timeline, seconds: float, before: str, after: str) -> None:
        states = State(before), State(after)
        timeline.add(StateChanged(at(seconds), "client", CLIENT, SERVER, *states))

    def test_short_states_are_seen(self, timeline: Timeline) -> None:
        handshake(timeline)
        client_calls(timeline, 1.9999, "close")
        self._changed(timeline, 1.99992, "ESTABLISHED", "FIN_WAIT1")
        client_sends(timeline, 1.99993, "F.", 101, 301)
        server_sends(timeline, 2.0, "F.", 301, 101)
        self._changed(timeline, 2.00001, "FIN_WAIT1", "CLOSING")
        server_sends(timeline, 2.00002, ".", 302, 102)
        self._changed(timeline, 2.00003, "CLOSING", "CLOSED")
        assert names(timeline) == {
            "ESTABLISHED -> FIN_WAIT1 by CLOSE",
            "FIN_WAIT1 -> CLOSING by rcv FIN",
            "CLOSING -> TIME_WAIT by rcv ACK",
        }

    def test_a_small_socket_that_takes_over_is_no_timeout(self, timeline: Timeline) -> None:
        handshake(timeline)
        self._changed(timeline, 2.0, "FIN_WAIT2", "CLOSED")
        assert names(timeline) == set()
