"""What can be recorded: every kind of event that a timeline holds, with the host it is about.

All times are nanoseconds of CLOCK_REALTIME, which packet sockets stamp with too, so that every
witness is on one clock. Events are plain data: recorded in a lab, kept, judged, drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sockstates.record.kernel_events import KernelEvent
from sockstates.tcp.segment import Address
from sockstates.tcp.states import State

NANOSECONDS = 1_000_000_000
NETEM = "netem"
"""The last word of a setting's name that says what netem does at an interface: ``eth0 netem``."""
ROUTE, ADDRESS, NEIGHBOURS = "route", "address", "neighbours"
"""The first word of a setting's name that says how a host finds its way: ``route del default``."""


@dataclass(frozen=True, slots=True)
class Step:
    """The scenario says what it does next; `host` is empty."""

    time: int
    text: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """The scenario says which figure it measured, as the proof of its claim; `host` is empty."""

    time: int
    text: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class SocketSeen:
    """One endpoint as one sample saw it. State and owner are psutil's, the rest is sock_diag(7)'s.

    Recorded when anything has changed; of a timer, that it is another one or runs out at another
    moment. It was so at `time`; at `not_before`, the sample before, it was not yet so.
    """

    time: int
    host: str
    local: Address
    remote: Address | None
    state: State
    owner: int | None = None
    """Process that has it open, in the host's own numbering; None for nobody (orphan, not yet
    accepted, TIME_WAIT, SYN_RECV)."""
    send_queue: int | None = None
    """Bytes not yet acknowledged, a FIN counts one; for a listener the backlog. None: not known."""
    receive_queue: int | None = None
    """Bytes not yet read; for a listener the connections that wait for accept."""
    timer: str = ""
    """retransmit, keepalive, time-wait, probe, or empty."""
    timer_expires: int | None = None
    """Nanoseconds from `time` until that timer runs out, as the kernel rounded it (ms)."""
    retransmits: int = 0
    not_before: int = 0
    first_owner: int | None = None
    """The lowest of the processes that have it open: `owner` is the highest. None: nobody."""
    mapped: bool = False
    """An IPv6 socket that speaks IPv4 (ipv6(7)): its addresses are given as the IPv4 ones."""
    cookie: int = 0
    """The kernel's number for this socket, SO_COOKIE of socket(7); no other ever has it. 0: not
    known."""


@dataclass(frozen=True, slots=True)
class ProcessSeen:
    """What a process that has a socket open calls itself: the words of its command line.

    Recorded when they are new or have changed: a program may write another text over them.
    """

    time: int
    host: str
    pid: int
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallBegan:
    """A program of ours entered a socket call; `local` and `remote` are the socket's addresses."""

    time: int
    host: str
    call: int
    name: str
    detail: str = ""
    local: Address | None = None
    remote: Address | None = None


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call returned (`error` 0) or failed with an errno."""

    time: int
    host: str
    call: int
    name: str
    error: int = 0
    result: object = None


@dataclass(frozen=True, slots=True)
class ProgramStarted:
    """A command runs on a host; `pid` is the host's own numbering."""

    time: int
    host: str
    program: int
    pid: int
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProgramWrote:
    """Output of a command, as it came. `cut`: the program wrote more than is kept; this is not."""

    time: int
    host: str
    program: int
    stream: str
    data: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True)
class ProgramEnded:
    """A command ended: its exit status, negative for the signal that ended it.

    `left` are processes that it had begun and that go on: a daemon's, a background job's.
    """

    time: int
    host: str
    program: int
    status: int
    left: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleChanged:
    """A filter rule was ``applied``, ``deleted``, ``suspended``, ``resumed``, or just ``counted``.

    Or a fault of a wire, whose `line` begins with its verb: ``applied``, ``released``, ``deleted``.
    `packets` and `octets` are the rule's own counter at that moment.
    """

    time: int
    host: str
    line: str
    change: str
    packets: int = 0
    octets: int = 0


@dataclass(frozen=True, slots=True)
class SysctlSet:
    """A network setting of a host was written by the scenario.

    A sysctl, or of an interface: ``eth0 mtu``, ``eth0 netem``.
    """

    time: int
    host: str
    name: str
    value: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class SegmentCrafted:
    """The scenario had a host send a segment that no socket of its kernel sent.

    `text` is what tcpdump prints of it, with its checksum where that is not right.
    """

    time: int
    host: str
    source: Address
    destination: Address
    text: str


@dataclass(frozen=True, slots=True)
class CounterRead:
    """A counter of the host's kernel was read, named as nstat(8) names it (`TcpInCsumErrors`)."""

    time: int
    host: str
    name: str
    value: int


@dataclass(frozen=True, slots=True)
class FramesLost:
    """A capture, or a wire, lost frames: what follows from their absence is inconclusive."""

    time: int
    host: str
    count: int
    chosen: bool = False
    """A capture that the scenario chose (`CaptureChosen`) lost them; the host's own did not."""
    on_the_way: bool = False
    """A wire had no room for them, so that they did not go on; its capture lost none of them."""


@dataclass(frozen=True, slots=True)
class CaptureChosen:
    """The scenario's own capture on a host ``began`` or ``ended``: what tcpdump would be told.

    `expression` is in tcpdump's words (pcap-filter(7)); `interface` may be ``any``; `direction` is
    ``in``, ``out`` or ``inout``; `frames` is how many it had kept when it ended.
    """

    time: int
    host: str
    number: int
    change: str
    expression: str
    interface: str
    direction: str
    frames: int = 0


@dataclass(frozen=True, slots=True)
class ClockStepped:
    """The machine's real-time clock was set: times before and after do not compare."""

    time: int
    host: str
    nanoseconds: int


@dataclass(frozen=True, slots=True)
class HostReady:
    """A host is up: its process, as the test process sees it, and its settings."""

    time: int
    host: str
    namespace: int
    sysctls: dict[str, str] = field(default_factory=dict)


Event = (
    Step
    | Figure
    | SocketSeen
    | ProcessSeen
    | KernelEvent
    | CallBegan
    | CallEnded
    | ProgramStarted
    | ProgramWrote
    | ProgramEnded
    | RuleChanged
    | SysctlSet
    | SegmentCrafted
    | CounterRead
    | FramesLost
    | CaptureChosen
    | ClockStepped
    | HostReady
)
