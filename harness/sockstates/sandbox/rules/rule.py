"""What a rule is, as plain frozen data: the matches, the verdict, and the commands that carry them.

Nothing here parses, resolves or touches a kernel. Every class can be pickled and compared: a rule
is deleted "by specification" by being equal to another one (iptables(8), ``-D``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Family = Literal[4, 6]
"""The IP version, spelled as ``ipaddress`` spells it."""

FAMILIES: tuple[Family, ...] = (4, 6)
TableName = Literal["filter", "nat"]
CHAINS: dict[TableName, tuple[str, ...]] = {
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "OUTPUT"),
}
"""The tables of iptables, and what chains of them are supported."""

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58


@dataclass(frozen=True, slots=True)
class HostName:
    """A host of the lab, not yet an address: which one it is depends on the family."""

    name: str


@dataclass(frozen=True, slots=True)
class Network:
    """An address and the bits of it that count, in any pattern (10.0.0.0/255.0.255.0).

    ``address`` has the masked-out bits cleared already, as iptables does when it reads a rule.
    """

    family: Family
    address: bytes
    mask: bytes


@dataclass(frozen=True, slots=True)
class Peer:
    """``[!] -s`` or ``[!] -d``."""

    where: HostName | Network
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Interface:
    """``[!] -i`` or ``[!] -o``; a trailing ``+`` stands for any ending."""

    name: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Protocol:
    """``[!] -p``, as the number that stands in the IP header (or ends IPv6's chain of headers)."""

    number: int
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Ports:
    """An inclusive range of TCP or UDP ports."""

    low: int
    high: int
    negated: bool = False


@dataclass(frozen=True, slots=True)
class TcpFlags:
    """``[!] --tcp-flags MASK COMP``: of the bits in ``mask``, exactly those in ``comp`` are set."""

    mask: int
    comp: int
    negated: bool = False


@dataclass(frozen=True, slots=True)
class TcpMatch:
    """``-m tcp``."""

    source: Ports | None = None
    destination: Ports | None = None
    flags: TcpFlags | None = None


@dataclass(frozen=True, slots=True)
class UdpMatch:
    """``-m udp``."""

    source: Ports | None = None
    destination: Ports | None = None


@dataclass(frozen=True, slots=True)
class ConntrackMatch:
    """``-m conntrack --ctstate``, or ``-m state --state``, which is its older spelling."""

    states: frozenset[str]
    negated: bool = False
    module: Literal["conntrack", "state"] = "conntrack"


@dataclass(frozen=True, slots=True)
class RandomMatch:
    """``-m statistic --mode random``; the probability in units of 2**-31, as in the kernel."""

    probability: int
    negated: bool = False


@dataclass(frozen=True, slots=True)
class NthMatch:
    """``-m statistic --mode nth``: of each ``every`` packets the one numbered ``packet`` from 0."""

    every: int
    packet: int = 0
    negated: bool = False


@dataclass(frozen=True, slots=True)
class LimitMatch:
    """``-m limit``: a bucket of ``burst`` packets, refilled with ``rate`` packets a ``unit``."""

    rate: int = 3
    unit: Literal["sec", "min", "hour", "day"] = "hour"
    burst: int = 5


@dataclass(frozen=True, slots=True)
class LengthMatch:
    """``-m length``: the IP packet's length in bytes, its header included; inclusive range."""

    low: int
    high: int
    negated: bool = False


@dataclass(frozen=True, slots=True)
class CommentMatch:
    """``-m comment``: matches everything and says why."""

    text: str


Match = (
    TcpMatch
    | UdpMatch
    | ConntrackMatch
    | RandomMatch
    | NthMatch
    | LimitMatch
    | LengthMatch
    | CommentMatch
)

Verdict = Literal["ACCEPT", "DROP", "REJECT", "DNAT", "REDIRECT"]


@dataclass(frozen=True, slots=True)
class NewDestination:
    """``--to-destination`` or ``--to-ports``: where a packet goes instead; None: as it was."""

    where: HostName | Network | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a chain.

    ``matches`` keep the order of the line: a limit or a statistic sees only what the matches
    before it let through. ``target`` None counts and decides nothing. ``reject_with`` is one of
    ``families.REJECT_TYPES``, or None for each family's own default (port unreachable).
    ``to`` belongs to DNAT and REDIRECT.
    """

    chain: str
    source: Peer | None = None
    destination: Peer | None = None
    in_interface: Interface | None = None
    out_interface: Interface | None = None
    protocol: Protocol | None = None
    matches: tuple[Match, ...] = ()
    target: Verdict | None = None
    reject_with: str | None = None
    to: NewDestination | None = None
    table: TableName = "filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What all commands have: the line as it was typed, its families, and its table."""

    line: str = field(compare=False)
    families: tuple[Family, ...] = FAMILIES
    table: TableName = "filter"


@dataclass(frozen=True, slots=True)
class Append(Command):
    """``-A CHAIN ...``: at the end of the chain."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Insert(Command):
    """``-I CHAIN [number] ...``: so that the rule becomes number ``number``, counted from 1."""

    rule: Rule
    number: int = 1


@dataclass(frozen=True, slots=True)
class DeleteRule(Command):
    """``-D CHAIN ...``: the first rule that says the same."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class DeleteNumber(Command):
    """``-D CHAIN number``, counted from 1."""

    chain: str
    number: int


@dataclass(frozen=True, slots=True)
class Flush(Command):
    """``-F [CHAIN]``: every rule of the chain, or of all chains."""

    chain: str | None = None


@dataclass(frozen=True, slots=True)
class SetPolicy(Command):
    """``-P CHAIN ACCEPT|DROP``: what happens to a packet that no rule has decided."""

    chain: str
    policy: Literal["ACCEPT", "DROP"]


AnyCommand = Append | Insert | DeleteRule | DeleteNumber | Flush | SetPolicy

Resolve = Callable[[str, Family], str | None]
"""A host's address in a family, None where it has none; UnknownHostError for no such host."""
