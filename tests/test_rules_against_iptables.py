"""Two judges of our rules: iptables itself, on real packets, and its own translation to nftables.

The same generated line is given to iptables (or ip6tables) in one namespace and to Table in
its twin; the same packets then meet both. What is delivered, what is sent on and answered, what
sending says, the counters, and the rule as ``-v -S`` prints it must all be the same. Then the rule
in the twin must read like ``iptables-translate``'s, as nft lists both.

Not exact, by nature: a probability between 0 and 1 (judged here by its share of many packets,
within six standard deviations), and limits that refill while the packets pass (left out).
"""

import math
import re
import shlex
from collections import Counter
from itertools import zip_longest

import pytest

from sockstates.sandbox.rules import FAMILIES, NO_HOSTS, Family, concrete_rules, parse
from sockstates.sandbox.rules.rule import Append
from tests.own_namespace import in_own_namespace
from tests.rule_grammar import certainties, generate
from tests.rule_probes import probes
from tests.rule_twins import Twin, pin_to_one_processor

PROGRAMS = ("iptables", "ip6tables", "iptables-translate", "ip6tables-translate", "nft")
pytestmark = pytest.mark.programs(*PROGRAMS)

SEED, COUNT = 20240229, 250
NAMES: dict[Family, str] = {4: "iptables", 6: "ip6tables"}


def families_of_line(line: str) -> tuple[Family, ...]:
    command = parse(line)
    assert isinstance(command, Append)
    return tuple(concrete_rules(command.rule, FAMILIES, NO_HOSTS, line))


def spelled_alike(line: str) -> str:
    """Even out what says the same: a protocol's name, and "not up to 79" for "from 80 on"."""
    line = line.replace("-p gre", "-p 47")
    return re.sub(
        r"! (--[sd]port) 0:(\d+)", lambda found: f"{found[1]} {int(found[2]) + 1}:65535", line
    )


def judged_on_packets() -> tuple[list[str], Counter[str]]:
    pin_to_one_processor()
    theirs, ours = Twin("theirs"), Twin("ours")
    table = ours.table()
    differences: list[str] = []
    met: Counter[str] = Counter()
    for line in certainties() + generate(SEED, COUNT):
        words = shlex.split(line)
        chain = words[1]
        table.apply(parse(line))
        for family in families_of_line(line):
            theirs.run(NAMES[family], *words)
            for twin in (theirs, ours):
                twin.forget_connections()
            series = probes(chain, family)
            real, made = (twin.try_out(chain, series) for twin in (theirs, ours))
            listed = theirs.run(NAMES[family], "-v", "-S", chain).splitlines()[-1]
            told = table.listing(family, counters=True)[-1]
            theirs.run(NAMES[family], "-F", chain)
            for what in ("delivered", "on_the_wire", "refusals"):
                if getattr(real, what) != getattr(made, what):
                    differences.append(f"IPv{family} {what}: {line}")
            if spelled_alike(listed) != spelled_alike(told):
                differences.append(f"IPv{family} listing: {line}\n  {listed}\n  {told}")
            count = int(re.findall(r"-c (\d+) \d+", told)[0])
            met["none" if count == 0 else "all" if count >= len(series) else "some"] += 1
            met["delivered"] += len(real.delivered)
            met["on the wire"] += len(real.on_the_wire)
            met["refusals"] += len(real.refusals)
        table.apply(parse("-F"))
    table.close()
    return differences, met


def test_packets_meet_the_same_fate_as_with_iptables() -> None:
    differences, met = in_own_namespace(judged_on_packets)
    assert not differences, "\n".join(differences)
    assert min(met["none"], met["some"]) > 50, met
    assert met["all"] > 3, met
    assert min(met[name] for name in ("delivered", "on the wire", "refusals")) > 100, met


_HEAD = re.compile(
    r'(?:ip6? [sd]addr(?: & \S+)?(?: !=| ==)? \S+|[io]ifname(?: !=)? "\S+"'
    r"|meta l4proto(?: !=)? \S+) "
)


