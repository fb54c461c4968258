"""A rule written out again, exactly as ``iptables -S`` (or ``ip6tables -S``) prints it. Pure."""

import ipaddress
import re

from sockstates.sandbox.rules.rule import (
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    CommentMatch,
    ConntrackMatch,
    HostName,
    Interface,
    LengthMatch,
    LimitMatch,
    Match,
    Network,
    NthMatch,
    Peer,
    Ports,
    Protocol,
    RandomMatch,
    Rule,
    TcpFlags,
    TcpMatch,
    UdpMatch,
)
from sockstates.sandbox.rules.values import CERTAIN, FLAG_BITS, STATES

_PROTOCOL_NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "ipv6-icmp"}


def spell_rule(rule: Rule, counted: tuple[int, int] | None = None) -> str:
    """Write a rule as ``-A CHAIN ...``; with ``counted`` also ``-c packets bytes`` (``-v -S``)."""
    parts = [
        f"-A {rule.chain}",
        _peer("-s", rule.source),
        _peer("-d", rule.destination),
        _interface("-i", rule.in_interface),
        _interface("-o", rule.out_interface),
        _protocol(rule.protocol),
        *(_match(match) for match in rule.matches),
        "" if counted is None else f"-c {counted[0]} {counted[1]}",
        "" if rule.target is None else f"-j {rule.target}",
        "" if rule.reject_with is None else f"--reject-with {rule.reject_with}",
        _destination(rule),
    ]
    return " ".join(part for part in parts if part)


def _not(negated: bool) -> str:
    return "! " if negated else ""


def _peer(option: str, peer: Peer | None) -> str:
    if peer is None:
        return ""
    if isinstance(peer.where, HostName):
        return f"{_not(peer.negated)}{option} {peer.where.name}"
    if not any(peer.where.mask):
        return ""
    return f"{_not(peer.negated)}{option} {_network(peer.where)}"


def _network(network: Network) -> str:
    address = ipaddress.ip_address(network.address)
    bits = "".join(f"{octet:08b}" for octet in network.mask)
    if "01" in bits:
        return f"{address}/{ipaddress.ip_address(network.mask)}"
    return f"{address}/{bits.count('1')}"


def _destination(rule: Rule) -> str:
    """Write where a packet goes instead."""
    if rule.to is None:
        return ""
    where, port = rule.to.where, "" if rule.to.port is None else f":{rule.to.port}"
    if rule.target == "REDIRECT":
        return f"--to-ports {port[1:]}"
    if where is None or isinstance(where, HostName):
        return f"--to-destination {'' if where is None else where.name}{port}"
    address = ipaddress.ip_address(where.address)
    shown = f"[{address}]" if port and address.version == 6 else f"{address}"
    return f"--to-destination {shown}{port}"


def _interface(option: str, interface: Interface | None) -> str:
    if interface is None or interface.name == "+":
        return ""
    return f"{_not(interface.negated)}{option} {interface.name}"


def _protocol(protocol: Protocol | None) -> str:
    if protocol is None:
        return ""
    name = _PROTOCOL_NAMES.get(protocol.number, str(protocol.number))
    return f"{_not(protocol.negated)}-p {name}"


def _ports(option: str, ports: Ports | None) -> str:
    if ports is None:
        return ""
    both = f"{ports.low}" if ports.low == ports.high else f"{ports.low}:{ports.high}"
    return f" {_not(ports.negated)}{option} {both}"


def _flags(flags: TcpFlags | None) -> str:
    if flags is None:
        return ""
    return f" {_not(flags.negated)}--tcp-flags {_flag_list(flags.mask)} {_flag_list(flags.comp)}"


def _flag_list(bits: int) -> str:
    return ",".join(name for name, bit in FLAG_BITS.items() if bits & bit) or "NONE"


def _match(match: Match) -> str:
    """Write one match, in the order and with the words the real program has for it."""
    if isinstance(match, TcpMatch | UdpMatch):
        name, flags = ("tcp", match.flags) if isinstance(match, TcpMatch) else ("udp", None)
        ports = _ports("--sport", match.source) + _ports("--dport", match.destination)
        return f"-m {name}{ports}{_flags(flags)}"
    if isinstance(match, ConntrackMatch):
        option = "--state" if match.module == "state" else "--ctstate"
        names = ",".join(state for state in STATES if state in match.states)
        return f"-m {match.module} {_not(match.negated)}{option} {names}"
    if isinstance(match, RandomMatch):
        chance = f"{match.probability / CERTAIN:.11f}"
        return f"-m statistic --mode random {_not(match.negated)}--probability {chance}"
    if isinstance(match, NthMatch):
        count = f"--every {match.every} --packet {match.packet}"
        return f"-m statistic --mode nth {_not(match.negated)}{count}"
    return _plain_match(match)


def _plain_match(match: LimitMatch | LengthMatch | CommentMatch) -> str:
    if isinstance(match, LimitMatch):
        burst = "" if match.burst == LimitMatch().burst else f" --limit-burst {match.burst}"
        return f"-m limit --limit {match.rate}/{match.unit}{burst}"
    if isinstance(match, LengthMatch):
        both = f"{match.low}" if match.low == match.high else f"{match.low}:{match.high}"
        return f"-m length {_not(match.negated)}--length {both}"
    return f"-m comment --comment {_quoted(match.text)}"


def _quoted(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]+", text):
        return text
    return '"' + re.sub(r"([\\\"'])", r"\\\1", text) + '"'
