"""Both ends of a connection at one moment: the word of a scenario, and its pure judgement."""

from __future__ import annotations

import pytest

from sockstates import CLOSE_WAIT, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, Host
from sockstates.evidence.expectations import EndpointLooks, moment_of_both
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.record.events import SocketSeen
from sockstates.record.timeline import Timeline
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State

HERE, THERE = Address("10.0.0.1", 1), Address("10.0.0.2", 2)


def seen(host: str, state: State, time: int, not_before: int) -> SocketSeen:
    local, remote = (HERE, THERE) if host == "client" else (THERE, HERE)
    return SocketSeen(time, host, local, remote, state, not_before=not_before)


def both(timeline: Timeline, client: State, server: State, until: int = 100) -> int | None:
    looks = (
        EndpointLooks(("client", HERE, THERE), client),
        EndpointLooks(("server", THERE, HERE), server),
    )
    timeline.sampled = {"client": until, "server": until}
    return moment_of_both(timeline, looks)


@pytest.fixture
def recorded() -> Timeline:
    """The client: FIN_WAIT1 at 10, still at 20, FIN_WAIT2 at 22. The server: CLOSE_WAIT at 21."""
    timeline = Timeline()
    timeline.add(seen("client", FIN_WAIT1, 10, 5))
    timeline.add(seen("client", FIN_WAIT2, 22, 20))
    timeline.add(seen("server", ESTABLISHED, 8, 7))
    timeline.add(seen("server", CLOSE_WAIT, 21, 19))
    return timeline


def test_states_whose_samples_overlap_were_there_at_one_moment(recorded: Timeline) -> None:
    assert both(recorded, FIN_WAIT1, ESTABLISHED) == 10
    assert both(recorded, FIN_WAIT2, CLOSE_WAIT) == 22


def test_states_that_only_may_have_overlapped_are_not_claimed(recorded: Timeline) -> None:
    """FIN_WAIT1 is known until 20, CLOSE_WAIT from 21 on: nobody saw them at one moment."""
    assert both(recorded, FIN_WAIT1, CLOSE_WAIT) is None


def test_the_last_state_is_known_until_the_last_sample_only(recorded: Timeline) -> None:
    recorded.add(seen("server", ESTABLISHED, 60, 59))
    assert both(recorded, FIN_WAIT2, ESTABLISHED, until=50) is None
    assert both(recorded, FIN_WAIT2, ESTABLISHED, until=60) == 60


def test_both_ends_reach_their_states(client: Host, server: Host) -> None:
    connection = client.connect(server.listen(port=80))
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    connection.client.close()
    connection.reaches(client=FIN_WAIT2, server="CLOSE-WAIT")


def test_states_that_never_meet_fail_with_both_histories(client: Host, server: Host) -> None:
    connection = client.connect(server.listen(port=80))
    connection.reaches(client=ESTABLISHED, server=ESTABLISHED)
    connection.client.close()
    connection.reaches(client=FIN_WAIT2, server=CLOSE_WAIT)
    with pytest.raises(ExpectationFailed) as failure:
        connection.reaches(client=ESTABLISHED, server=CLOSE_WAIT, seconds=0.2)
    message = str(failure.value)
    assert "at the same moment" in message
    assert "expected  ESTABLISHED" in message
    assert "expected  CLOSE_WAIT" in message
    assert "FIN_WAIT2" in message


def test_established_waits_for_both_ends_and_gives_the_connection(
    client: Host, server: Host
) -> None:
    connection = client.connect(server.listen(port=80)).established()
    assert connection.client.state is ESTABLISHED
    assert connection.server.state is ESTABLISHED


def test_established_fails_where_one_end_is_not(client: Host, server: Host) -> None:
    server.iptables("-A INPUT -p tcp --dport 80 -j DROP")
    connection = client.connect(server.listen(port=80))
    with pytest.raises(ExpectationFailed, match="ESTABLISHED"):
        connection.established(seconds=0.2)


def test_who_owns_counted_connections_is_who_has_them_open(client: Host, server: Host) -> None:
    connection = client.connect(server.listen(port=80)).established()
    server.counts(ESTABLISHED, 1, owner=None)
    server.counts(ESTABLISHED, 0, owner=server)
    connection.server.send(b"accepted")
    server.counts(ESTABLISHED, 1, owner=server)
    server.counts(ESTABLISHED, 0, owner=None)


def test_run_gives_a_program_that_has_ended(client: Host) -> None:
    program = client.run(["sh", "-c", "echo done; exit 3"])
    program.ends(3)
    program.prints("done")