def normalised(listing: str) -> list[str]:
    """The rules as nft lists them; the conditions on the line's own fields in one order.

    Which of those comes first makes no difference, unlike the order of the matches after them.
    The protocol itself is left to the judge of packets: iptables-translate 1.8.9 forgets it at a
    bare ``-m udp``, and puts it after a limit that it must stand before.
    """
    rules = []
    for text in listing.replace("ip protocol ", "meta l4proto ").splitlines():
        rule, head = text.strip() + " ", []
        while found := _HEAD.match(rule):
            head.append(found[0])
            rule = rule[found.end() :]
        rule = "".join([*sorted(head), rule]).strip()
        rules.append(re.sub(r"meta l4proto (tcp|udp) |packets \d+ bytes \d+ ", "", rule))
    return rules


def readable(command: str) -> str:
    """Write flags the long way: nft 1.0.6 cannot read all that iptables-translate 1.8.9 writes."""

    def long_way(found: re.Match[str]) -> str:
        negated, comp, mask = found.groups()
        operator = "!=" if negated else "=="
        return f"tcp flags & ({mask.replace(',', '|')}) {operator} {comp.replace(',', '|')}"

    return re.sub(r"tcp flags (!= )?(\S+) / (\S+)", long_way, command)


def translation(twin: Twin, family: Family, line: str) -> str | None:
    """What iptables-translate makes of a line; None where it makes nothing, or a wrong rule.

    Wrong: version 1.8.9 negates UDP's destination port when the source port is negated, and only
    then. And nft has no way to write quotes in a comment.
    """
    udp = re.search(r"-(?:-protocol|p) (?:udp|UDP|17)\b", line)
    negated = re.search(r"! --(sport|source-port|dport|destination-port)", line)
    if '"quoted"' in line or (udp and negated):
        return None
    words = shlex.split(twin.run(f"{NAMES[family]}-translate", *shlex.split(line)))
    return readable(words[1]) if words[:1] == ["nft"] else None


def judged_on_translation() -> tuple[list[str], Counter[str]]:
    theirs, ours = Twin("theirs"), Twin("ours")
    table = ours.table()
    table.apply(parse("-P INPUT ACCEPT"))
    empty = ours.run("nft", "list", "ruleset")
    kinds: Counter[str] = Counter()
    script = [empty]
    for line in certainties() + generate(SEED + 1, COUNT):
        for family in families_of_line(line):
            command = translation(ours, family, line)
            kinds["untranslated" if command is None else "translated"] += 1
            if command is not None:
                script.append(command)
                table.apply(parse(f"{NAMES[family]} {line}"))
    theirs.run("nft", "-f", "-", feed="\n".join(script))
    real, made = (normalised(twin.run("nft", "list", "ruleset")) for twin in (theirs, ours))
    table.close()
    differences = [f"  {a}\n  {b}" for a, b in zip_longest(real, made) if a != b]
    return differences, kinds


def test_rules_read_like_those_that_iptables_translates_to() -> None:
    differences, kinds = in_own_namespace(judged_on_translation)
    assert not differences, "\n".join(differences)
    assert kinds["translated"] > 0.8 * kinds.total(), kinds


def shares(probability: float, rounds: int) -> tuple[list[int], int]:
    pin_to_one_processor()
    theirs, ours = Twin("theirs"), Twin("ours")
    table = ours.table()
    line = f"-A INPUT -m statistic --mode random --probability {probability} -j DROP"
    theirs.run("iptables", *shlex.split(line))
    identity = table.apply(parse(line))
    assert identity is not None
    series = probes("INPUT", 4) * rounds
    for twin in (theirs, ours):
        twin.try_out("INPUT", series)
    listed = theirs.run("iptables", "-v", "-S", "INPUT").splitlines()[-1]
    counted = [int(re.findall(r"-c (\d+)", listed)[0]), table.counter(identity).packets]
    table.close()
    return counted, len(series)


def test_a_share_of_the_packets_is_the_same_share() -> None:
    probability = 0.3
    counted, sent = in_own_namespace(lambda: shares(probability, 40))
    spread = math.sqrt(sent * probability * (1 - probability))
    for packets in counted:
        assert abs(packets - sent * probability) < 6 * spread, (counted, sent)
