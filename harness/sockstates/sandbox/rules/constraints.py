"""What may stand together in one rule, as iptables and the kernel have it. Pure."""

from dataclasses import dataclass

from sockstates.sandbox.rules.families import TCP_RESET, families_of, reject_type
from sockstates.sandbox.rules.options import TARGETS, in_words
from sockstates.sandbox.rules.rule import (
    TCP,
    UDP,
    Family,
    Network,
    Peer,
    Protocol,
    Rule,
    TcpMatch,
    UdpMatch,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What cannot stand together: the field or match it shows in, what is wrong, what to type."""

    about: str
    problem: str
    instead: str


def check(rule: Rule, families: tuple[Family, ...]) -> Problem | None:
    """Find the first thing in the rule that iptables would refuse; None if there is none."""
    return (
        _target(rule)
        or _interfaces(rule)
        or _never(rule)
        or _transport(rule)
        or _reset(rule)
        or _family(rule, families)
    )


def _target(rule: Rule) -> Problem | None:
    if rule.target is not None and rule.target not in TARGETS[rule.table]:
        return Problem(
            "target",
            f"{rule.target} cannot be used in the table {rule.table}",
            f"Supported: {in_words(TARGETS)}.",
        )
    if rule.target == "DNAT" and rule.to is None:
        return Problem("target", "DNAT needs a destination", "Add --to-destination server:8080.")
    ported = rule.to is not None and rule.to.port is not None
    if ported and rule.protocol not in (Protocol(TCP), Protocol(UDP)):
        return Problem("to", "only TCP and UDP have a port", "Add -p tcp, without `!`.")
    return None


def _interfaces(rule: Rule) -> Problem | None:
    if rule.chain == "OUTPUT" and rule.in_interface is not None:
        return Problem(
            "in_interface", "-i cannot be used in OUTPUT", "Outgoing packets have only -o: type -o."
        )
    if rule.chain in ("INPUT", "PREROUTING") and rule.out_interface is not None:
        return Problem(
            "out_interface",
            f"-o cannot be used in {rule.chain}",
            "Incoming packets have only -i: type -i.",
        )
    return None


def _never(rule: Rule) -> Problem | None:
    """Negations of everything; iptables refuses them too, by its own word or the kernel's."""
    if rule.protocol is not None and rule.protocol.negated and rule.protocol.number == 0:
        return Problem("protocol", "`! -p all` matches nothing", "Name one protocol.")
    for about, peer in (("source", rule.source), ("destination", rule.destination)):
        if _is_nothing(peer):
            return Problem(about, "the negation of every address matches nothing", "Remove it.")
    for about, interface in (
        ("in_interface", rule.in_interface),
        ("out_interface", rule.out_interface),
    ):
        if interface is not None and interface.negated and interface.name == "+":
            return Problem(about, "the negation of every interface matches nothing", "Remove it.")
    return None


def _is_nothing(peer: Peer | None) -> bool:
    if peer is None or not isinstance(peer.where, Network):
        return False
    return peer.negated and not any(peer.where.mask)


def _transport(rule: Rule) -> Problem | None:
    for match in rule.matches:
        if isinstance(match, TcpMatch) and rule.protocol != Protocol(TCP):
            return Problem("tcp", "the tcp match needs -p tcp", "Add -p tcp, without `!`.")
        if isinstance(match, UdpMatch) and rule.protocol != Protocol(UDP):
            return Problem("udp", "the udp match needs -p udp", "Add -p udp, without `!`.")
    return None


def _reset(rule: Rule) -> Problem | None:
    if rule.reject_with is None or rule.protocol == Protocol(TCP):
        return None
    if TCP_RESET in (reject_type(rule.reject_with, 4), reject_type(rule.reject_with, 6)):
        return Problem(
            "reject_with", "a reset answers only TCP", "Add -p tcp, or reject with an ICMP type."
        )
    return None


def _family(rule: Rule, families: tuple[Family, ...]) -> Problem | None:
    possible = families_of(rule)
    if any(family in possible for family in families):
        return None
    about = "reject_with" if rule.reject_with is not None else "protocol"
    if rule.to is not None and isinstance(rule.to.where, Network):
        about = "to"
    for name, peer in (("source", rule.source), ("destination", rule.destination)):
        if peer is not None and isinstance(peer.where, Network):
            about = name
    asked = " or ".join(f"IPv{family}" for family in families)
    return Problem(
        about,
        f"no packet of {asked} can meet this rule",
        "Its addresses, its protocol, its reject type and the program named must belong to one IP"
        " version.",
    )
