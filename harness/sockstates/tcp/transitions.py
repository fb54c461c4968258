"""RFC 9293's state diagram as data: every arc of Figure 5, and those that only the text has.

The rules, in prose:

- A connection begins CLOSED. It is opened actively (a SYN goes out) or passively (LISTEN); both
  ends may open actively at once.
- Each direction is closed by a FIN of its own. Who closes first goes through FIN_WAIT1, and then,
  by the order in which the peer's FIN and the acknowledgement of its own come in, through
  FIN_WAIT2, through CLOSING, or (both in one segment) straight to TIME_WAIT. Who closes second goes
  through CLOSE_WAIT and LAST_ACK.
- A valid RST ends a connection in every state at once; only a passively opened one that is not
  yet established returns to LISTEN.
- A user can ABORT in every state, and every state that waits for the peer can run out of time.
- CLOSED is the absence of a connection.

Linux does all of this, with four peculiarities. A connection that was opened passively and is not
yet established is a request socket beside the listener, which stays LISTEN: LISTEN to SYN_RECV
makes a new entry, and back to LISTEN removes it. A listener cannot become active. TIME_WAIT (and
FIN_WAIT2, once no program has the socket) is a small entry that has outlived its socket. What
arrives in one segment is done in one go: two arcs then follow one another within microseconds.

The module never looks at a segment or at a kernel; see `inference` and `evidence.coverage`.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from sockstates.tcp.states import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LAST_ACK,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    State,
)


class Event(enum.StrEnum):
    """What moves a connection: a user's call, a segment that arrived, a timer, an ICMP error."""

    PASSIVE_OPEN = "passive OPEN"
    ACTIVE_OPEN = "active OPEN"
    SEND = "SEND"
    CLOSE = "CLOSE"
    """close(2), or shutdown(2) of the sending direction: no more data will be sent."""
    ABORT = "ABORT"
    """close(2) with SO_LINGER on and zero, or with data unread."""
    SYN = "rcv SYN"
    """A SYN without ACK that is no repetition of the connection's own."""
    SYN_ACK = "rcv SYN,ACK"
    ACK = "rcv ACK"
    """Acknowledges this end's SYN or FIN, whichever the state waits for."""
    FIN = "rcv FIN"
    FIN_ACK = "rcv FIN,ACK of FIN"
    """One segment with the peer's FIN and the acknowledgement of this end's own."""
    DATA = "rcv data"
    """New data for an end whose program has closed and will read nothing any more."""
    RST = "rcv RST"
    UNREACHABLE = "rcv ICMP"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Arc:
    """One arc: in state `before`, on `event`, do `action` and be in state `after`.

    source: where it stands: "Figure 5", or the section of RFC 9293.
    linux: how Linux takes it, and by what it can be seen; or why Linux does not have it.
    exists: whether Linux has it.
    """

    before: State
    event: Event
    action: str
    after: State
    source: str
    linux: str
    exists: bool = True

    @property
    def name(self) -> str:
        """``SYN_SENT -> CLOSED by rcv RST``: unique in the table."""
        return f"{self.before} -> {self.after} by {self.event}"


FIGURE = "Figure 5"
CALL_ABORT, TIMEOUTS = "3.10.5", "3.10.8"
SYN_SENT_STATE, OTHER_STATES = "3.10.7.3", "3.10.7.4"

_RESET = "tcp_reset(): a valid RST (RFC 5961: its number is exactly the next expected) ends it"
_RETRIES2 = "data is repeated tcp_retries2 times, then tcp_write_err(); nothing is sent"
_ORPHAN = "the FIN of an orphan is repeated tcp_orphan_retries times, then tcp_write_err()"
_CHALLENGE = "Linux answers with a challenge ACK and stays (RFC 5961, section 4), as 9293 prefers"
_ABORTED = "tcp_disconnect(): RST, whether the program has shut down before or not"
_ABORTED_SILENTLY = (
    "tcp_disconnect(): gone without a segment; only a program that has used shutdown(2) and still "
    "has the socket can"
)

