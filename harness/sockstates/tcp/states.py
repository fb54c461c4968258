"""The states of a TCP connection, spelled as psutil spells them.

Psutil's spelling is the one of Linux's `netstat` (`SYN_RECV`, `FIN_WAIT1`). People also type what
RFC 9293, ss(8), BSD's netstat and the kernel's tracepoints print, so `State.of` accepts all of
them. The module never asks a kernel anything.
"""

import enum
from typing import Final

from sockstates.tcp.nearest import nearest


class UnknownState(ValueError):
    """A text that names no TCP state in any spelling."""


class State(enum.StrEnum):
    """A state of a TCP connection (RFC 9293, section 3.3.2); `description` says what it means."""

    SYN_SENT = "SYN_SENT"
    SYN_RECV = "SYN_RECV"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT1 = "FIN_WAIT1"
    FIN_WAIT2 = "FIN_WAIT2"
    TIME_WAIT = "TIME_WAIT"
    CLOSE_WAIT = "CLOSE_WAIT"
    LAST_ACK = "LAST_ACK"
    LISTEN = "LISTEN"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"

    @property
    def description(self) -> str:
        """What an endpoint in this state waits for, in one sentence (RFC 9293, section 3.3.2)."""
        return _DESCRIPTIONS[self]

    @property
    def rfc(self) -> str:
        """The state as RFC 9293 spells it, for example SYN-RECEIVED or FIN-WAIT-1."""
        return _RFC_SPELLINGS.get(self, self.value.replace("_", "-"))

    @classmethod
    def of(cls, text: str) -> "State":
        """The state that `text` names in psutil's, the RFC's, ss's, netstat's or Linux's spelling.

        Upper and lower case, hyphen, underscore and space are the same.
        Raises UnknownState, which names the nearest state and all of them.
        """
        if not isinstance(text, str):
            raise UnknownState(_unknown(repr(text)))
        try:
            return _BY_SPELLING[_plain(text)]
        except KeyError:
            raise UnknownState(_unknown(text)) from None


SYN_SENT: Final = State.SYN_SENT
SYN_RECV: Final = State.SYN_RECV
ESTABLISHED: Final = State.ESTABLISHED
FIN_WAIT1: Final = State.FIN_WAIT1
FIN_WAIT2: Final = State.FIN_WAIT2
TIME_WAIT: Final = State.TIME_WAIT
CLOSE_WAIT: Final = State.CLOSE_WAIT
LAST_ACK: Final = State.LAST_ACK
LISTEN: Final = State.LISTEN
CLOSING: Final = State.CLOSING
CLOSED: Final = State.CLOSED

_DESCRIPTIONS: Final = {
    SYN_SENT: "Has sent a SYN and waits for the peer's SYN.",
    SYN_RECV: "Has sent and received a SYN and waits for the ACK of its own.",
    ESTABLISHED: "The connection is open: data goes both ways.",
    FIN_WAIT1: "Has closed and sent a FIN; waits for its ACK, or for the peer's FIN.",
    FIN_WAIT2: "Its FIN is acknowledged; waits for the peer's FIN.",
    TIME_WAIT: "Both sides have closed; waits until no old segment can still arrive.",
    CLOSE_WAIT: "The peer has closed; waits for the local program to close too.",
    LAST_ACK: "The peer closed first, now this side too; waits for the ACK of its own FIN.",
    LISTEN: "Waits for connections from anyone.",
    CLOSING: "Both sides closed at once; waits for the ACK of its own FIN.",
    CLOSED: "No connection at all: the endpoint does not exist.",
}

_RFC_SPELLINGS: Final = {
    SYN_RECV: "SYN-RECEIVED",
    FIN_WAIT1: "FIN-WAIT-1",
    FIN_WAIT2: "FIN-WAIT-2",
}

# Spellings that differ from psutil's by more than case and punctuation, and who uses them.
_OTHER_SPELLINGS: Final = {
    "SYNRECEIVED": SYN_RECV,  # RFC 9293
    "SYNRCVD": SYN_RECV,  # BSD netstat
    "NEWSYNRECV": SYN_RECV,  # Linux tracepoints: a request socket
    "ESTAB": ESTABLISHED,  # ss
    "CLOSE": CLOSED,  # psutil and Linux tracepoints
    "UNCONN": CLOSED,  # ss
    "LISTENING": LISTEN,  # Windows netstat, ss's -l
}


def _plain(text: str) -> str:
    """`text` in upper case, without hyphens, underscores, spaces and Linux's prefix TCP_."""
    plain = text.strip().upper().translate(str.maketrans("", "", "-_ "))
    return plain.removeprefix("TCP")


_BY_SPELLING: Final = {_plain(state): state for state in State} | _OTHER_SPELLINGS


def _unknown(text: str) -> str:
    meant = dict.fromkeys(_BY_SPELLING[each] for each in nearest(_plain(text), _BY_SPELLING))
    hint = f" Did you mean {' or '.join(meant)}?" if meant else ""
    return f"{text!r} is not a TCP state.{hint} The states are: {', '.join(State)}."
