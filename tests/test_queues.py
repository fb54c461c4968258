"""How many connections a listening socket holds: what is predicted, and what the kernel does."""

import pytest

from sockstates import ESTABLISHED, SYN_RECV, SYN_SENT, Host, Lab
from sockstates.tcp.queues import Next, Queue, accept_queue, longest_queue, syn_queue

FIRST_PORT = 40000
BACKLOGS = [0, 1, 3]


@pytest.mark.parametrize(
    ("backlog", "somaxconn", "longest"), [(3, 4096, 3), (5000, 4096, 4096), (-1, 128, 128)]
)
def test_listen_cuts_its_backlog(backlog: int, somaxconn: int, longest: int) -> None:
    assert longest_queue(backlog, somaxconn) == longest


def test_what_a_full_accept_queue_does() -> None:
    assert accept_queue(3) == Queue(4, Next.DROPPED)
    assert accept_queue(3, early=False) == Queue(4, Next.IGNORED)
    assert accept_queue(3, early=False, abort_on_overflow=True) == Queue(4, Next.RESET)


def test_cookies_always_keep_nothing() -> None:
    assert syn_queue(128, {"tcp_syncookies": 2}) == Queue(0, Next.COOKIE)


@pytest.mark.families("ipv4")
@pytest.mark.parametrize("backlog", BACKLOGS)
def test_the_accept_queue(lab: Lab, client: Host, server: Host, backlog: int) -> None:
    queue = accept_queue(backlog)
    listener = server.listen(port=80, backlog=backlog)
    assert queue.places is not None
    for _ in range(queue.places):
        client.connect(listener).reaches(client=ESTABLISHED, server=ESTABLISHED)
    dropped = server.counter("TcpExtListenOverflows")
    client.connect(listener, source_port=7005).client.reaches(SYN_SENT)
    dropped.grows()
    lab.never_sees("server.80 > client.7005: Flags [_]")


@pytest.mark.families("ipv4")
@pytest.mark.parametrize("cookies", [0, 1])
@pytest.mark.parametrize(("backlog", "most"), [*((each, 1024) for each in BACKLOGS), (128, 8)])
def test_the_syn_queue(client: Host, server: Host, backlog: int, most: int, cookies: int) -> None:
    settings = {"tcp_syncookies": cookies, "tcp_max_syn_backlog": most}
    for name, value in settings.items():
        server.sysctl(f"net.ipv4.{name}", value)
    queue = syn_queue(backlog, settings)
    listener = server.listen(port=80, backlog=backlog)
    places = min(queue.places or 0, 10)
    for number in range(places):
        crafted = client.crafts(port=FIRST_PORT + number, to=listener)
        crafted.sends("Flags [S], seq 1000")
        crafted.peer.reaches(SYN_RECV, owner=None)
    cookie, dropped = (
        server.counter(f"TcpExt{name}") for name in ("SyncookiesSent", "ListenDrops")
    )
    client.crafts(port=7005, to=listener).sends("Flags [S], seq 1000")
    if places < (queue.places or 0):
        client.lab.sees("client.7005 > server.80: Flags [S] \n server.80 > client.7005: Flags [S.]")
    elif queue.beyond is Next.COOKIE:
        cookie.grows(by=1)
    else:
        dropped.grows(by=1)
