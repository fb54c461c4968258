"""Waits of a connection's that no retransmission timer makes, with what sets them. Data.

Each is a constant or a setting of something beside TCP; sources are named with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sockstates.tcp.states import State


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds, nominal (None: what the program chose); errno: what the program gets.

    states: in which it is seen.
    """

    title: str
    seconds: float | None
    errno: str
    states: tuple[State, ...]
    changed_by: tuple[str, ...]


_OPEN = (State.ESTABLISHED, State.CLOSE_WAIT)
WAITS = (
    Wait(
        "connect(2): nothing listens there, or a firewall rejects: an answer, no timer",
        0.0,
        "ECONNREFUSED",
        (State.SYN_SENT,),
        ("the server", "-j REJECT"),
    ),
    Wait(
        "the peer knows no such connection (it was restarted, or gave up), or its program aborted",
        0.0,
        "ECONNRESET, EPIPE",
        (*_OPEN, State.FIN_WAIT2),
        ("the peer",),
    ),
    Wait(
        "the accept queue is full and tcp_abort_on_overflow is set: a reset",
        0.0,
        "ECONNRESET",
        _OPEN,
        ("tcp_abort_on_overflow", "backlog", "somaxconn"),
    ),
    Wait(
        "connect(2): every local port to that peer is in use, many of them in TIME_WAIT",
        0.0,
        "EADDRNOTAVAIL",
        (),
        ("ip_local_port_range", "tcp_tw_reuse"),
    ),
    Wait("bind(2): the port is in use", 0.0, "EADDRINUSE", (), ("SO_REUSEADDR", "SO_REUSEPORT")),
    Wait("connect(2): no route", 0.0, "ENETUNREACH, EHOSTUNREACH", (), ("the routes",)),
    Wait(
        "connect(2): the neighbour does not answer ARP or ND; no packet leaves",
        3.0,
        "EHOSTUNREACH",
        (State.SYN_SENT,),
        ("neigh.*.mcast_solicit", "neigh.*.retrans_time_ms"),
    ),
    Wait(
        "a delayed acknowledgement (TCP_DELACK_MIN), often with Nagle's algorithm at the sender",
        0.04,
        "",
        _OPEN,
        ("TCP_NODELAY", "TCP_QUICKACK"),
    ),
    Wait(
        "a delayed acknowledgement at its longest (TCP_DELACK_MAX), or a corked sender (TCP_CORK)",
        0.2,
        "",
        _OPEN,
        ("TCP_NODELAY", "TCP_QUICKACK", "TCP_CORK"),
    ),
    Wait(
        "the next address is tried (happy eyeballs; RFC 8305, section 5)",
        0.25,
        "",
        (State.SYN_SENT,),
        ("the program",),
    ),
    Wait(
        "the name server does not answer, before connect(2): resolv.conf(5), timeout",
        5.0,
        "",
        (),
        ("options timeout: of resolv.conf",),
    ),
    Wait(
        "the name server does not answer twice (resolv.conf(5), timeout and attempts)",
        10.0,
        "",
        (),
        ("options timeout: and attempts: of resolv.conf",),
    ),
    Wait(
        "the server closes an idle connection (nginx's keepalive_timeout): then a reset",
        75.0,
        "ECONNRESET, EPIPE",
        (*_OPEN, State.FIN_WAIT2),
        ("keepalive_timeout",),
    ),
    Wait(
        "send(2): the send buffer stays full for as long as SO_SNDTIMEO lets the call wait",
        None,
        "EAGAIN",
        _OPEN,
        ("SO_SNDTIMEO",),
    ),
    Wait(
        "recv(2) or accept(2): nothing comes for as long as SO_RCVTIMEO lets the call wait",
        None,
        "EAGAIN",
        (*_OPEN, State.FIN_WAIT2, State.LISTEN),
        ("SO_RCVTIMEO",),
    ),
    Wait(
        "close(2) waits as long as SO_LINGER says for its data and FIN to be acknowledged",
        None,
        "",
        (State.FIN_WAIT1, State.LAST_ACK, State.CLOSING),
        ("SO_LINGER",),
    ),
    Wait(
        "connection tracking on the path forgets an idle connection: five days",
        432000.0,
        "ECONNRESET, ETIMEDOUT",
        _OPEN,
        ("nf_conntrack_tcp_timeout_established", "SO_KEEPALIVE"),
    ),
    Wait(
        "connection tracking on the path forgets a half-closed connection",
        60.0,
        "ECONNRESET, ETIMEDOUT",
        (State.FIN_WAIT2, State.CLOSE_WAIT),
        ("nf_conntrack_tcp_timeout_close_wait",),
    ),
)
