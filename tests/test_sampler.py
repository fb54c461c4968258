"""Watching sockets: what is recorded, when, and how soon; under load too."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest

from sockstates import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT2,
    LISTEN,
    SYN_SENT,
    TIME_WAIT,
    Host,
    Lab,
)
from sockstates.record.events import NANOSECONDS, CallBegan, SocketSeen
from sockstates.sandbox.witnesses import sampler as sampler_module
from sockstates.sandbox.witnesses.sampler import (
    ATTENDED,
    MILLISECOND,
    Sampler,
    pause_after,
    timer_moved,
)
from sockstates.sandbox.witnesses.socket_diagnostics import SocketDiagnostics
from sockstates.tcp.segment import Address

pytestmark = pytest.mark.families("ipv4")

BUSY = "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: pass"


def _states(lab: Lab, host: str, local: Address) -> list[str]:
    """The states of one endpoint, each once, in the order in which they were seen."""
    states = [
        str(each.state)
        for each in lab.timeline.events
        if isinstance(each, SocketSeen) and (each.host, each.local) == (host, local)
    ]
    return [state for state, before in zip(states, ["", *states], strict=False) if state != before]


def test_a_whole_life_is_seen(lab: Lab, client: Host, server: Host) -> None:
    connection = client.connect(server.listen())
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    connection.client.shutdown()
    connection.client.reaches(FIN_WAIT2)
    connection.server.close()
    connection.client.reaches(TIME_WAIT)
    connection.server.reaches(CLOSED)
    seen = _states(lab, "client", connection.client.local)
    assert [each for each in seen if each in ("ESTABLISHED", "FIN_WAIT2", "TIME_WAIT")] == [
        *("ESTABLISHED", "FIN_WAIT2", "TIME_WAIT")
    ]


def test_only_changes_are_recorded(lab: Lab, server: Host) -> None:
    listener = server.listen()
    listener.reaches(LISTEN)
    known, samples = len(lab.timeline.history(listener.key)), server.settle()
    listener.stays(LISTEN, seconds=0.3)
    for _ in range(5):  # besides those of the watch: how many these are, the machine decides
        server.sample()
    assert server.settle() > samples + 5
    assert len(lab.timeline.history(listener.key)) == known == 1


def test_each_observation_says_since_when_it_may_be_so(lab: Lab, server: Host) -> None:
    asked = lab.now()
    server.sample()
    listener = server.listen()
    listener.reaches(LISTEN)
    seen = lab.timeline.latest(listener.key)
    assert seen is not None
    assert asked < seen.not_before < seen.time < lab.now()


def test_what_sock_diag_alone_shows_is_recorded_beside(
    lab: Lab, client: Host, server: Host
) -> None:
    connection = client.connect(server.listen())
    connection.client.reaches(ESTABLISHED)
    client.sample()
    connection.client.shutdown()
    connection.client.reaches(FIN_WAIT2)
    client.sample()  # sock_diag is read before psutil, which may be the first to see a state
    connection.server.accept()
    connection.server.close()
    connection.client.reaches(TIME_WAIT)
    connection.server.reaches(CLOSED)
    lab.settle()
    glances = lab.timeline.glances(connection.client.key)
    lasting = (ESTABLISHED, FIN_WAIT2, TIME_WAIT)
    assert tuple(each.state for each in glances if each.state in lasting) == lasting
    assert lab.timeline.glances(connection.server.key)[-1].state is CLOSED


def test_a_glance_says_since_when_it_may_be_so_and_until_when_it_was(
    lab: Lab, client: Host, server: Host
) -> None:
    connection = client.connect(server.listen())
    connection.client.reaches(ESTABLISHED)
    connection.client.stays(ESTABLISHED, seconds=0.1)
    connection.client.shutdown()
    connection.client.reaches(FIN_WAIT2)
    lab.settle()
    glances = lab.timeline.glances(connection.client.key)
    place = next(i for i, each in enumerate(glances) if each.state is ESTABLISHED)
    established, last = glances[place : place + 2]
    (shutdown,) = [
        each.time
        for each in lab.timeline.events
        if isinstance(each, CallBegan) and each.name == "shutdown"
    ]
    assert established.time < last.not_before < last.time
    assert last.not_before - established.time > NANOSECONDS // 20
    assert shutdown < last.time <= lab.timeline.sampled["client"]
    assert last.not_before <= lab.timeline.glanced["client"] <= lab.timeline.sampled["client"]


def test_only_changes_of_state_are_glances(lab: Lab, client: Host, server: Host) -> None:
    connection = client.connect(server.listen())
    connection.server.reaches(ESTABLISHED, receive_queue=0)
    connection.client.send(b"1")
    connection.server.reaches(ESTABLISHED, receive_queue=1)
    states = [each.state for each in lab.timeline.glances(connection.server.key)]
    assert states[-1] is ESTABLISHED
    assert all(state is not before for state, before in pairwise(states))
    assert len(lab.timeline.history(connection.server.key)) > 1


def test_owner_and_queues_are_of_the_same_socket(client: Host, server: Host) -> None:
    connection = client.connect(server.listen())
    connection.server.reaches(ESTABLISHED, owner=None, receive_queue=0)
    connection.client.send(b"123")
    connection.server.reaches(ESTABLISHED, owner=None, receive_queue=3)
    connection.server.accept()
    connection.server.reaches(ESTABLISHED, owner=server, receive_queue=3)


def test_the_backlog_of_a_listener_is_seen(client: Host, server: Host) -> None:
    listener = server.listen(backlog=7)
    listener.reaches(LISTEN, send_queue=7, receive_queue=0)
    client.connect(listener).client.reaches(ESTABLISHED)
    listener.reaches(LISTEN, send_queue=7, receive_queue=1)


def test_a_running_timer_is_seen(lab: Lab, client: Host, server: Host) -> None:
    connection = client.connect(server.listen())
    connection.client.reaches(ESTABLISHED)
    client.iptables("-A INPUT -s server -j DROP")
    connection.client.send(b"1")
    connection.client.reaches(ESTABLISHED, send_queue=1)
    lab.sees("client > server: Flags [P.]\n...\nclient > server: Flags [P.]")
    # Not only the last one: that may have been taken at the very moment at which the timer ran out.
    seen = lab.timeline.history(connection.client.key)
    assert any(each.timer == "retransmit" and each.timer_expires for each in seen)


def test_a_timer_that_is_started_anew_is_told_anew(lab: Lab, client: Host, server: Host) -> None:
    """Each repetition of the peer's FIN lets TIME_WAIT begin from its start (RFC 9293, 3.10.7)."""
    connection = client.connect(server.listen())
    connection.client.reaches(ESTABLISHED)
    connection.client.close()
    connection.server.reaches(CLOSE_WAIT)
    connection.client.reaches(FIN_WAIT2)
    client.iptables("-A OUTPUT -d server -j DROP")
    connection.server.close()
    connection.client.reaches(TIME_WAIT)
    lab.sees("server > client: Flags [F.]\n...\nserver > client: Flags [F.]")

    def due() -> list[int]:
        history = lab.timeline.history(connection.client.key)
        found = [seen for seen in history if seen.timer == "time-wait"]
        return [seen.time + (seen.timer_expires or 0) for seen in found]

    lab.wait_until(lambda: len(due()) > 1, "the timer to be told again", 5)
    first, *_, last = due()
    assert last - first > 100 * MILLISECOND