ARCS: Final = (
    Arc(CLOSED, Event.PASSIVE_OPEN, "-", LISTEN, FIGURE, "listen(2)"),
    Arc(CLOSED, Event.ACTIVE_OPEN, "snd SYN", SYN_SENT, FIGURE, "connect(2)"),
    Arc(
        *(LISTEN, Event.SYN, "snd SYN,ACK", SYN_RECV, FIGURE),
        "a request socket appears beside the listener, without an owner",
    ),
    Arc(
        *(LISTEN, Event.SEND, "snd SYN", SYN_SENT, FIGURE),
        "send(2) on a listener is EPIPE (tcp_sendmsg): nobody is there to send to",
        exists=False,
    ),
    Arc(
        *(LISTEN, Event.ACTIVE_OPEN, "snd SYN", SYN_SENT, "3.10.1"),
        "connect(2) on a listener is EISCONN (__inet_stream_connect)",
        exists=False,
    ),
    Arc(LISTEN, Event.CLOSE, "-", CLOSED, FIGURE, "close(2) of the listener"),
    Arc(
        *(LISTEN, Event.ABORT, "-", CLOSED, CALL_ABORT),
        "a lingering time of zero makes no difference to a listener: nothing is sent",
    ),
    Arc(
        *(SYN_SENT, Event.SYN, "snd SYN,ACK", SYN_RECV, FIGURE),
        "simultaneous open: a whole socket, with its owner",
    ),
    Arc(SYN_SENT, Event.SYN_ACK, "snd ACK", ESTABLISHED, FIGURE, "connect(2) returns"),
    Arc(SYN_SENT, Event.CLOSE, "-", CLOSED, FIGURE, "close(2); nothing is sent"),
    Arc(SYN_SENT, Event.ABORT, "-", CLOSED, CALL_ABORT, "tcp_disconnect(); nothing is sent"),
    Arc(SYN_SENT, Event.RST, "-", CLOSED, SYN_SENT_STATE, "connect(2) fails: ECONNREFUSED"),
    Arc(
        *(SYN_SENT, Event.UNREACHABLE, "-", CLOSED, "3.9.2.2"),
        "connect(2) fails: ECONNREFUSED, EHOSTUNREACH; tcp_v4_err(). In later states an ICMP error "
        "only is remembered (RFC 5461)",
    ),
    Arc(
        *(SYN_SENT, Event.TIMEOUT, "-", CLOSED, TIMEOUTS),
        "after tcp_syn_retries; connect(2) fails: ETIMEDOUT",
    ),
    Arc(
        *(SYN_RECV, Event.ACK, "-", ESTABLISHED, FIGURE),
        "the request socket becomes a socket, which waits for accept(2)",
    ),
    Arc(
        *(SYN_RECV, Event.CLOSE, "snd FIN", FIN_WAIT1, FIGURE),
        "only after a simultaneous open: a request socket has nobody who could close it",
    ),
    Arc(
        *(SYN_RECV, Event.FIN, "snd ACK", CLOSE_WAIT, OTHER_STATES),
        "the FIN's own ACK completes the handshake first: ESTABLISHED lasts microseconds",
    ),
    Arc(
        *(SYN_RECV, Event.RST, "-", LISTEN, OTHER_STATES),
        "tcp_check_req() drops the request socket; the listener stays",
    ),
    Arc(
        *(SYN_RECV, Event.RST, "-", CLOSED, OTHER_STATES),
        "after a simultaneous open: tcp_reset(); connect(2) fails: ECONNRESET",
    ),
    Arc(
        *(SYN_RECV, Event.SYN, "-", LISTEN, OTHER_STATES),
        "another SYN in the window: tcp_check_req() drops the request socket, and sends RST too",
    ),
    Arc(
        *(SYN_RECV, Event.ABORT, "snd RST", CLOSED, CALL_ABORT),
        "only after a simultaneous open: tcp_disconnect()",
    ),
    Arc(
        *(SYN_RECV, Event.TIMEOUT, "-", CLOSED, TIMEOUTS),
        "after tcp_synack_retries the request socket is forgotten; the listener stays",
    ),
    Arc(ESTABLISHED, Event.CLOSE, "snd FIN", FIN_WAIT1, FIGURE, "close(2) or shutdown(2)"),
    Arc(ESTABLISHED, Event.FIN, "snd ACK", CLOSE_WAIT, FIGURE, "recv(2) returns nothing"),
    Arc(ESTABLISHED, Event.RST, "-", CLOSED, OTHER_STATES, _RESET),
    Arc(ESTABLISHED, Event.ABORT, "snd RST", CLOSED, CALL_ABORT, _ABORTED),
    Arc(ESTABLISHED, Event.TIMEOUT, "-", CLOSED, TIMEOUTS, _RETRIES2),
    Arc(ESTABLISHED, Event.SYN, "snd RST", CLOSED, OTHER_STATES, _CHALLENGE, exists=False),
    Arc(FIN_WAIT1, Event.ACK, "-", FIN_WAIT2, FIGURE, "the FIN is acknowledged, alone"),
    Arc(FIN_WAIT1, Event.FIN, "snd ACK", CLOSING, FIGURE, "simultaneous close"),
    Arc(
        *(FIN_WAIT1, Event.FIN_ACK, "snd ACK", TIME_WAIT, FIGURE),
        "the ACK is handled before the FIN of the same segment: FIN_WAIT2 lasts microseconds",
    ),
    Arc(FIN_WAIT1, Event.RST, "-", CLOSED, OTHER_STATES, _RESET),
    Arc(FIN_WAIT1, Event.ABORT, "snd RST", CLOSED, CALL_ABORT, _ABORTED),
    Arc(
        *(FIN_WAIT1, Event.DATA, "snd RST", CLOSED, "3.6.1"),
        "tcp_rcv_state_process(): data that nobody will read is refused",
    ),
    Arc(FIN_WAIT1, Event.TIMEOUT, "-", CLOSED, TIMEOUTS, _ORPHAN),
    Arc(FIN_WAIT1, Event.SYN, "snd RST", CLOSED, OTHER_STATES, _CHALLENGE, exists=False),
    Arc(FIN_WAIT2, Event.FIN, "snd ACK", TIME_WAIT, FIGURE, "tcp_fin()"),
    Arc(FIN_WAIT2, Event.RST, "-", CLOSED, OTHER_STATES, _RESET),
    Arc(FIN_WAIT2, Event.ABORT, "snd RST", CLOSED, CALL_ABORT, _ABORTED),
    Arc(
        *(FIN_WAIT2, Event.DATA, "snd RST", CLOSED, "3.6.1"),
        "tcp_timewait_state_process(): data that nobody will read is refused",
    ),
    Arc(
        *(FIN_WAIT2, Event.TIMEOUT, "-", CLOSED, TIMEOUTS),
        "an orphan is forgotten after tcp_fin_timeout; with an owner it stays for ever",
    ),
    Arc(
        *(FIN_WAIT2, Event.SYN, "snd RST", CLOSED, OTHER_STATES),
        "an orphan only: tcp_timewait_state_process() refuses a SYN in the window, as RFC 793 had "
        "it; with an owner it is a challenge ACK (RFC 5961)",
    ),
    Arc(CLOSE_WAIT, Event.CLOSE, "snd FIN", LAST_ACK, FIGURE, "close(2) or shutdown(2)"),
    Arc(CLOSE_WAIT, Event.RST, "-", CLOSED, OTHER_STATES, _RESET),
    Arc(CLOSE_WAIT, Event.ABORT, "snd RST", CLOSED, CALL_ABORT, _ABORTED),
    Arc(CLOSE_WAIT, Event.TIMEOUT, "-", CLOSED, TIMEOUTS, _RETRIES2),
    Arc(CLOSE_WAIT, Event.SYN, "snd RST", CLOSED, OTHER_STATES, _CHALLENGE, exists=False),
    Arc(CLOSING, Event.ACK, "-", TIME_WAIT, FIGURE, "the FIN is acknowledged at last"),
    Arc(CLOSING, Event.RST, "-", CLOSED, OTHER_STATES, _RESET),
    Arc(CLOSING, Event.ABORT, "-", CLOSED, CALL_ABORT, _ABORTED_SILENTLY),
    Arc(CLOSING, Event.TIMEOUT, "-", CLOSED, TIMEOUTS, _ORPHAN),
    Arc(CLOSING, Event.SYN, "snd RST", CLOSED, OTHER_STATES, _CHALLENGE, exists=False),
    Arc(LAST_ACK, Event.ACK, "-", CLOSED, FIGURE, "the FIN is acknowledged, and nothing is left"),
    Arc(LAST_ACK, Event.RST, "-", CLOSED, OTHER_STATES, _RESET),
    Arc(LAST_ACK, Event.ABORT, "-", CLOSED, CALL_ABORT, _ABORTED_SILENTLY),
    Arc(LAST_ACK, Event.TIMEOUT, "-", CLOSED, TIMEOUTS, _ORPHAN),
    Arc(LAST_ACK, Event.SYN, "snd RST", CLOSED, OTHER_STATES, _CHALLENGE, exists=False),
    Arc(
        *(TIME_WAIT, Event.TIMEOUT, "-", CLOSED, FIGURE),
        "after 60 s: TCP_TIMEWAIT_LEN, compiled in",
    ),
    Arc(
        *(TIME_WAIT, Event.RST, "-", CLOSED, OTHER_STATES),
        "with tcp_rfc1337 at 0; tcp_timewait_state_process()",
    ),
    Arc(
        *(TIME_WAIT, Event.ABORT, "-", CLOSED, CALL_ABORT),
        "no program has the entry, so none can abort it (an administrator can: ss --kill)",
        exists=False,
    ),
    Arc(
        *(TIME_WAIT, Event.SYN, "snd SYN,ACK", SYN_RECV, OTHER_STATES),
        "a newer SYN for a listener that is still there begins the connection anew",
    ),
)
"""Every arc. Those with the same state and event differ in how the connection was opened."""

BY_NAME: Final = {arc.name: arc for arc in ARCS}


def _by_event() -> dict[tuple[State, Event], tuple[Arc, ...]]:
    found: dict[tuple[State, Event], list[Arc]] = defaultdict(list)
    for arc in ARCS:
        found[arc.before, arc.event].append(arc)
    return {key: tuple(arcs) for key, arcs in found.items()}


_BY_EVENT: Final = _by_event()


def arc_for(before: State, event: Event, *, passive: bool = False) -> Arc | None:
    """The arc that leaves `before` on `event`, on Linux; None where nothing changes.

    passive: the connection was opened passively, so that SYN_RECV returns to LISTEN.
    """
    arcs = [arc for arc in _BY_EVENT.get((before, event), ()) if arc.exists]
    if before is SYN_RECV:
        arcs = [
            arc
            for arc in arcs
            if arc.after is not (CLOSED if passive and event is Event.RST else None)
            and (passive or arc.after is not LISTEN)
        ]
    return arcs[0] if arcs else None
