"""One rule as each IP version sees it: which families it can concern, and its hosts as addresses.

Pure. iptables and ip6tables are two programs that each refuse what is not theirs; here one line
serves both, so what iptables would refuse for a family means "not in that family", and a line that
is left with no family at all is refused.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sockstates.sandbox.rules.errors import RuleScopeError, UnknownHostError
from sockstates.sandbox.rules.rule import (
    FAMILIES,
    ICMP,
    ICMPV6,
    Family,
    HostName,
    Network,
    NewDestination,
    Peer,
    Resolve,
    Rule,
)

TCP_RESET = "tcp-reset"

REJECT_CODES: dict[Family, dict[str, int]] = {
    4: {
        "icmp-net-unreachable": 0,
        "icmp-host-unreachable": 1,
        "icmp-proto-unreachable": 2,
        "icmp-port-unreachable": 3,
        "icmp-net-prohibited": 9,
        "icmp-host-prohibited": 10,
        "icmp-admin-prohibited": 13,
        TCP_RESET: 0,
    },
    6: {
        "icmp6-no-route": 0,
        "icmp6-adm-prohibited": 1,
        "icmp6-addr-unreachable": 3,
        "icmp6-port-unreachable": 4,
        "icmp6-policy-fail": 5,
        "icmp6-reject-route": 6,
        TCP_RESET: 0,
    },
}
"""Codes of ICMP type 3 (RFC 792, RFC 1812 5.2.7.1) and of ICMPv6 type 1 (RFC 4443 3.1)."""

_REJECT_ALIASES: dict[Family, dict[str, str]] = {
    4: {
        "net-unreach": "icmp-net-unreachable",
        "host-unreach": "icmp-host-unreachable",
        "proto-unreach": "icmp-proto-unreachable",
        "port-unreach": "icmp-port-unreachable",
        "net-prohib": "icmp-net-prohibited",
        "host-prohib": "icmp-host-prohibited",
        "admin-prohib": "icmp-admin-prohibited",
        # ip6tables knows only the long word, but nobody means IPv4 alone by the short one.
        "tcp-rst": TCP_RESET,
    },
    6: {
        "no-route": "icmp6-no-route",
        "adm-prohibited": "icmp6-adm-prohibited",
        "addr-unreach": "icmp6-addr-unreachable",
        "port-unreach": "icmp6-port-unreachable",
        "policy-fail": "icmp6-policy-fail",
        "reject-route": "icmp6-reject-route",
        "tcp-rst": TCP_RESET,
    },
}

_DEFAULT_REJECT: dict[Family, str] = {4: "icmp-port-unreachable", 6: "icmp6-port-unreachable"}

REJECT_TYPES = frozenset(
    name
    for family in FAMILIES
    for table in (REJECT_CODES[family], _REJECT_ALIASES[family])
    for name in table
)


def reject_type(word: str | None, family: Family) -> str | None:
    """Give the family's own full name for a reject type; None where it has no such type."""
    if word is None:
        return _DEFAULT_REJECT[family]
    if word in REJECT_CODES[family]:
        return word
    return _REJECT_ALIASES[family].get(word)


def families_of(rule: Rule) -> tuple[Family, ...]:
    """Say which families the rule can concern, as far as shows before hosts are addresses."""
    return tuple(family for family in FAMILIES if _possible(rule, family))


def _possible(rule: Rule, family: Family) -> bool:
    for where in _wheres(rule):
        if isinstance(where, Network) and where.family != family:
            return False
    if rule.protocol is not None and not rule.protocol.negated:
        foreign = ICMPV6 if family == 4 else ICMP
        if rule.protocol.number == foreign:
            return False
    return rule.target != "REJECT" or reject_type(rule.reject_with, family) is not None


def _wheres(rule: Rule) -> list[HostName | Network | None]:
    """Whatever of a rule is a host or an address."""
    named: list[Peer | NewDestination | None] = [rule.source, rule.destination, rule.to]
    return [each.where for each in named if each is not None]


def for_family(rule: Rule, family: Family, resolve: Resolve) -> Rule | None:
    """Put addresses in place of names; None where the rule cannot concern the family.

    Raises UnknownHostError (by way of ``resolve``) for a host that does not exist. A host that
    exists without an address in the family takes the rule out of that family.
    """
    if not _possible(rule, family):
        return None
    placed: dict[str, Peer | NewDestination] = {}
    for name in ("source", "destination", "to"):
        said = getattr(rule, name)
        if said is None or not isinstance(said.where, HostName):
            continue
        address = resolve(said.where.name, family)
        if address is None:
            return None
        placed[name] = replace(said, where=single_address(address))
    reject_with = reject_type(rule.reject_with, family) if rule.target == "REJECT" else None
    changed: dict[str, Any] = {"reject_with": reject_with, **placed}
    return replace(rule, **changed)


def concrete_rules(
    rule: Rule, families: tuple[Family, ...], resolve: Resolve, line: str
) -> dict[Family, Rule]:
    """Place the rule in each family it concerns; RuleScopeError where that is none of them."""
    concrete = {}
    for family in families:
        placed = for_family(rule, family, resolve)
        if placed is not None:
            concrete[family] = placed
    if not concrete:
        raise RuleScopeError(_nowhere(rule, families, line))
    return concrete


def _nowhere(rule: Rule, families: tuple[Family, ...], line: str) -> str:
    names = [where.name for where in _wheres(rule) if isinstance(where, HostName)]
    asked = " and ".join(f"IPv{family}" for family in families)
    hosts = f" {' and '.join(names)} must have an address in one of them." if names else ""
    return (
        f"{line!r} concerns no packet of {asked}: its addresses, its protocol and its reject type"
        f" must belong to one IP version.{hosts}"
    )


def single_address(text: str) -> Network:
    """Read one address; every bit of it counts."""
    address = ipaddress.ip_address(text)
    family: Family = 4 if address.version == 4 else 6
    return Network(family, address.packed, b"\xff" * len(address.packed))


@dataclass(frozen=True)
class HostAddresses:
    """The hosts a rule may name; can be pickled and called as a ``Resolve``.

    ``addresses`` maps a host's name to its addresses, at most one of each family that counts: the
    first.
    """

    addresses: Mapping[str, tuple[str, ...]]

    def __call__(self, name: str, family: Family) -> str | None:
        """Look up the host's address in the family, or None; UnknownHostError for no such host."""
        if name not in self.addresses:
            raise UnknownHostError(name, tuple(sorted(self.addresses)))
        for address in self.addresses[name]:
            if ipaddress.ip_address(address).version == family:
                return address
        return None


NO_HOSTS = HostAddresses({})
