"""Every request that may cross to a host's agent, typed once.

An agent is a :class:`HostAgent`; :func:`remote` makes what stands in for it in the test process.
To ask is to call: ``host.agent.rules.delete(number)`` crosses as the name ``rules.delete`` and its
arguments, the agent calls its own method of that name, and what it returns, or raises, comes back.
So each part is answered by an object of the agent's, or by a module:

==============  ===========================================================
``sockets``     :class:`sockstates.sandbox.agent.sockets.Sockets`
``programs``    :class:`sockstates.sandbox.agent.programs.Programs`
``rules``       :class:`sockstates.sandbox.rules.tables.Tables`
``captures``    :class:`sockstates.sandbox.witnesses.chosen_captures.ChosenCaptures`
``faults``      :class:`sockstates.sandbox.agent.wire_faults.Faults`
``emulation``   :mod:`sockstates.sandbox.agent.netem`
``routes``      :mod:`sockstates.sandbox.agent.routes`
the rest        :class:`sockstates.sandbox.agent.agent.Agent`
==============  ===========================================================

`number` is the agent's own for a socket, a program, a rule, a capture or a fault; `call` is the
number under which a socket call is recorded: what it returns is in the evidence. Addresses are an
IP address and a port, options a level, a name and a packed value, as setsockopt(2) takes them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from sockstates.sandbox.rules.chains import Count
    from sockstates.sandbox.rules.rule import AnyCommand, Resolve
    from sockstates.sandbox.rules.rule import Family as RuleFamily
    from sockstates.tcp.comparison import Places
    from sockstates.tcp.pattern import Line

NETEM_IS_MISSING = (errno.ENOENT, errno.EOPNOTSUPP)
"""The errors of a kernel that does not know netem, or no queueing discipline at all."""
ROUTE_KINDS = ("unicast", "blackhole", "unreachable", "prohibit")
"""What a route does with what it leads; the last three lead nowhere, each with its own error."""
ROUTE_VERBS = ("add", "replace", "del")
Where = tuple[str, int]
PackedOptions = tuple[tuple[int, int, Any], ...]


class SocketClosedError(LookupError):
    """A call on a socket that has been closed."""


class SocketInUseError(OSError):
    """A second call of the same direction while the first one still waits."""


class SocketRequests(Protocol):
    """The built-in sockets of a host. Errors: OSError of the call, SocketClosedError."""

    def bind(self, address: Where, family: int, options: PackedOptions) -> tuple[int, Where]:
        """Bind a new socket; its number and its address."""

    def try_bind(self, call: int, address: Where, family: int, options: PackedOptions) -> None:
        """As `bind`, recorded as a call."""

    def listen(
        self, address: Where, family: int, backlog: int, options: PackedOptions
    ) -> tuple[int, Where, int]:
        """Bind a new socket and listen; its number, its address, its cookie."""

    def connect(
        self,
        call: int,
        address: Where,
        family: int,
        source: Where | None,
        options: PackedOptions,
        *,
        blocking: bool = True,
    ) -> tuple[int, Where, int]:
        """Begin to connect a new socket; its number, its address, its cookie."""

    def accept(self, call: int, number: int) -> None:
        """Begin accept(2)."""

    def receive(self, call: int, number: int, size: int, flags: int) -> None:
        """Begin recv(2) of at most `size` bytes."""

    def send(self, call: int, number: int, data: bytes, flags: int) -> None:
        """Begin send(2)."""

    def poll(self, call: int, number: int, events: int) -> None:
        """Begin poll(2) for these events."""

    def close(self, call: int, number: int) -> None:
        """Begin close(2)."""

    def at_once(self, call: int, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        """Make a call that never waits."""

    def descriptor(self, number: int) -> int:
        """The file descriptor of an open socket."""


class SocketRequest(Protocol):
    """One of them that is a call on an open socket, with all its other arguments."""

    def __call__(self, *, call: int, number: int) -> None:
        """Make it."""


class ProgramRequests(Protocol):
    """The programs that a host runs."""

    def start(
        self, command: tuple[str, ...], environment: Mapping[str, str], directory: str | None
    ) -> tuple[int, int]:
        """Run a command; its number and its process id. Errors: OSError."""

    def write(self, number: int, data: bytes) -> None:
        """Type into its standard input; errors: ValueError when that is closed."""

    def close_input(self, number: int) -> None:
        """End of file on its standard input."""

    def send_signal(self, number: int, signal_number: int) -> None:
        """Send a signal to its process group."""

    def kill(self, number: int) -> None:
        """SIGKILL to every process of it."""

    def processes(self, number: int) -> tuple[int, ...]:
        """Its processes that are alive."""

    def owner(self, pid: int) -> tuple[int, str] | None:
        """Whose process this is: the program's number and command line."""


class RuleRequests(Protocol):
    """The filter rules of a host. Errors: OSError of the kernel."""

    def apply(self, command: AnyCommand, resolve: Resolve = ...) -> int | None:
        """Apply a parsed line; the number of the rule that it made, if any."""

    def counter(self, number: int) -> Count:
        """What a rule has matched so far."""

    def delete(self, number: int) -> Count:
        """Take a rule away; what it had matched."""

    def suspend(self, number: int) -> Count:
        """Have a rule match nothing; what it had matched."""

    def resume(self, number: int) -> None:
        """Put a suspended rule back in its place."""

    def listing(self, family: RuleFamily | None = None) -> list[str]:
        """The rules as iptables-save(8) prints them."""

    def knows_nat(self) -> bool:
        """Whether the kernel can rewrite addresses."""


class CaptureRequests(Protocol):
    """The captures that a scenario has chosen on a host."""

    def begin(self, number: int, expression: str, interface: str) -> None:
        """Begin one. Errors: FilterRefused, LibpcapMissing, OSError."""

    def end(self, number: int) -> None:
        """End one, once all that it has captured has been sent."""