@pytest.mark.parametrize(
    ("later", "left", "moved"),
    [(1.0, 59.0, False), (1.0, 58.99, False), (1.0, 59.9, True), (1.0, 50.0, True), (61, 0, False)],
)
def test_a_timer_has_moved_when_its_end_certainly_has(
    later: float, left: float, moved: bool
) -> None:
    """Read within a millisecond each, and told in ticks: a due timer is told as 0."""

    def seen(seconds: float, remaining: float) -> SocketSeen:
        return SocketSeen(
            int(seconds * NANOSECONDS),
            "client",
            Address("10.0.0.1", 1),
            Address("10.0.0.2", 2),
            TIME_WAIT,
            timer="time-wait",
            timer_expires=int(remaining * NANOSECONDS),
        )

    one, other = seen(0.001, 60), seen(later + 0.001, left)
    assert timer_moved(one, 0, other, int(later * NANOSECONDS)) is moved


@pytest.fixture
def both_cores_busy() -> Iterator[None]:
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
    yield
    for each in busy:
        each.kill()
        each.wait()


@pytest.mark.usefixtures("both_cores_busy")
def test_states_are_seen_also_when_the_machine_is_busy(
    lab: Lab, client: Host, server: Host
) -> None:
    listener = server.listen()
    for _ in range(5):
        connection = client.connect(listener)
        connection.client.reaches(ESTABLISHED)
        connection.server.reaches(ESTABLISHED)
        connection.server.close()
        connection.client.receives_end()
        connection.client.close()
        connection.server.reaches(TIME_WAIT)
        connection.client.reaches(CLOSED)
    lab.settle()
    assert len({each.source for each in lab.timeline.wire if each.flags == "S"}) == 5


