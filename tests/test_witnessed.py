"""The words on endpoints over time in real labs: once where they hold, once not, once undecided.

With the kernel's tracepoint (root) the order is decided; without it, the same words are
inconclusive where samples can miss something, and say so.
"""

import copy
import errno
from typing import Any

import pytest

from sockstates import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    SYN_SENT,
    TIME_WAIT,
    Connection,
    ExpectationFailed,
    Host,
    Inconclusive,
    Lab,
    LabError,
)
from sockstates.evidence.verdicts import ExpectationFailed as Failed
from sockstates.record.events import FramesLost
from sockstates.record.kernel_events import SocketGlanced, StateChanged

pytestmark = pytest.mark.families("ipv4")
FIN_TIMEOUT = 1


@pytest.fixture
def connection(lab: Lab, client: Host, server: Host) -> Connection:
    """Established, in a lab that waits a short time only."""
    made = client.connect(server.listen(port=80))
    made.client.reaches(ESTABLISHED)
    made.server.reaches(ESTABLISHED)
    lab.deadlines.patience = 0.3
    return made


@pytest.fixture
def closed(connection: Connection) -> Connection:
    """The server has closed and the client after it, at once: LAST_ACK lasts microseconds."""
    connection.server.close()
    connection.server.reaches(FIN_WAIT2)
    connection.client.reaches(CLOSE_WAIT)
    connection.client.close()
    connection.server.reaches(TIME_WAIT)
    connection.client.reaches(CLOSED)
    return connection


def is_traced(lab: Lab) -> bool:
    return lab.timeline.joined("tracepoints")


def test_passes_through_states_however_short(lab: Lab, closed: Connection) -> None:
    order = [ESTABLISHED, CLOSE_WAIT, LAST_ACK, CLOSED]
    closed.client.passes_through(order, unseen_allowed=True)
    if is_traced(lab):
        closed.client.passes_through(order)
        closed.client.passes_through(["SYN-SENT", "ESTAB", "...", "CLOSED"])
    else:
        with pytest.raises(Inconclusive, match="may have passed through this unseen") as caught:
            closed.client.passes_through([SYN_SENT, *order])
        assert "tracepoint not there" in str(caught.value)
    for allowed in (False, True):
        with pytest.raises(ExpectationFailed, match="did not pass through this") as failed:
            closed.client.passes_through([CLOSE_WAIT, CLOSING, CLOSED], unseen_allowed=allowed)
        assert "expected  CLOSE_WAIT, CLOSING, CLOSED" in str(failed.value)


def test_passes_through_waits_for_what_is_to_come(lab: Lab, connection: Connection) -> None:
    connection.server.close()
    connection.server.passes_through([ESTABLISHED, FIN_WAIT1, FIN_WAIT2])
    with pytest.raises(ExpectationFailed, match=r"did not pass through this within \d"):
        connection.server.passes_through([FIN_WAIT2, TIME_WAIT])
    connection.client.close()
    connection.server.passes_through([FIN_WAIT2, TIME_WAIT])
    lab.finish()


@pytest.mark.parametrize("states", [[], [..., CLOSED], [CLOSED, "..."]])
def test_a_list_of_states_begins_and_ends_with_one(
    connection: Connection, states: list[Any]
) -> None:
    with pytest.raises(LabError, match="a state first and last"):
        connection.client.passes_through(states)


def test_spends_what_the_settings_say(server: Host, connection: Connection) -> None:
    server.sysctl("net.ipv4.tcp_fin_timeout", FIN_TIMEOUT)
    connection.server.close()
    connection.server.reaches(FIN_WAIT2, owner=None)
    lasted = connection.server.spends(FIN_WAIT2)
    assert lasted.over
    connection.server.reaches(CLOSED)
    connection.server.spends(FIN_WAIT2, FIN_TIMEOUT)
    connection.server.spends(FIN_WAIT2, at_least=FIN_TIMEOUT / 2)
    with pytest.raises(Failed, match="not in FIN_WAIT2 for as long as expected") as failed:
        connection.server.spends(FIN_WAIT2, 2 * FIN_TIMEOUT)
    assert "expected  FIN_WAIT2 for between 1.98 and 2.27 s" in str(failed.value)
    with pytest.raises(Inconclusive, match="a timer this late may be a wrong one"):
        connection.server.spends(FIN_WAIT2, FIN_TIMEOUT / 2)
    with pytest.raises(ExpectationFailed, match="not in FIN_WAIT2 for as long as expected"):
        connection.server.spends(FIN_WAIT2, at_most=FIN_TIMEOUT / 2)
    middle = (lasted.least + lasted.most) / 2
    if lasted.most > lasted.least:
        with pytest.raises(Inconclusive, match="perhaps not in FIN_WAIT2"):
            connection.server.spends(FIN_WAIT2, at_most=middle)


def test_spends_needs_a_limit_and_a_state_that_was(connection: Connection) -> None:
    with pytest.raises(LabError, match="nothing limits the time in ESTABLISHED"):
        connection.client.spends(ESTABLISHED)
    with pytest.raises(LabError, match="not both"):
        connection.client.spends(ESTABLISHED, 1, at_least=1)
    with pytest.raises(ExpectationFailed, match="never seen in CLOSING"):
        connection.client.spends(CLOSING, at_least=0.1)
    connection.client.spends(ESTABLISHED, at_least=0.2)
    with pytest.raises(ExpectationFailed, match="s so far"):
        connection.client.spends(ESTABLISHED, at_most=0.2)


