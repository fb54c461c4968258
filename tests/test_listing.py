"""What netstat and ss print, read; and their disagreement with observations, found."""

from dataclasses import replace
from typing import Any

import pytest

from sockstates import Host
from sockstates.evidence.listing import (
    ListedSocket,
    Listing,
    Tool,
    disagreements,
    read_netstat,
    read_ss,
)
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.record.events import SocketSeen
from sockstates.record.timeline import Timeline
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State

NETSTAT = """\
Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:16868           0.0.0.0:*               LISTEN      7308/nc
tcp        3      1 10.1.16.2:16868         10.1.16.1:34786         FIN_WAIT1   -
tcp6       0      0 :::80                   :::*                    LISTEN      2/nginx: master pro
tcp6       0      0 fd00:15b::2:80          fd00:15b::1:41694       SYN_RECV    -
tcp6       0      0 ::ffff:10.1.16.2:80     ::ffff:10.1.16.1:4000   ESTABLISHED 3/nginx: worker pro
"""
SS = """\
LISTEN    0 1   0.0.0.0:16868 0.0.0.0:* users:(("nc",pid=7308,fd=3))
FIN-WAIT-1 3 1 10.1.16.2:16868 10.1.16.1:34786
LISTEN    0 511 *:80 *:* users:(("nginx",pid=3,fd=6),("nginx",pid=2,fd=6))
SYN-RECV  0 0 [fd00:15b::2]:80 [fd00:15b::1]:41694
ESTAB     0 0 [::ffff:10.1.16.2]:80 [::ffff:10.1.16.1]:4000 users:(("nginx",pid=3,fd=9))
"""
NC = Address("0.0.0.0", 16868)
SERVER, CLIENT = Address("10.1.16.2", 16868), Address("10.1.16.1", 34786)
FIN_WAIT1 = ListedSocket(SERVER, CLIENT, State.FIN_WAIT1, 3, 1)


def test_netstat_is_read() -> None:
    assert read_netstat(NETSTAT) == (
        ListedSocket(NC, None, State.LISTEN, 0, 0, frozenset([7308]), "nc"),
        FIN_WAIT1,
        ListedSocket(
            Address("::", 80), None, State.LISTEN, 0, 0, frozenset([2]), "nginx: master pro"
        ),
        ListedSocket(
            Address("fd00:15b::2", 80), Address("fd00:15b::1", 41694), State.SYN_RECV, 0, 0
        ),
        ListedSocket(
            Address("10.1.16.2", 80),
            Address("10.1.16.1", 4000),
            State.ESTABLISHED,
            0,
            0,
            frozenset([3]),
            "nginx: worker pro",
        ),
    )


def test_ss_is_read_as_netstat_is() -> None:
    """But for what ss tells beyond: the backlog of a listener, and every process that has it."""
    nc, fin_wait1, nginx, *others = read_ss(SS)
    assert nc == ListedSocket(NC, None, State.LISTEN, 0, 1, frozenset([7308]), "nc")
    assert fin_wait1 == FIN_WAIT1
    assert (nginx.send_queue, nginx.owners) == (511, frozenset([2, 3]))
    assert [replace(each, program="") for each in others] == [
        replace(each, program="") for each in read_netstat(NETSTAT)[3:]
    ]


@pytest.mark.parametrize(
    ("read", "line"),
    [(read_netstat, "tcp 0 0 0.0.0.0:16868 LISTEN"), (read_ss, "LISTEN 0 1 0.0.0.0:16868")],
)
def test_rows_with_columns_missing_are_refused(read: object, line: str) -> None:
    assert callable(read)
    with pytest.raises(ValueError, match="columns"):
        read(line)


def seen(state: State, time: int, **changes: Any) -> SocketSeen:
    observation = SocketSeen(time, "server", SERVER, CLIENT, state, None, 1, 3, not_before=time - 5)
    return replace(observation, **changes)


def judged(
    rows: tuple[ListedSocket, ...], *observed: SocketSeen, tool: Tool = "netstat"
) -> list[str]:
    timeline = Timeline()
    for each in observed:
        timeline.add(each)
    listing = Listing(tool, "server", 100, 110, rows)
    return disagreements(listing, timeline, 0, lambda one, other: {one, other} == {2, 3})


def test_a_row_as_observed() -> None:
    assert judged((FIN_WAIT1,), seen(State.FIN_WAIT1, 50)) == []


def test_a_row_as_observed_at_some_time_while_the_tool_ran() -> None:
    before, after = seen(State.ESTABLISHED, 50, owner=9), seen(State.FIN_WAIT1, 112)
    assert judged((FIN_WAIT1,), before, after) == []
    assert judged((FIN_WAIT1,), before, seen(State.FIN_WAIT1, 120)) != []
    assert judged((FIN_WAIT1,), seen(State.FIN_WAIT1, 50), seen(State.FIN_WAIT2, 99)) != []


@pytest.mark.parametrize(
    "row",
    [
        replace(FIN_WAIT1, owners=frozenset([9])),
        replace(FIN_WAIT1, send_queue=0),
        replace(FIN_WAIT1, receive_queue=0),
        replace(FIN_WAIT1, state=State.FIN_WAIT2),
    ],
)
def test_a_row_that_differs(row: ListedSocket) -> None:
    (text,) = judged((row,), seen(State.FIN_WAIT1, 50))
    assert "10.1.16.2 port 16868 to 10.1.16.1 port 34786" in text
    assert f"netstat {row.state}, owner " in text
    assert "ours    FIN_WAIT1 since 0.000 s, owner nobody, queues 1 to send, 3 to read" in text


def test_rows_and_sockets_that_only_one_side_has() -> None:
    (text,) = judged((FIN_WAIT1,))
    assert "ours    never seen" in text
    (text,) = judged((), seen(State.FIN_WAIT1, 50))
    assert "netstat no such row" in text
    assert judged((), seen(State.CLOSED, 50)) == []
    assert judged((), seen(State.FIN_WAIT1, 50), seen(State.CLOSED, 105)) == []


def test_a_socket_of_several_processes() -> None:
    """One tool names the first, the other the last; both are of one program."""
    row = replace(FIN_WAIT1, owners=frozenset([2]))
    assert judged((row,), seen(State.FIN_WAIT1, 50, owner=3)) == []
    assert judged((row,), seen(State.FIN_WAIT1, 50, owner=4)) != []
    assert judged((row,), seen(State.FIN_WAIT1, 50, owner=None)) != []


def test_the_backlog_is_in_ss_only() -> None:
    observed = SocketSeen(50, "server", NC, None, State.LISTEN, 7308, 1, 0)
    netstat, ss = read_netstat(NETSTAT)[:1], read_ss(SS)[:1]
    assert judged(netstat, observed) == judged(ss, observed, tool="ss") == []
    assert judged(ss, observed) != []
    assert judged(netstat, observed, tool="ss") != []


@pytest.mark.families("ipv4")
@pytest.mark.programs("netstat", "ss")
def test_both_tools_agree_with_a_lab(client: Host, server: Host) -> None:
    with pytest.raises(ExpectationFailed, match="nothing was compared"):
        server.agrees_with_netstat()
    connection = client.connect(server.listen(port=80))
    connection.client.connecting.returns()
    connection.client.send(b"12345")
    connection.server.reaches(State.ESTABLISHED, receive_queue=5)
    by_netstat, by_ss = server.agrees_with_netstat().on(80), server.agrees_with_ss().on(80)
    assert [each.receive_queue for each in by_netstat] == [1, 5]
    assert [each.receive_queue for each in by_ss] == [1, 5]
