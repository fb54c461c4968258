"""netstat: every state of opening and closing in one table, read off a host."""

import pytest

from harness import (
    CLOSE_WAIT,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
)
from harness.lab import Host, Lab

pytestmark = [pytest.mark.claims("T32"), pytest.mark.programs("netstat", "ss")]


@pytest.mark.cause("client.iptables")
def test_a_table_of_every_state(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Two connections close in an orderly way, one is half-closed, one has data unread.")
    listener = server.listen(port=16868)
    listener.reaches(LISTEN)
    waits, half, passive, unread = (client.connect(listener) for _ in range(4))
    waits.server.close()
    waits.client.close()
    waits.server.reaches(TIME_WAIT, owner=None)
    half.server.shutdown()
    half.server.reaches(FIN_WAIT2, owner=server)
    passive.client.close()
    passive.server.reaches(CLOSE_WAIT)
    unread.client.send(100)
    unread.server.reaches(ESTABLISHED, receive_queue=100, owner=None)
    closing, unanswered, last = (client.connect(listener) for _ in range(3))
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
    lab.figure(f"{len(table.splitlines()) - 2} sockets, each row as netstat prints it:\n{table}")
