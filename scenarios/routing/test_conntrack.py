"""Connection tracking: the state that a router on the way keeps of a connection, and acts upon."""

import errno

import pytest

from sockstates import CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT2, SYN_SENT, TIME_WAIT, Host, Lab


@pytest.mark.cause("client.close")
def test_a_router_follows_a_connection(lab: Lab, client: Host, router: Host, server: Host) -> None:
    """A router that tracks connections sees one open and close, in states of its own."""
    lab.step("The router tracks connections. One is opened through it: three segments pass.")
    router.watch_conntrack()
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    router.sees_flow(connection, ["SYN_SENT", "SYN_RECV", "ESTABLISHED"])

    lab.step("The client closes: its FIN passes, and the acknowledgement of that.")
    connection.client.close()
    connection.client.reaches(FIN_WAIT2)
    connection.server.reaches(CLOSE_WAIT)
    opened = ["SYN_SENT", "SYN_RECV", "ESTABLISHED"]
    router.sees_flow(connection, [*opened, "FIN_WAIT", "CLOSE_WAIT"])

    lab.step("The server closes too. The last acknowledgement begins the router's TIME_WAIT.")
    connection.server.close()
    connection.server.reaches(CLOSED)
    connection.client.reaches(TIME_WAIT)
    closed = ["FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT"]
    router.sees_flow(connection, [*opened, *closed])


@pytest.mark.cause("router.iptables")
def test_a_router_lets_nothing_new_through(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    """A router that drops what begins a connection leaves the ones alone that it knows."""
    lab.step("The router tracks connections, and has seen one open.")
    router.watch_conntrack()
    listener = server.listen(port=16868)
    known = client.connect(listener)
    known.server.reaches(ESTABLISHED)
    router.sees_flow(known, ["SYN_SENT", "SYN_RECV", "ESTABLISHED"])

    lab.step("From now on it drops what belongs to no connection that it knows.")
    router.iptables("-A FORWARD -p tcp -m conntrack --ctstate NEW -j DROP")

    lab.step("A second connection is not even begun: the SYN is sent again and again.")
    late = client.connect(listener)
    late.client.reaches(SYN_SENT)
    lab.sees("""
        ...
        client > server.16868: Flags [S], seq L
        client > server.16868: Flags [S], seq L
    """)
    router.sees_flow(late, [])

    lab.step("The first one goes on as if nothing had happened.")
    known.client.send(b"still here")
    known.server.receives(b"still here")


@pytest.mark.phenomenon(
    45,
    symptom="works until idle",
    client="ESTABLISHED",
    server="ESTABLISHED",
    predict="data",
    settings=(
        *("nf_conntrack_tcp_timeout_established", "nf_conntrack_tcp_loose"),
        *("SO_KEEPALIVE", "tcp_keepalive_time", "tcp_retries2", "TCP_USER_TIMEOUT"),
    ),
)
@pytest.mark.cause("router.iptables")
def test_a_router_forgets_an_idle_connection(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    """A connection that was idle for too long hangs: a router on the way has forgotten it.

    How long is too long is the router's own choice, and what this shows: Linux itself would
    remember an idle connection for five days.
    """
    lab.step("The router forgets a connection that is idle for a second, and picks none up later.")
    router.watch_conntrack()
    router.sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", 1)
    router.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
    router.iptables("-A FORWARD -m conntrack --ctstate INVALID -j DROP")

    lab.step("A connection is established, and nobody says anything for longer than that.")
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    opened = ["SYN_SENT", "SYN_RECV", "ESTABLISHED"]
    router.sees_flow(connection, opened)
    lab.stays_quiet(seconds=lab.deadlines.forgotten(router))

    lab.step("What the client sends then belongs to nothing for the router, which drops it.")
    connection.client.send(b"anybody there?")
    lab.sees("""
        ...
        client > server.16868: Flags [P.], seq M, length 14
        client > server.16868: Flags [P.], seq M, length 14
    """)
    router.sees_flow(connection, [*opened, "DESTROYED"])

    lab.step("Both ends still think that they are connected.")
    connection.client.reaches(ESTABLISHED, send_queue=14)
    connection.server.reaches(ESTABLISHED, receive_queue=0)


@pytest.mark.phenomenon(
    45,
    symptom="works until idle",
    client="ESTABLISHED, CLOSED",
    server="ESTABLISHED",
    errno="ECONNRESET, EPIPE",
    lasts="until the next write",
    settings=(
        *("nf_conntrack_tcp_timeout_established", "nf_conntrack_tcp_loose"),
        *("SO_KEEPALIVE", "tcp_keepalive_time"),
    ),
)
@pytest.mark.cause("router.iptables")
def test_a_router_resets_what_it_has_forgotten(
    lab: Lab, client: Host, router: Host, server: Host
) -> None:
    """A connection that was idle for too long is reset, by a router that has forgotten it."""
    lab.step("The router forgets a connection that is idle for a second, and refuses it later.")
    router.watch_conntrack()
    router.sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", 1)
    router.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
    router.iptables(
        "-A FORWARD -p tcp -m conntrack --ctstate INVALID -j REJECT --reject-with tcp-reset"
    )

    lab.step("A connection is established, and nobody says anything for longer than that.")
    connection = client.connect(server.listen(port=16868))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
    opened = ["SYN_SENT", "SYN_RECV", "ESTABLISHED"]
    router.sees_flow(connection, opened)
    lab.stays_quiet(seconds=lab.deadlines.forgotten(router))

    lab.step("What the client sends then is answered with RST, in the server's name.")
    reset, sent = client.counter("TcpEstabResets"), server.counter("TcpOutRsts")
    connection.client.send(b"anybody there?").returns(14)
    asked, refused = lab.sees("""
        ...
        client > server.16868: Flags [P.], seq M:N, ack K, length 14
        server.16868 > client: Flags [R], seq K
    """)[-2:]
    connection.client.reaches(CLOSED)
    connection.client.receive().fails(errno.ECONNRESET)
    connection.client.send(b"again?").fails(errno.EPIPE)
    reset.grows(by=1)

    lab.step("It was the router's. The server has heard nothing of it, and waits for ever.")
    connection.server.stays(ESTABLISHED, receive_queue=0, seconds=0.2)
    assert sent.grown == 0
    router.sees_flow(connection, [*opened, "DESTROYED"])
    lab.figure([asked, refused, str(reset), str(sent)])
