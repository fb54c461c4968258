"""What the kernel itself can be heard saying: the events of the witnesses beside psutil.

Times are nanoseconds of CLOCK_REALTIME. "Exact" means that each occurrence is one event; what is
not exact was looked at from time to time and may have been missed in between.
"""

from __future__ import annotations

from dataclasses import dataclass

from sockstates.tcp.segment import Address
from sockstates.tcp.states import State


@dataclass(frozen=True, slots=True)
class SocketGlanced:
    """One endpoint's state as sock_diag(7) alone showed it, in a look that did not ask psutil.

    Recorded when it differs from the glance before. It was so at `time`; at `not_before` not yet.
    """

    time: int
    host: str
    local: Address
    remote: Address | None
    state: State
    not_before: int = 0
    cookie: int = 0
    """The kernel's number for this socket, as in `SocketSeen`."""


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The kernel changed a socket's state: the tracepoint sock:inet_sock_set_state. Exact.

    `socket` is the socket's address in the kernel: it ties events without a port to the others.
    The tracepoint shows CLOSED where a TIME_WAIT begins, and no request socket (SYN_RECV).
    """

    time: int
    host: str
    local: Address
    remote: Address | None
    before: State
    after: State
    socket: int = 0


@dataclass(frozen=True, slots=True)
class Retransmitted:
    """The kernel sent a segment or a SYN-ACK again: tcp:tcp_retransmit_skb, _synack. Exact."""

    time: int
    host: str
    local: Address
    remote: Address
    state: State
    syn_ack: bool = False


@dataclass(frozen=True, slots=True)
class ResetPassed:
    """The kernel sent (`sent`) or took in an RST: tcp:tcp_send_reset, tcp_receive_reset. Exact.

    `reason` is the kernel's word for why it was sent, where the kernel has one (6.10 on).
    """

    time: int
    host: str
    local: Address
    remote: Address
    sent: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PacketDropped:
    """The kernel threw a packet away, with its reason: skb:kfree_skb. Exact.

    `local` and `remote` are those of the socket that it was for, where the kernel knew one.
    """

    time: int
    host: str
    reason: str
    local: Address | None = None
    remote: Address | None = None


@dataclass(frozen=True, slots=True)
class FilterDecided:
    """A filter rule, or a chain's policy, decided about a packet: nf_tables' own trace.

    `line` is the rule as the scenario wrote it, or the policy's line; `verdict` is ``drop`` or
    ``reject``. Of the segment: its addresses, flags in tcpdump's letters, sequence number,
    acknowledgement, bytes of payload. `time` is that of the trace's arrival, shortly after the
    decision; `sockstates.evidence.decisions` finds the captured segment. `line` is empty for a rule
    that the scenario did not make. TCP only, and no more than a thousand packets a second: when
    there were more, RecordsLost says how many were not looked at.
    """

    time: int
    host: str
    line: str
    verdict: str
    source: Address
    destination: Address
    flags: str
    sequence: int
    acknowledgement: int | None = None
    length: int = 0
    chain: str = ""
    """INPUT (captured before), FORWARD, or OUTPUT (never on the wire)."""


@dataclass(frozen=True, slots=True)
class FlowChanged:
    """Connection tracking saw a connection change: an event of nfnetlink_conntrack. Exact.

    `change` is ``new``, ``updated`` or ``destroyed``; `state` conntrack's own name for the state
    (SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE), which is
    one for both ends together. `source` began the connection. `time` is the kernel's own where it
    gives one (6.14 on), else that of the event's arrival, shortly after (`arrived`).

    `replier` and `replies_to` are source and destination of what answers it, as it comes here: the
    same two the other way round, unless this host rewrites one of them. None: not told.
    """

    time: int
    host: str
    source: Address
    destination: Address
    change: str
    state: str = ""
    arrived: bool = False
    replier: Address | None = None
    replies_to: Address | None = None


@dataclass(frozen=True, slots=True)
class WireActed:
    """The wire between the hosts did something to a segment that a fault of the scenario chose.

    Exact. `action` is ``held``, ``delayed``, ``released`` (what was held or delayed went on),
    ``duplicated``, ``damaged`` (its checksum is wrong since), ``dropped`` or ``rewritten``; `line`
    the fault as the scenario wrote it, and `fault` its number. Of the segment, as it came to the
    wire at `came` (ns): its addresses, flags in tcpdump's letters, sequence number,
    acknowledgement, bytes of payload. `time` is `came`, or when it was released.
    """

    time: int
    host: str
    fault: int
    line: str
    action: str
    source: Address
    destination: Address
    flags: str
    sequence: int
    acknowledgement: int | None = None
    length: int = 0
    came: int = 0
    detail: str = ""
    """How: ``by 0.3 s``, ``window 0``."""


@dataclass(frozen=True, slots=True)
class WitnessJoined:
    """A source of evidence beside the samples and captures is there from now on, or why it is not.

    `witness` is ``tracepoints``, ``conntrack`` or ``filter trace``; `missing` the reason why it is
    not there, with the fix; empty when it is. `host` is empty for a witness of the whole machine.
    """

    time: int
    witness: str
    host: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class RecordsLost:
    """A witness lost records: what it does not show may have happened."""

    time: int
    host: str
    witness: str
    count: int


KernelEvent = (
    SocketGlanced
    | StateChanged
    | Retransmitted
    | ResetPassed
    | PacketDropped
    | FilterDecided
    | FlowChanged
    | WireActed
    | WitnessJoined
    | RecordsLost
)
