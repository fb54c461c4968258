"""A concrete rule as the expressions of nf_tables, in pyroute2's form. Pure.

nf_tables is the kernel's present packet filter, and what iptables itself is built on since 1.8
(iptables-nft). An expression loads something into a register or compares a register; the first
comparison that fails ends the rule. The order here is iptables': the cheap fields of the line, the
matches as they were typed, the counter, the verdict. So the counter counts what matched.

Numbers are compared as bytes: what the kernel loads in its own byte order (lengths, random
numbers) is turned into network order first where greater and less must mean something.
"""

import struct
from collections.abc import Iterable
from typing import Any

from sockstates.sandbox.rules.families import REJECT_CODES, TCP_RESET
from sockstates.sandbox.rules.rule import (
    CommentMatch,
    ConntrackMatch,
    Family,
    HostName,
    Interface,
    LengthMatch,
    LimitMatch,
    Match,
    NthMatch,
    Peer,
    Ports,
    RandomMatch,
    Rule,
    TcpFlags,
    TcpMatch,
    UdpMatch,
)
from sockstates.sandbox.rules.values import UNIT_SECONDS

Expression = dict[str, Any]

# linux/netfilter/nf_tables.h and linux/netfilter.h
_REGISTER, _VERDICT_REGISTER = 1, 0
_EQUAL, _UNEQUAL, _LESS, _GREATER_OR_EQUAL = 0, 1, 2, 5
_IN_RANGE, _OUT_OF_RANGE = 0, 1
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_META_LENGTH, _META_IN_NAME, _META_OUT_NAME, _META_L4_PROTOCOL, _META_RANDOM = 0, 6, 7, 16, 24
_CONNTRACK_STATE = 0
_HOST_TO_NETWORK = 1
_COUNTING_UP = 0
_PACKETS = 0
_REJECT_ICMP, _REJECT_RESET = 0, 1
_VERDICT_CODES = {"DROP": 0, "ACCEPT": 1}
_NAT_DESTINATION = 1
_SECOND_REGISTER = 2
_PROTOCOL_FAMILIES: dict[Family, int] = {4: 2, 6: 10}

_ADDRESS_OFFSETS: dict[Family, tuple[int, int]] = {4: (12, 16), 6: (8, 24)}
"""Where source and destination stand in the header: RFC 791, 3.1; RFC 8200, 3."""
_INTERFACE_NAME_SIZE = 16
_STATE_BITS = {"INVALID": 1, "ESTABLISHED": 2, "RELATED": 4, "NEW": 8, "UNTRACKED": 64}
_FLAGS_OFFSET = 13


def expressions(rule: Rule, family: Family, counted: tuple[int, int] = (0, 0)) -> list[Expression]:
    """Build the rule for one family; its counter begins at ``counted`` (packets, bytes).

    The rule must come from ``for_family``: a host's name in it is a TypeError.
    """
    source, destination = _ADDRESS_OFFSETS[family]
    made = [
        *_peer(rule.source, source),
        *_peer(rule.destination, destination),
        *_interface(rule.in_interface, _META_IN_NAME),
        *_interface(rule.out_interface, _META_OUT_NAME),
    ]
    if rule.protocol is not None:
        made.append(meta(_META_L4_PROTOCOL))
        made.append(compare(bytes([rule.protocol.number]), rule.protocol.negated))
    for match in rule.matches:
        made.extend(_match(match))
    made.append(expression("counter", packets=counted[0], bytes=counted[1]))
    made.extend(_verdict(rule, family))
    return made


def expression(kind: str, **attributes: Any) -> Expression:
    """Build an expression of nf_tables from its attributes, named without their prefix."""
    prefix = {"numgen": "NG"}.get(kind, kind.upper())
    data = [(f"NFTA_{prefix}_{name.upper()}", value) for name, value in attributes.items()]
    return {"attrs": [("NFTA_EXPR_NAME", kind), ("NFTA_EXPR_DATA", {"attrs": data})]}


def _octets(value: bytes) -> dict[str, Any]:
    return {"attrs": [("NFTA_DATA_VALUE", value)]}


def compare(value: bytes, negated: bool = False) -> Expression:
    """End the rule unless the register holds these bytes (or if it does)."""
    return _compare_by(_UNEQUAL if negated else _EQUAL, value)


def _compare_by(operator: int, value: bytes) -> Expression:
    return expression("cmp", sreg=_REGISTER, op=operator, data=_octets(value))


def _range(low: bytes, high: bytes, negated: bool) -> Expression:
    if low == high:
        return compare(low, negated)
    operator = _OUT_OF_RANGE if negated else _IN_RANGE
    return expression(
        "range", sreg=_REGISTER, op=operator, from_data=_octets(low), to_data=_octets(high)
    )


def _mask(mask: bytes) -> Expression:
    return expression(
        "bitwise",
        sreg=_REGISTER,
        dreg=_REGISTER,
        len=len(mask),
        mask=_octets(mask),
        xor=_octets(bytes(len(mask))),
    )


def meta(key: int) -> Expression:
    """Load what the kernel knows of the packet beside its bytes: nft(8), META EXPRESSIONS."""
    return expression("meta", dreg=_REGISTER, key=key)


def _payload(base: int, offset: int, length: int) -> Expression:
    return expression("payload", dreg=_REGISTER, base=base, offset=offset, len=length)


def _network_order() -> Expression:
    return expression(
        "byteorder", sreg=_REGISTER, dreg=_REGISTER, op=_HOST_TO_NETWORK, len=4, size=4
    )


