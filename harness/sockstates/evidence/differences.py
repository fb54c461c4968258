"""In which ways the witnesses differ without contradicting each other: data, each with its reason.

A witness says what it can see. These are the cases in which two of them name one and the same
thing differently, known from the kernel's sources. All else that lasts is a contradiction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sockstates.tcp.states import State

TRACEPOINT, SOCKETS, SEGMENTS = "tracepoint", "sockets", "segments"
"""sock:inet_sock_set_state; psutil and sock_diag; states inferred from what was captured."""
ANY: Final = frozenset(State)


@dataclass(frozen=True, slots=True)
class Difference:
    """`first` may say one of these states while `second` says one of those."""

    first: str
    says: frozenset[State]
    second: str
    while_saying: frozenset[State]
    reason: str


HIDDEN_BEHIND_CLOSED: Final = frozenset({State.TIME_WAIT, State.FIN_WAIT2, State.SYN_RECV})
"""What the sockets can be while the tracepoint's last word was CLOSED."""
LEADS_TO_TIME_WAIT: Final = frozenset({State.FIN_WAIT2, State.CLOSING})
"""A change from these to CLOSED may be the beginning of a minisocket."""


def _states(*states: State) -> frozenset[State]:
    return frozenset(states)


KNOWN: Final = (
    Difference(
        TRACEPOINT,
        _states(State.CLOSED),
        SOCKETS,
        _states(State.TIME_WAIT),
        "where a TIME_WAIT begins, a small socket takes the place of the full one, which is closed "
        "(tcp_time_wait() in net/ipv4/tcp_minisocks.c); the small one's states are not traced",
    ),
    Difference(
        TRACEPOINT,
        _states(State.CLOSED),
        SOCKETS,
        _states(State.FIN_WAIT2),
        "an orphan's FIN_WAIT2 is such a small socket too, when it lasts no longer than a "
        "TIME_WAIT (tcp_rcv_state_process() and __tcp_close())",
    ),
    Difference(
        TRACEPOINT,
        _states(State.CLOSED, State.LISTEN),
        SOCKETS,
        _states(State.SYN_RECV),
        "a listener's SYN_RECV is a request socket, which is not traced; the full socket is made "
        "when the handshake is complete (tcp_check_req())",
    ),
    Difference(
        SEGMENTS,
        ANY,
        SOCKETS,
        _states(State.CLOSED),
        "a timeout, an abort whose RST was lost and the end of a TIME_WAIT are no segments; "
        "and SYN cookies need no socket",
    ),
    Difference(
        SEGMENTS, ANY, TRACEPOINT, _states(State.CLOSED), "the same, and TIME_WAIT is CLOSED there"
    ),
    Difference(
        SEGMENTS,
        ANY,
        TRACEPOINT,
        _states(State.LISTEN),
        "until the full socket is made, its listener's state is all that is traced",
    ),
    Difference(
        SEGMENTS,
        _states(State.ESTABLISHED),
        SOCKETS,
        _states(State.SYN_RECV),
        "a full accept queue or TCP_DEFER_ACCEPT keeps the request socket although the ACK of its "
        "SYN came (tcp_check_req())",
    ),
    Difference(
        SEGMENTS,
        _states(State.SYN_RECV, State.ESTABLISHED),
        SOCKETS,
        _states(State.FIN_WAIT1),
        "a FIN waits behind data that may not be sent yet, or is dropped on OUTPUT",
    ),
    Difference(
        SEGMENTS,
        _states(State.SYN_RECV, State.ESTABLISHED),
        TRACEPOINT,
        _states(State.FIN_WAIT1),
        "the same",
    ),
    Difference(
        SEGMENTS,
        _states(State.CLOSE_WAIT),
        SOCKETS,
        _states(State.LAST_ACK),
        "the same, for the passive close",
    ),
    Difference(
        SEGMENTS,
        _states(State.CLOSE_WAIT),
        TRACEPOINT,
        _states(State.LAST_ACK),
        "the same, for the passive close",
    ),
)


def reason_for(first: str, says: State, second: str, saying: State) -> str | None:
    """Why two witnesses may say this at one moment; None when that would be a contradiction."""
    said = {(first, says), (second, saying)}
    for known in KNOWN:
        for one in known.says:
            for other in known.while_saying:
                if said == {(known.first, one), (known.second, other)}:
                    return known.reason
    return None
