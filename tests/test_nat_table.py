"""The table nat: judged by iptables on real packets, by its translation, and beside the filter.

As tests/test_rules_against_iptables.py does it for the filter, with a few lines in the place of a
grammar: what comes is sent on to somebody else, or to another port; what is sent goes elsewhere.
"""

import errno
import re
import shlex

import pytest
from pyroute2 import NFTSocket

from sockstates.sandbox.rules import (
    Count,
    Family,
    HostAddresses,
    RuleNotAppliedError,
    RuleNotFoundError,
    concrete_rules,
    parse,
)
from sockstates.sandbox.rules import (
    transactions as batch,
)
from sockstates.sandbox.rules.rule import FAMILIES, Append
from sockstates.sandbox.rules.table import Table
from sockstates.sandbox.rules.tables import Tables
from tests.own_namespace import in_own_namespace
from tests.rule_grammar import SOURCES
from tests.rule_probes import Probe, probes
from tests.rule_twins import Twin, pin_to_one_processor
from tests.test_rules_against_iptables import normalised

PROGRAMS = ("iptables", "ip6tables", "iptables-translate", "ip6tables-translate", "nft")
against_iptables = pytest.mark.programs(*PROGRAMS)
NAMES: dict[Family, str] = {4: "iptables", 6: "ip6tables"}
HOSTS = HostAddresses(
    {"beyond": ("10.0.2.2", "fd00:0:0:2::2"), "sender": ("10.0.0.9", "fd00::9")},
)
# Not alone in the table: what leads nowhere. No packet meets the table without connection tracking,
# which is there for DNAT and REDIRECT.
LINES = (
    "-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.2.2:8080",
    "-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination [fd00:0:0:2::2]:8080",
    "-A PREROUTING -s 10.0.0.1 -p tcp -j DNAT --to-destination 10.0.2.2",
    "-A PREROUTING ! -s fd00::1 -p udp -j DNAT --to-destination fd00:0:0:2::2",
    "-A PREROUTING -p tcp -m tcp --sport 40000 -j DNAT --to-destination :22",
    "-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080",
    "-A PREROUTING -p udp -j REDIRECT",
    "-A PREROUTING -i eth0 -j DNAT --to-destination 10.0.2.2",
    "-A OUTPUT -p tcp --dport 80 -j DNAT --to-destination 10.0.2.2:8080",
    "-A OUTPUT -p tcp --dport 80 -j DNAT --to-destination [fd00:0:0:2::2]:8080",
    "-A OUTPUT -o eth+ -p udp -j DNAT --to-destination 10.0.2.2",
)


def families_of_line(line: str) -> tuple[Family, ...]:
    command = parse(f"-t nat {line}")
    assert isinstance(command, Append)
    return tuple(concrete_rules(command.rule, FAMILIES, HOSTS, line))


def series_for(chain: str, family: Family) -> tuple[Probe, ...]:
    """What comes, or what is sent to one host alone.

    Connections to several hosts may become one by a rule, and get ports by chance, to differ.
    """
    if chain != "OUTPUT":
        return probes("INPUT", family)
    return tuple(p for p in probes("OUTPUT", family) if p.destination == SOURCES[family][0])


def judged_on_packets() -> tuple[list[str], dict[str, int]]:
    pin_to_one_processor()
    theirs, ours = Twin("theirs"), Twin("ours")
    table = ours.table("nat")
    differences: list[str] = []
    counts = {}
    for line in LINES:
        chain = line.split()[1]
        for family in families_of_line(line):
            table.apply(parse(f"{NAMES[family]} -t nat {line}"))
            theirs.run(NAMES[family], "-t", "nat", *shlex.split(line))
            for twin in (theirs, ours):
                twin.forget_connections()
            series = series_for(chain, family)
            real, made = (twin.try_out(chain, series) for twin in (theirs, ours))
            listed = theirs.run(NAMES[family], "-t", "nat", "-v", "-S", chain).splitlines()[-1]
            told = table.listing(family, counters=True)[-1]
            for what in ("delivered", "on_the_wire", "refusals"):
                if getattr(real, what) != getattr(made, what):
                    differences.append(f"IPv{family} {what}: {line}")
            if listed != told:
                differences.append(f"IPv{family} listing: {line}\n  {listed}\n  {told}")
            counts[told] = int(re.findall(r"-c (\d+) \d+", told)[0])
            theirs.run(NAMES[family], "-t", "nat", "-F", chain)
            table.apply(parse(f"{NAMES[family]} -t nat -F"))
    table.close()
    return differences, counts


@against_iptables
def test_packets_go_where_iptables_sends_them() -> None:
    differences, counts = in_own_namespace(judged_on_packets)
    assert not differences, "\n".join(differences)
    assert min(counts.values()) > 0, counts


