"""tcp_max_tw_buckets: there is room for so many TIME_WAIT, and the next end does not wait."""

import pytest

from sockstates import CLOSED, ESTABLISHED, FIN_WAIT2, LAST_ACK, TIME_WAIT, WRITE, Host, Lab


@pytest.mark.phenomenon(
    67,
    symptom="out of ports or queue space",
    client="LAST_ACK, CLOSED",
    server="FIN_WAIT2, CLOSED",
    lasts="at once",
    settings=("tcp_max_tw_buckets",),
)
@pytest.mark.cause("server.sysctl")
def test_no_room_for_another_time_wait(lab: Lab, client: Host, server: Host) -> None:
    """With tcp_max_tw_buckets used up an end is CLOSED at once: it answers no repeated FIN."""
    lab.step("The server has room for one TIME_WAIT. Of two connections it closes both first.")
    server.sysctl("net.ipv4.tcp_max_tw_buckets", 1)
    listener = server.listen(port=80)
    first, second = client.connect(listener, source_port=7001), client.connect(listener)
    first.server.accept()
    second.server.accept()
    first.client.reaches(ESTABLISHED)
    second.client.reaches(ESTABLISHED)
    first.server.shutdown(WRITE)
    first.server.reaches(FIN_WAIT2, owner=server)
    second.server.shutdown(WRITE)
    second.server.reaches(FIN_WAIT2, owner=server)

    lab.step("The first client closes: the server's end is TIME_WAIT, which takes the place.")
    overflow = server.counter("TcpExtTCPTimeWaitOverflow")
    first.client.close()
    first.client.reaches(CLOSED)
    first.server.reaches(TIME_WAIT, owner=None)

    lab.step("The second client closes. No place is left: the server's end is CLOSED at once.")
    rule = client.iptables("-A INPUT -s server -p tcp ! --dport 7001 -j DROP")
    second.client.close()
    second.server.reaches(CLOSED, seconds=lab.deadlines.patience)
    overflow.grows(by=1)
    second.client.reaches(LAST_ACK, owner=None, send_queue=1)

    lab.step(
        "Its answer was lost, and the client repeats its FIN. Nobody is there to know it: RST."
    )
    rule.delete()
    second.client.reaches(CLOSED)
    lab.figure(
        lab.sees("""
        ...
        client > server: Flags [F.], seq J, ack K
        server > client: Flags [R], seq K
    """)
    )
    first.server.stays(TIME_WAIT, owner=None, seconds=0.2)
