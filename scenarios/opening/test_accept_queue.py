"""The accept queue: how many completed connections wait for accept(2), and what the next one meets.

Linux lets the queue grow while it is not longer than the backlog, so one more waits than listen(2)
was told (sk_acceptq_is_full). What comes then is not refused: it is dropped, and comes again.
"""

import pytest

from sockstates import CLOSED, ESTABLISHED, LISTEN, SYN_RECV, SYN_SENT, Host, Lab

pytestmark = pytest.mark.claims("H9", holds=False)


@pytest.mark.phenomenon(
    17,
    symptom="out of ports or queue space",
    client="SYN_SENT, ESTABLISHED",
    server="LISTEN, ESTABLISHED",
    lasts="until the server accepts",
    settings=("listen(backlog)", "net.core.somaxconn", "tcp_syn_retries"),
)
@pytest.mark.cause("server.listen", without="backlog", instead=4)
def test_a_backlog_of_three_lets_four_wait(lab: Lab, client: Host, server: Host) -> None:
    lab.step("The server listens with a backlog of three, and does not call accept.")
    listener = server.listen(port=80, backlog=3)
    listener.reaches(LISTEN, owner=server, send_queue=3, receive_queue=0)

    lab.step("Three clients connect, and a fourth: all four are established on both ends.")
    client.connect(listener).client.connecting.returns()
    client.connect(listener).client.connecting.returns()
    first = client.connect(listener).established()
    client.connect(listener).established()
    listener.reaches(LISTEN, send_queue=3, receive_queue=4)

    lab.step("A fifth connects. Its SYN is dropped, without an answer, and sent again.")
    overflows = server.counter("TcpExtListenOverflows")
    drops = server.counter("TcpExtListenDrops")
    fifth = client.connect(listener)
    fifth.client.reaches(SYN_SENT, owner=client)
    dropped = lab.sees("""
        client > server.80: Flags [S], seq J
        client > server.80: Flags [S], seq J
    """)
    fifth.server.stays(CLOSED, seconds=0.3)
    overflows.grows()
    drops.grows()
    lab.figure([listener.reaches(LISTEN, receive_queue=4), *dropped])

    lab.step("The server accepts one. The next SYN of the fifth is answered.")
    first.server.accept()
    fifth.reaches(client=ESTABLISHED, server=ESTABLISHED)


@pytest.mark.cause("client.rule.delete")
def test_a_handshake_that_ends_too_late_for_the_queue(lab: Lab, client: Host, server: Host) -> None:
    """The queue has filled up since the SYN: the client is ESTABLISHED, the server SYN_RECV."""
    lab.step("The server listens with a backlog of three. Three connections wait in the queue.")
    listener = server.listen(port=80, backlog=3)
    client.connect(listener).client.connecting.returns()
    client.connect(listener).client.connecting.returns()
    first = client.connect(listener).established()
    listener.reaches(LISTEN, receive_queue=3)

    lab.step("A handshake begins, and the server's answer to it is lost: SYN_RECV.")
    rule = client.iptables("-A INPUT -p tcp --dport 7005 -j DROP")
    fifth = client.connect(listener, source_port=7005)
    fifth.reaches(client=SYN_SENT, server=SYN_RECV)

    lab.step("Another one overtakes it, and takes the last place in the queue.")
    client.connect(listener).reaches(client=ESTABLISHED, server=ESTABLISHED)
    listener.reaches(LISTEN, receive_queue=4)

    lab.step("The answer arrives. The client is established; the server drops the third segment.")
    rule.delete()
    lab.figure(fifth.reaches(client=ESTABLISHED, server=SYN_RECV))
    lab.sees("""
        ...
        server.80 > client.7005: Flags [S.], seq K, ack J+1
        client.7005 > server.80: Flags [.], ack K+1
        ...
        server.80 > client.7005: Flags [S.], seq K, ack J+1
        client.7005 > server.80: Flags [.], ack K+1
    """)
    fifth.server.stays(SYN_RECV, owner=None, seconds=0.2)

    lab.step("The server accepts one. What comes next for the fifth completes it.")
    first.server.accept()
    fifth.reaches(client=ESTABLISHED, server=ESTABLISHED)
