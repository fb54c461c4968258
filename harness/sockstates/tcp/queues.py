"""How many connections a listening socket holds, and what becomes of the next one. Pure.

Sources: listen(2); tcp_conn_request() in net/ipv4/tcp_input.c, tcp_v4_syn_recv_sock() in
net/ipv4/tcp_ipv4.c and tcp_check_req() in net/ipv4/tcp_minisocks.c, Linux 6.1 to 7.3.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

SOMAXCONN = 4096
"""net.core.somaxconn by default (Documentation/admin-guide/sysctl/net.rst)."""


class Next(enum.StrEnum):
    """What becomes of the first connection that has no place."""

    DROPPED = "its SYN is dropped, without an answer, and sent again"
    COOKIE = "its SYN is answered with a cookie, and nothing is kept"
    IGNORED = "the acknowledgement of its handshake is dropped: SYN_RECV here, ESTABLISHED there"
    RESET = "the acknowledgement of its handshake is answered with a reset"


@dataclass(frozen=True, slots=True)
class Queue:
    """places: how many connections it takes; None: as many as there are. beyond: the next one."""

    places: int | None
    beyond: Next


def longest_queue(backlog: int, somaxconn: int = SOMAXCONN) -> int:
    """[sk_max_ack_backlog]: what listen(2) makes of its argument, which is read as unsigned."""
    return min(backlog % 2**32, somaxconn)


def accept_queue(
    backlog: int, *, somaxconn: int = SOMAXCONN, abort_on_overflow: bool = False, early: bool = True
) -> Queue:
    """Completed connections that wait for accept(2): one more than the backlog.

    early: the queue is already full when the next one's SYN comes; else it fills up during that
    one's handshake, and tcp_abort_on_overflow says what its acknowledgement meets.
    """
    beyond = Next.RESET if abort_on_overflow else Next.IGNORED
    return Queue(longest_queue(backlog, somaxconn) + 1, Next.DROPPED if early else beyond)


def syn_queue(backlog: int, settings: Mapping[str, int], *, somaxconn: int = SOMAXCONN) -> Queue:
    """Half-open connections (SYN_RECV): one more than the backlog; with cookies always, none.

    settings: tcp_syncookies, tcp_max_syn_backlog. Without cookies a quarter of
    tcp_max_syn_backlog is left to peers that are known already.
    """
    cookies = settings.get("tcp_syncookies", 1)
    places = longest_queue(backlog, somaxconn) + 1
    if cookies == 2:  # net.ipv4.tcp_syncookies: always, for tests
        return Queue(0, Next.COOKIE)
    if cookies:
        return Queue(places, Next.COOKIE)
    most = settings.get("tcp_max_syn_backlog", 1024)
    return Queue(min(places, most - (most >> 2) + 1), Next.DROPPED)