def rewritten_on_the_way() -> tuple[set[bytes], set[bytes]]:
    """Where the destination of what is sent on stands, without a rule and with one."""
    pin_to_one_processor()
    twin = Twin("ours")
    table = twin.table("nat")
    series = probes("INPUT", 4)
    before = twin.try_out("PREROUTING", series).on_the_wire
    twin.forget_connections()
    line = "-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination beyond:8080"
    table.apply(parse(line), HOSTS)
    after = twin.try_out("PREROUTING", series).on_the_wire
    table.close()
    return led_to(before), led_to(after)


def led_to(frames: list[bytes]) -> set[bytes]:
    """Tell the address and the port that each TCP segment goes to."""
    return {frame[30:34] + frame[36:38] for frame in frames if frame[23] == 6}


def test_a_host_s_name_is_where_a_packet_goes() -> None:
    before, after = in_own_namespace(rewritten_on_the_way)
    there = bytes((10, 0, 2, 2)) + (8080).to_bytes(2, "big")
    assert there not in before
    assert there in after


def judged_on_translation() -> tuple[list[str], list[str]]:
    theirs, ours = Twin("theirs"), Twin("ours")
    table = ours.table("nat")
    table.apply(parse("-t nat -A OUTPUT"))
    table.apply(parse("-t nat -F"))
    script = [ours.run("nft", "list", "ruleset")]
    for line in LINES:
        for family in families_of_line(line):
            translate = f"{NAMES[family]}-translate"
            words = shlex.split(theirs.run(translate, "-t", "nat", *shlex.split(line)))
            script.append(words[1])
            table.apply(parse(f"{NAMES[family]} -t nat {line}"))
    theirs.run("nft", "-f", "-", feed="\n".join(script))
    real, made = (normalised(twin.run("nft", "list", "ruleset")) for twin in (theirs, ours))
    table.close()
    return real, made


@against_iptables
def test_rules_read_like_those_that_iptables_translates_to() -> None:
    real, made = in_own_namespace(judged_on_translation)
    assert made == real
    assert sum("dnat to" in line for line in made) > 8


def opened() -> NFTSocket:
    made = NFTSocket()
    made.bind()
    return made


def both_tables() -> None:
    tables = Tables(opened)
    line = "-t nat -A OUTPUT -p tcp --dport 80 -j DNAT --to-destination sender:8080"
    in_nat = tables.apply(parse(line), HOSTS)
    in_filter = tables.apply(parse("-A OUTPUT -p tcp --dport 80 -j DROP"))
    assert in_nat is not None
    assert in_filter is not None
    assert in_nat != in_filter
    listed = "iptables -t nat -A OUTPUT -p tcp -m tcp --dport 80 -j DNAT --to-destination"
    assert f"{listed} 10.0.0.9:8080" in tables.listing()
    assert f"ip6{listed[2:]} [fd00::9]:8080" in tables.listing()
    assert tables.suspend(in_nat) == Count(0, 0)
    assert not [line for line in tables.listing() if "-t nat" in line]
    assert "iptables -A OUTPUT -p tcp -m tcp --dport 80 -j DROP" in tables.listing()
    tables.resume(in_nat)
    tables.apply(parse("-F"))
    assert f"{listed} 10.0.0.9:8080" in tables.listing()
    with pytest.raises(RuleNotFoundError, match=r"iptables -t nat -A OUTPUT -p tcp"):
        tables.apply(parse("-t nat -D OUTPUT -p tcp -j ACCEPT"))
    with pytest.raises(RuleNotFoundError):
        tables.resume(in_filter)
    assert tables.delete(in_nat) == tables.counter(in_nat) == Count(0, 0)
    assert not [line for line in tables.listing() if "-t nat" in line]


def trial() -> None:
    tables = Tables(opened)
    kernel = batch.Transactions(opened())
    assert tables.knows_nat()
    with pytest.raises(batch.RefusedError):
        kernel.commit([batch.delete_table(4, "sockstates-trial")])
    kernel.commit([batch.new_table(4, "sockstates-trial")])
    kernel.commit([batch.delete_table(4, "sockstates-trial")])


def test_whether_the_kernel_rewrites_is_tried_and_leaves_nothing() -> None:
    in_own_namespace(trial)


class NoNat(Table):
    """A table of a kernel that has no nat."""

    def put_beside(self, changes: list[object], what: str) -> list[list[object]]:
        assert changes
        raise RuleNotAppliedError.refused(what, errno.ENOENT)


def test_a_kernel_without_nat_is_known_by_its_refusal() -> None:
    tables = Tables(opened)
    tables.filter = NoNat(opened)
    assert not tables.knows_nat()


def test_the_two_tables_know_nothing_of_each_other() -> None:
    in_own_namespace(both_tables)