def test_what_came_and_went_within_a_sample_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """psutil sees a socket that is in no list of sock_diag, neither before the sample nor after."""
    seen: list[SocketSeen] = []
    sampler = Sampler("host", seen.append, lambda _: None)
    key = Address("127.0.0.1", 4000), Address("127.0.0.1", 80)
    briefly = [(key, sampler_module._Row(SYN_SENT, None, mapped=False))]
    answers = iter([briefly, []])
    monkeypatch.setattr(SocketDiagnostics, "read", lambda *_: {})
    monkeypatch.setattr(sampler_module, "_rows", lambda: next(answers))
    sampler.sample()
    sampler.attend(0)
    sampler._due = 0
    sampler.look_if_due()
    sampler._diagnostics.close()
    assert [each.state for each in seen] == [SYN_SENT, CLOSED]
    assert seen[1].not_before < seen[0].time, "it may have gone while the first sample was taken"


@pytest.mark.parametrize(
    ("quiet", "until_timer", "pause"),
    [
        (8 * MILLISECOND, float("inf"), MILLISECOND),
        (NANOSECONDS, float("inf"), ATTENDED),
        (60 * NANOSECONDS, float("inf"), 60 * MILLISECOND),
        (60 * NANOSECONDS, 20 * MILLISECOND, 10 * MILLISECOND),
        (60 * NANOSECONDS, 3 * MILLISECOND, ATTENDED),
        (60 * NANOSECONDS, -NANOSECONDS, ATTENDED),
    ],
)
def test_a_long_wait_is_looked_at_rarely_and_the_end_of_a_timer_closely(
    quiet: int, until_timer: float, pause: int
) -> None:
    assert pause_after(quiet, until_timer, ATTENDED, rarely=False) == pause


@pytest.mark.parametrize(
    ("quiet", "until_timer", "pause"),
    [
        (8 * MILLISECOND, float("inf"), 4 * MILLISECOND),
        (60 * NANOSECONDS, float("inf"), 30 * NANOSECONDS),
        (60 * NANOSECONDS, 20 * MILLISECOND, 10 * MILLISECOND),
        (60 * NANOSECONDS, 3 * MILLISECOND, ATTENDED),
        (60 * NANOSECONDS, -NANOSECONDS, NANOSECONDS // 2),
    ],
)
def test_where_waiting_takes_no_time_looks_are_few(
    quiet: int, until_timer: float, pause: int
) -> None:
    assert pause_after(quiet, until_timer, ATTENDED, rarely=True) == pause