@dataclass(frozen=True, slots=True)
class FaultRequest:
    """A fault as the scenario asked for it; `text` is what it wrote.

    number: only the segment of this number among those that the line describes, counted from 1.
    every: only each so many-eth of them. until: what a hold waits for: that the segment of this
    number has passed, or one that another line describes; None: that it is released.
    """

    action: str
    text: str
    line: Line
    places: Places
    bindings: Mapping[str, int]
    number: int | None = None
    every: int | None = None
    until: int | Line | None = None
    seconds: float = 0.0
    copies: int = 1
    header: bool = False
    checksum_fixed: bool = False
    numbers: Mapping[str, int] = field(default_factory=dict)
    flags: str | None = None
    without: tuple[str, ...] = ()


class FaultRequests(Protocol):
    """What a wire does to segments."""

    def apply(self, request: FaultRequest) -> int:
        """Put a fault into force; its number."""

    def delete(self, number: int) -> None:
        """Take a fault away."""

    def counter(self, number: int) -> int:
        """How many segments it has chosen so far."""


@dataclass(frozen=True, slots=True)
class Emulation:
    """What happens to each frame: seconds, a fraction of 1, bits per second; None: nothing."""

    delay: float | None = None
    jitter: float | None = None
    loss: float | None = None
    rate: float | None = None
    seed: int | None = None

    def __str__(self) -> str:
        said = (
            ("delay", self.delay, " s"),
            ("jitter", self.jitter, " s"),
            ("loss", self.loss, ""),
            ("rate", self.rate, " bit/s"),
            ("seed", self.seed, ""),
        )
        return ", ".join(f"{name} {value}{unit}" for name, value, unit in said if value is not None)


class Told(NamedTuple):
    """What the kernel says of a netem: how many frames it lost; its seed, where it knows one."""

    lost: int
    seed: int | None


class EmulationRequests(Protocol):
    """netem on an interface. Errors: OSError of the kernel."""

    def begin(self, name: str, emulation: Emulation) -> None:
        """Have this done to every frame that leaves the interface."""

    def end(self, name: str) -> None:
        """Have frames leave it at once again."""

    def told(self, name: str) -> Told:
        """What the kernel says of it; errors: LookupError where there is none."""

    def is_known(self) -> bool:
        """Whether this kernel has netem."""


class RouteRequests(Protocol):
    """A host's routes, addresses and neighbours. Errors: OSError of the kernel."""

    def change(self, verb: str, kind: str, destination: str, via: str = "") -> None:
        """Add, replace or delete a route."""

    def change_addresses(
        self, verb: str, interface: str, ipv4: str, prefix_ipv4: int, ipv6: str
    ) -> None:
        """Add or delete both addresses of an interface."""

    def ask_neighbours(self) -> None:
        """Forget the static neighbours, and resolve addresses from now on."""


class Settled(NamedTuple):
    """What a host knows when all that has happened by now has been recorded; times in ns."""

    samples: int
    """How many samples it has taken so far."""
    sampled_at: int
    glanced_at: int
    """When it last looked at sock_diag."""
    lost: int
    """Frames that its capture has lost so far."""


class HostAgent(Protocol):
    """All that a host's agent can be asked."""

    @property
    def sockets(self) -> SocketRequests:
        """The built-in sockets."""

    @property
    def programs(self) -> ProgramRequests:
        """What it runs."""

    @property
    def rules(self) -> RuleRequests:
        """Its filter rules."""

    @property
    def captures(self) -> CaptureRequests:
        """The captures that a scenario has chosen."""

    @property
    def faults(self) -> FaultRequests:
        """Errors: LookupError on a host that is no wire."""

    @property
    def emulation(self) -> EmulationRequests:
        """What netem does to frames."""

    @property
    def routes(self) -> RouteRequests:
        """Routes, addresses and neighbours."""

    def watch(self, seconds: float) -> None:
        """Sample closely for so long, because somebody waits."""

    def sample(self) -> None:
        """Sample the sockets once; what has changed is told before the answer."""

    def settle(self) -> Settled:
        """Record all that has happened by now."""

    def watch_conntrack(self) -> str:
        """Have connection tracking tell every connection; why it cannot, or an empty text."""

    def send_frame(self, interface: str, frame: bytes) -> int:
        """Send a frame as it is; the time (ns) just before."""

    def counters(self) -> dict[str, int]:
        """The kernel's counters of the host."""

    def set_sysctl(self, name: str, value: str) -> None:
        """Set a network sysctl. Errors: OSError."""

    def read_sysctl(self, name: str) -> str:
        """A network sysctl, as one line. Errors: OSError."""

    def sysctl_names(self) -> list[str]:
        """The network sysctls that the host has."""

    def set_mtu(self, size: int) -> None:
        """Set the MTU of each of the host's cables, in bytes. Errors: OSError."""


Request = tuple[int, str, tuple[Any, ...], dict[str, Any]]
"""As it crosses: a number for the answer, or 0 for none; its name, and its arguments."""
Ask = Callable[[str, tuple[Any, ...], dict[str, Any]], Any]
"""What carries a request to an agent, its name and arguments, and its answer back."""


class _Remote:
    """Attributes name a request, a call makes it."""

    def __init__(self, ask: Ask, name: str = "") -> None:
        self._ask = ask
        self._name = name

    def __getattr__(self, name: str) -> _Remote:
        return _Remote(self._ask, f"{self._name}.{name}" if self._name else name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._ask(self._name, arguments, named)


def remote(ask: Ask) -> HostAgent:
    """What stands in for an agent: whatever is called on it is asked for by `ask`."""
    return cast("HostAgent", _Remote(ask))