def _peer(peer: Peer | None, offset: int) -> Iterable[Expression]:
    if peer is None:
        return
    if isinstance(peer.where, HostName):
        raise TypeError(f"{peer.where.name} is a name: the rule must come from for_family")
    if not any(peer.where.mask):
        return
    yield _payload(_NETWORK_HEADER, offset, len(peer.where.address))
    if peer.where.mask != b"\xff" * len(peer.where.mask):
        yield _mask(peer.where.mask)
    yield compare(peer.where.address, peer.negated)


def _interface(interface: Interface | None, key: int) -> Iterable[Expression]:
    if interface is None or interface.name == "+":
        return
    name = interface.name.encode()
    yield meta(key)
    # The whole register for a whole name, the beginning of it for "any ending".
    value = name[:-1] if name.endswith(b"+") else name.ljust(_INTERFACE_NAME_SIZE, b"\0")
    yield compare(value, interface.negated)


def _match(match: Match) -> Iterable[Expression]:
    if isinstance(match, TcpMatch | UdpMatch):
        yield from _ports(match.source, 0)
        yield from _ports(match.destination, 2)
        if isinstance(match, TcpMatch):
            yield from _flags(match.flags)
    elif isinstance(match, ConntrackMatch):
        bits = sum(_STATE_BITS[state] for state in match.states)
        yield expression("ct", dreg=_REGISTER, key=_CONNTRACK_STATE)
        # The state is a set of one bit, in the machine's byte order.
        yield _mask(struct.pack("=I", bits))
        yield compare(bytes(4), negated=not match.negated)
    elif isinstance(match, LengthMatch):
        yield meta(_META_LENGTH)
        yield _network_order()
        yield _range(struct.pack("!I", match.low), struct.pack("!I", match.high), match.negated)
    elif not isinstance(match, CommentMatch):
        yield from _rationed(match)


def _ports(ports: Ports | None, offset: int) -> Iterable[Expression]:
    if ports is not None:
        yield _payload(_TRANSPORT_HEADER, offset, 2)
        yield _range(struct.pack("!H", ports.low), struct.pack("!H", ports.high), ports.negated)


def _flags(flags: TcpFlags | None) -> Iterable[Expression]:
    if flags is not None:
        yield _payload(_TRANSPORT_HEADER, _FLAGS_OFFSET, 1)
        yield _mask(bytes([flags.mask]))
        yield compare(bytes([flags.comp]), flags.negated)


def _rationed(match: RandomMatch | NthMatch | LimitMatch) -> Iterable[Expression]:
    """Build the matches that let through a share of the packets."""
    if isinstance(match, RandomMatch):
        yield meta(_META_RANDOM)
        yield _mask(struct.pack("!I", 0x7FFF_FFFF))
        operator = _GREATER_OR_EQUAL if match.negated else _LESS
        yield _compare_by(operator, struct.pack("!I", match.probability))
    elif isinstance(match, NthMatch):
        yield expression("numgen", dreg=_REGISTER, modulus=match.every, type=_COUNTING_UP, offset=0)
        yield compare(struct.pack("=I", match.packet), match.negated)
    else:
        yield expression(
            "limit",
            rate=match.rate,
            unit=UNIT_SECONDS[match.unit],
            burst=match.burst,
            type=_PACKETS,
            flags=0,
        )


def _verdict(rule: Rule, family: Family) -> Iterable[Expression]:
    if rule.target == "REJECT":
        if rule.reject_with is None:
            raise TypeError("a reject type must be chosen: the rule must come from for_family")
        reset = rule.reject_with == TCP_RESET
        kind = _REJECT_RESET if reset else _REJECT_ICMP
        code = REJECT_CODES[family][rule.reject_with]
        yield expression("reject", type=kind, icmp_code=code)
    elif rule.target in ("DNAT", "REDIRECT"):
        yield from _redirection(rule, family)
    elif rule.target is not None:
        yield decide(rule.target)


def _redirection(rule: Rule, family: Family) -> Iterable[Expression]:
    """Give the connection another destination: nft(8), NAT STATEMENTS."""
    where, port = (None, None) if rule.to is None else (rule.to.where, rule.to.port)
    registers = {}
    if isinstance(where, HostName):
        raise TypeError("a host must be an address: the rule must come from for_family")
    if where is not None:
        yield expression("immediate", dreg=_REGISTER, data=_octets(where.address))
        registers["reg_addr_min"] = _REGISTER
    if port is not None:
        data = _octets(struct.pack("!H", port))
        yield expression("immediate", dreg=_SECOND_REGISTER, data=data)
        registers["reg_proto_min"] = _SECOND_REGISTER
    if rule.target == "DNAT":
        protocol = _PROTOCOL_FAMILIES[family]
        yield expression("nat", type=_NAT_DESTINATION, family=protocol, **registers)
    else:
        yield expression("redir", **registers)


def decide(target: str) -> Expression:
    """Decide about the packet: ``ACCEPT`` (in this chain) or ``DROP``."""
    verdict = {"attrs": [("NFTA_VERDICT_CODE", _VERDICT_CODES[target])]}
    data = {"attrs": [("NFTA_DATA_VERDICT", verdict)]}
    return expression("immediate", dreg=_VERDICT_REGISTER, data=data)


def comment_of(rule: Rule) -> str | None:
    """Find the rule's first comment, which nf_tables keeps beside the rule, not in it."""
    for match in rule.matches:
        if isinstance(match, CommentMatch):
            return match.text
    return None
