"""netstat: every state of opening and closing in one table, read off a host."""

from dataclasses import replace

import pytest

from sockstates import (
    CLOSE_WAIT,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    Host,
    Lab,
)
from sockstates.evidence.listing import read_netstat

pytestmark = pytest.mark.programs("netstat")


@pytest.mark.claims("T32")
@pytest.mark.programs("ss")
@pytest.mark.cause("client.iptables")
def test_a_table_of_every_state(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Two connections close in an orderly way, one is half-closed, one has data unread.")
    listener = server.listen(port=16868)
    listener.reaches(LISTEN)
    waits, half, passive, unread = (client.connect(listener) for _ in range(4))
    waits.client.reaches(ESTABLISHED)
    waits.server.close()
    waits.client.close()
    waits.server.reaches(TIME_WAIT, owner=None)
    half.server.shutdown()
    half.server.reaches(FIN_WAIT2, owner=server)
    passive.client.reaches(ESTABLISHED)
    passive.client.close()
    passive.server.reaches(CLOSE_WAIT)
    unread.client.send(100)
    unread.server.reaches(ESTABLISHED, receive_queue=100, owner=None)
    closing, unanswered, last = (client.connect(listener) for _ in range(3))
    last.client.reaches(ESTABLISHED)
    last.client.close()
    last.server.reaches(CLOSE_WAIT)
    closing.server.accept()
    unanswered.server.accept()

    lab.step("The client drops whatever the server sends: nothing is acknowledged any more.")
    client.iptables("-A INPUT -s server -j DROP")
    unanswered.server.send(200)
    unanswered.server.reaches(ESTABLISHED, send_queue=200)
    closing.server.close()
    closing.server.reaches(FIN_WAIT1, send_queue=1, owner=None)
    last.server.close()
    last.server.reaches(LAST_ACK, owner=None)
    late = client.connect(listener)
    late.client.reaches(SYN_SENT)
    late.server.reaches(SYN_RECV, owner=None)

    lab.step("netstat and ss, run on the server, show what was recorded of it.")
    server.agrees_with_netstat()
    server.agrees_with_ss()
    table = server.netstat()
    netstat = server.start("netstat -antpW")
    netstat.ends(0)
    assert sorted(table.splitlines()) == sorted(netstat.output.decode().splitlines())
    lab.figure(f"{len(table.splitlines()) - 2} sockets, each row as netstat prints it")


@pytest.mark.claims("T32", holds=False)
@pytest.mark.programs("setpriv")
@pytest.mark.cause("server.start", without="setpriv --bounding-set -all")
def test_without_the_right_to_look_into_processes(lab: Lab, client: Host, server: Host) -> None:
    """The last column needs root, or CAP_SYS_PTRACE: without it other's sockets look like nobody's.

    netstat(8) and proc_pid_fd(5): which sockets a process has open is not everybody's to read.
    """
    lab.step("A listener and a connection, both with an owner.")
    listener = server.listen(port=16868)
    connection = client.connect(listener)
    connection.server.accept()
    connection.server.reaches(ESTABLISHED, owner=server)

    lab.step("netstat -antp without any capability: all is as ever, but nobody has them open.")
    netstat = server.start("setpriv --bounding-set -all netstat -antpW")
    netstat.ends(0)
    text = netstat.output.decode()
    shown = read_netstat(text)
    recorded = read_netstat(server.netstat())
    assert {replace(row, owners=frozenset(), program="") for row in recorded} == set(shown)
    assert set(shown).isdisjoint(recorded)
    lab.figure(
        f"{len(recorded)} sockets with an owner, all of them nobody's without CAP_SYS_PTRACE"
    )