def test_never(lab: Lab, closed: Connection) -> None:
    closed.server.never(CLOSE_WAIT)
    closed.client.never(TIME_WAIT)
    with pytest.raises(ExpectationFailed, match="was CLOSE_WAIT"):
        closed.client.never(CLOSE_WAIT)
    if not is_traced(lab):
        with pytest.raises(Inconclusive, match="may have been SYN_SENT"):
            closed.client.never(SYN_SENT)


def test_never_of_what_nobody_looked_at(lab: Lab, connection: Connection, server: Host) -> None:
    nowhere = connection.client.host.connect(server, port=99)
    nowhere.client.connecting.fails(errno.ECONNREFUSED)
    if is_traced(lab):
        nowhere.server.never(ESTABLISHED)
    else:
        with pytest.raises(Inconclusive):
            nowhere.server.never(ESTABLISHED)


def test_enters_a_state_after_a_segment(lab: Lab, client: Host, connection: Connection) -> None:
    fin = "server > client: Flags [F.]"
    rule = client.iptables("-A INPUT -s server -j DROP")
    connection.server.close()
    lost, again = lab.sees(f"{fin}\n{fin}")
    rule.delete()
    connection.client.enters(CLOSE_WAIT, after=lost)
    connection.client.enters(CLOSE_WAIT, after=again)
    connection.client.enters(ESTABLISHED, before=fin)
    connection.client.enters(CLOSE_WAIT, after=fin)
    with pytest.raises(ExpectationFailed, match="did not enter CLOSE_WAIT before this segment"):
        connection.client.enters(CLOSE_WAIT, before=lost)
    with pytest.raises(ExpectationFailed, match="entered   never"):
        connection.client.enters(CLOSING, after=fin)
    with pytest.raises(ExpectationFailed, match="captured  never"):
        connection.client.enters(CLOSE_WAIT, after="server > client: Flags [R]")
    with pytest.raises(LabError, match="one of the two"):
        connection.client.enters(CLOSE_WAIT)


def test_an_order_that_samples_leave_open(lab: Lab, connection: Connection) -> None:
    connection.server.close()
    connection.client.reaches(CLOSE_WAIT)
    fin = "server > client: Flags [F.]"
    connection.client.enters(CLOSE_WAIT, after=fin, unseen_allowed=True)
    if is_traced(lab):
        connection.client.enters(CLOSE_WAIT, after=fin)
    else:
        with pytest.raises(Inconclusive, match="only after this segment is not known"):
            connection.client.enters(CLOSE_WAIT, after=fin)


def test_retransmits(lab: Lab, client: Host, connection: Connection) -> None:
    with pytest.raises(ExpectationFailed, match="did not send again") as failed:
        connection.server.retransmits(1)
    assert "expected  1 times\n  seen      0 times" in str(failed.value)
    client.iptables("-A INPUT -s server -j DROP")
    connection.server.send(b"lost")
    assert len(connection.server.retransmits(2)) >= 2
    lab.finish()


def test_never_sees(lab: Lab, closed: Connection) -> None:
    assert closed
    lab.never_sees("client > server: Flags [R]")
    lab.never_sees("client > server: Flags [R.]")
    (syn,) = lab.sees("client > server: Flags [S]")
    with pytest.raises(ExpectationFailed, match="should never have been there") as failed:
        lab.never_sees("client > server: Flags [S]")
    assert "expected  never client > server: Flags [S]" in str(failed.value)
    lab.never_sees("client > server: Flags [S]", since=syn)
    lost = FramesLost(lab.now(), "client", 3)
    lab.timeline.add(lost)
    with pytest.raises(Inconclusive, match="lost 3 frames"):
        lab.never_sees("client > server: Flags [R]")
    lab.timeline.events.remove(lost)


def test_calls_take_their_time(client: Host, server: Host) -> None:
    client.sysctl("net.ipv4.tcp_syn_retries", 1)
    client.sysctl("net.ipv4.tcp_syn_linear_timeouts", 0)
    server.iptables("-A INPUT -s client -j DROP")
    connecting = client.connect(server, port=80).client.connecting
    connecting.fails(errno.ETIMEDOUT, after=3)
    connecting.lasts(3)
    connecting.lasts(at_least=2.9, at_most=4)
    with pytest.raises(ExpectationFailed, match="did not take as long") as failed:
        connecting.fails(errno.ETIMEDOUT, after=2)
    assert "s, then ETIMEDOUT" in str(failed.value)
    with pytest.raises(ExpectationFailed, match="did not take as long"):
        connecting.lasts(4)
    with pytest.raises(ExpectationFailed, match="at most 1 s"):
        connecting.lasts(at_most=1)


def test_a_planted_contradiction_is_found_at_the_end(
    lab: Lab, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A witness that lies about a real connection, whatever the others are."""
    lab.settle()
    lab.finish()
    key, began = connection.client.key, lab.now()
    connection.client.stays(ESTABLISHED, seconds=0.2)
    lie: StateChanged | SocketGlanced = SocketGlanced(began, *key, FIN_WAIT1, began)
    if is_traced(lab):
        lie = StateChanged(began, *key, ESTABLISHED, FIN_WAIT1)
    with monkeypatch.context() as patch:
        patch.setattr(lab, "timeline", copy.deepcopy(lab.timeline))
        lab.timeline.add(lie)
        with pytest.raises(Inconclusive, match="the witnesses contradict each other about client"):
            lab.finish()
