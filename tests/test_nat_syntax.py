"""The reading of the table nat's words: what is understood, and how what is not is refused."""

import pytest

from sockstates.sandbox.rules import (
    FAMILIES,
    Family,
    RuleSyntaxError,
    concrete_rules,
    for_family,
    parse,
    spell_rule,
)
from sockstates.sandbox.rules.rule import DeleteNumber
from tests.rule_lines import HOSTS, rule_of


@pytest.mark.parametrize(
    ("line", "spelled"),
    [
        (
            "-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination server:8080",
            "-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination server:8080",
        ),
        (
            "-t nat -A OUTPUT -p udp -j DNAT --to-destination=[fd00:0::2]:53",
            "-A OUTPUT -p udp -j DNAT --to-destination [fd00::2]:53",
        ),
        (
            "-A OUTPUT -t nat -j DNAT --to-destination fd00::2",
            "-A OUTPUT -j DNAT --to-destination fd00::2",
        ),
        (
            "-t nat -A OUTPUT -p tcp -j DNAT --to-destination :80",
            "-A OUTPUT -p tcp -j DNAT --to-destination :80",
        ),
        (
            "-t nat -I PREROUTING -p tcp -j REDIRECT --to-ports 8080",
            "-A PREROUTING -p tcp -j REDIRECT --to-ports 8080",
        ),
        ("-t nat -A PREROUTING -j REDIRECT", "-A PREROUTING -j REDIRECT"),
    ],
)
def test_a_line_is_understood(line: str, spelled: str) -> None:
    assert spell_rule(rule_of(line)) == spelled
    assert rule_of(f"{spelled} -t nat") == rule_of(line)


@pytest.mark.parametrize(
    ("line", "problem", "word", "instead"),
    [
        ("-t nat -A INPUT", "the table nat has no chain INPUT", "INPUT", "with -t nat: PREROUTING"),
        (
            "-A PREROUTING",
            "the table filter has no chain PREROUTING",
            "PREROUTING",
            "INPUT, FORWARD",
        ),
        ("-A POSTROUTING -t nat", "chain 'POSTROUTING' is not supported", "POSTROUTING", "-t nat"),
        ("-t nat -P OUTPUT DROP", "the table nat filters nothing", "-P", "without -t"),
        ("-t nat -F INPUT", "the table nat has no chain INPUT", "INPUT", "PREROUTING, OUTPUT"),
        (
            "-t nat -A OUTPUT -j DROP",
            "DROP cannot be used in the table nat",
            "-j",
            "DNAT, REDIRECT",
        ),
        ("-t nat -A OUTPUT -j MASQUERADE", "target 'MASQUERADE' is not", "MASQUERADE", "REDIRECT"),
        ("-A INPUT -j REDIRECT", "REDIRECT cannot be used in the table filter", "-j", "-t nat"),
        ("-t nat -A OUTPUT -j DNAT", "DNAT needs a destination", "-j", "--to-destination server"),
        (
            "-t nat -A OUTPUT --to-destination server",
            "belongs to DNAT",
            "--to-destination",
            "-j DNAT",
        ),
        ("-t nat -A OUTPUT -j DNAT --to-ports 80", "belongs to REDIRECT", "--to-ports", "REDIRECT"),
        ("-t nat -A OUTPUT -j REDIRECT --to-ports 80-90", "not one port", "80-90", "one port"),
        (
            "-t nat -A OUTPUT -j REDIRECT --to-ports 80 --random",
            "--random is not",
            "--random",
            "--to-",
        ),
        (
            "-t nat -A OUTPUT -j DNAT --to-destination server:80",
            "have a port",
            "--to-destination",
            "-p tcp",
        ),
        (
            "-t nat -A OUTPUT -p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9",
            "more than one address or port",
            "10.0.0.1-10.0.0.9",
            "10.0.0.1:8080",
        ),
        (
            "-t nat -A OUTPUT -j DNAT --to-destination [server]",
            "of IPv6 stands",
            "[server]",
            "server",
        ),
        (
            "-t nat -A OUTPUT -j DNAT --to-destination fd00::g",
            "neither a host",
            "fd00::g",
            "fd00::1",
        ),
        ("-t nat -A PREROUTING -o eth0 -j ACCEPT", "-o cannot be used in PREROUTING", "-o", "-i"),
        (
            "iptables -t nat -A OUTPUT -p tcp -j DNAT --to-destination [fd00::1]:80",
            "no packet of IPv4",
            "--to-destination",
            "one IP version",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    line: str, problem: str, word: str, instead: str
) -> None:
    with pytest.raises(RuleSyntaxError) as refused:
        parse(line)
    error = refused.value
    assert problem in error.problem
    assert line[error.start : error.end] == word
    assert instead in error.instead


@pytest.mark.parametrize(
    ("line", "families"),
    [
        ("-t nat -A OUTPUT -p tcp -j DNAT --to-destination server:80", [4, 6]),
        ("-t nat -A OUTPUT -p tcp -j DNAT --to-destination old:80", [4]),
        ("-t nat -A OUTPUT -p tcp -j DNAT --to-destination [fd00::1]:80", [6]),
        ("-t nat -A OUTPUT -s server -j DNAT --to-destination 10.0.0.1", [4]),
        ("-t nat -A OUTPUT -p tcp -j REDIRECT --to-ports 80", [4, 6]),
    ],
)
def test_a_rule_stays_out_of_families_it_cannot_concern(line: str, families: list[Family]) -> None:
    assert list(concrete_rules(rule_of(line), FAMILIES, HOSTS, line)) == families


def test_a_host_is_its_address_in_each_family() -> None:
    rule = rule_of("-t nat -A OUTPUT -p tcp -j DNAT --to-destination server:80")
    four, six = (for_family(rule, family, HOSTS) for family in FAMILIES)
    assert four is not None
    assert six is not None
    assert spell_rule(four) == "-A OUTPUT -p tcp -j DNAT --to-destination 10.0.0.2:80"
    assert spell_rule(six) == "-A OUTPUT -p tcp -j DNAT --to-destination [fd00::2]:80"


def test_a_command_has_the_table_that_it_is_for() -> None:
    assert parse("-F").table == "filter"
    assert parse("-t nat -F").table == "nat"
    assert parse("-D OUTPUT 3 -t nat") == DeleteNumber("OUTPUT", 3, line="", table="nat")
    assert parse("-t nat -A OUTPUT -j ACCEPT") != parse("-A OUTPUT -j ACCEPT")
