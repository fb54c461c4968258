"""The reading of iptables' syntax: what is understood, and how what is not is refused."""

import pickle
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockstates.sandbox.rules import (
    FAMILIES,
    Family,
    RuleScopeError,
    RuleSyntaxError,
    UnknownHostError,
    concrete_rules,
    expressions,
    for_family,
    parse,
    spell_rule,
)
from sockstates.sandbox.rules.rule import DeleteNumber, Flush, Insert, SetPolicy
from tests.rule_grammar import lines
from tests.rule_lines import HOSTS, rule_of


def test_a_port_by_the_name_of_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare machine has no /etc/services."""
    known = {("http", "tcp"): 80}

    def look_up(name: str, transport: str) -> int:
        if (name, transport) not in known:
            raise OSError("service/proto not found")
        return known[name, transport]

    monkeypatch.setattr(socket, "getservbyname", look_up)
    spelled = spell_rule(rule_of("-A INPUT -p TCP --dport=http"))
    assert spelled == "-A INPUT -p tcp -m tcp --dport 80"
    with pytest.raises(RuleSyntaxError, match="no udp service is called 'http'"):
        parse("-A INPUT -p udp --dport http")


@pytest.mark.parametrize(
    ("line", "spelled"),
    [
        ("-A INPUT -s server -j DROP", "-A INPUT -s server -j DROP"),
        ("--append INPUT --src 10.1.2.3/8 --jump ACCEPT", "-A INPUT -s 10.0.0.0/8 -j ACCEPT"),
        ("-A INPUT -s 10.0.0.0/255.0.255.0", "-A INPUT -s 10.0.0.0/255.0.255.0"),
        ("-A INPUT -s 0/0 -j DROP", "-A INPUT -j DROP"),
        ("-A INPUT ! -d fd00::1", "-A INPUT ! -d fd00::1/128"),
        ("-A FORWARD -i eth+ ! -o lo", "-A FORWARD -i eth+ ! -o lo"),
        ("-A INPUT -p TCP --dport=80", "-A INPUT -p tcp -m tcp --dport 80"),
        ("-A INPUT -m tcp -p tcp ! --sport 80:", "-A INPUT -p tcp -m tcp ! --sport 80:65535"),
        (
            "-A INPUT -p tcp ! --syn",
            "-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN",
        ),
        (
            "-A INPUT -p tcp --tcp-flags all none",
            "-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE",
        ),
        ("-A INPUT -m state --state new", "-A INPUT -m state --state NEW"),
        ("-A INPUT -m limit", "-A INPUT -m limit --limit 3/hour"),
        ("-A INPUT -m limit --limit 60/minute", "-A INPUT -m limit --limit 1/sec"),
        ("-A INPUT -m length --length :100", "-A INPUT -m length --length 0:100"),
        (
            "-A INPUT -m statistic --mode nth --every 3",
            "-A INPUT -m statistic --mode nth --every 3 --packet 0",
        ),
        ("-A INPUT -m comment --comment 'two words'", '-A INPUT -m comment --comment "two words"'),
        ("-t filter -A INPUT -p 0", "-A INPUT"),
    ],
)
def test_a_line_is_understood(line: str, spelled: str) -> None:
    assert spell_rule(rule_of(line)) == spelled


def test_the_other_commands() -> None:
    assert parse("-D INPUT 3") == DeleteNumber("INPUT", 3, line="")
    assert parse("-F") == Flush(line="")
    assert parse("-t filter -F OUTPUT") == Flush("OUTPUT", line="")
    assert parse("-P FORWARD DROP") == SetPolicy("FORWARD", "DROP", line="")
    inserted = parse("-I INPUT 2 -j DROP")
    assert isinstance(inserted, Insert)
    assert inserted.number == 2


def test_a_program_named_restricts_the_family() -> None:
    assert parse("sudo iptables -F").families == (4,)
    assert parse("/sbin/ip6tables -F").families == (6,)
    assert parse("-F").families == (4, 6)


REFUSED = [
    ("", "no command", "", "-A INPUT -j DROP"),
    ("-A", "lacks a chain", "-A", "a chain"),
    ("-A input -j DROP", "chain 'input' is not supported", "input", "INPUT, FORWARD, OUTPUT"),
    ("-t mangle -A INPUT", "table 'mangle' is not supported", "mangle", "filter, nat"),
    ("-A INPUT -j LOG", "target 'LOG' is not supported", "LOG", "DROP, ACCEPT, REJECT"),
    ("-A INPUT -m multiport", "match 'multiport' is not supported", "multiport", "conntrack"),
    ("-N mine", "-N is not supported", "-N", "--append"),
    ("-A INPUT -p tcp --dprt 80", "--dprt is not supported", "--dprt", "Did you mean --dport?"),
    ("-A INPUT --dport 80", "--dport is not known yet", "--dport", "`-p tcp` or `-p udp`"),
    ("-A INPUT ! -p tcp --dport 80", "--dport is not known yet", "--dport", "-p tcp"),
    ("-A INPUT -p udp --syn", "--syn is not known yet", "--syn", "`-p tcp`"),
    ("-A INPUT -p udp -m tcp --syn", "the tcp match needs -p tcp", "-m", "-p tcp"),
    ("-A INPUT --ctstate NEW", "--ctstate is not known yet", "--ctstate", "`-m conntrack`"),
    ("-A INPUT -o eth0", "-o cannot be used in INPUT", "-o", "-i"),
    ("-A OUTPUT -i eth0", "-i cannot be used in OUTPUT", "-i", "-o"),
    ("-A INPUT -s 10.0.0.1,10.0.0.2", "several addresses", "10.0.0.1,10.0.0.2", "one rule"),
    ("-A INPUT -s 10.0.0.01", "neither a host nor an address", "10.0.0.01", "10.0.0.1"),
    ("-A INPUT -s 10.0.0.1/33", "prefix length of IPv4", "10.0.0.1/33", "0 to 32"),
    ("-A INPUT -s ! server", "`!` comes after its option", "!", "Write `! -s`"),
    ("-A INPUT ! -j DROP", "`!` cannot come before -j", "-j", "Remove"),
    ("-A INPUT -j DROP -j DROP", "given twice", "-j", "one of them"),
    ("-A INPUT -p tcp --dport 90:80", "wrong way round", "90:80", "80:90"),
    ("-A INPUT -p tcp --dport nosuchservice", "no tcp service", "nosuchservice", "number"),
    ("-A INPUT -p tcp --tcp-flags SYN, ACK", "'' is not a TCP flag", "SYN,", "without blanks"),
    ("-A INPUT -p tcp --syn --tcp-flags ALL SYN", "twice", "--tcp-flags", "Keep one"),
    ("-A INPUT -j REJECT --reject-with tcp-reset", "answers only TCP", "--reject-with", "-p tcp"),
    ("-A INPUT --reject-with tcp-reset", "belongs to REJECT", "--reject-with", "-j REJECT"),
    ("-A INPUT -m statistic --mode nth --every 2 --packet 2", "numbered 2", "--packet", "0 to"),
    ("-A INPUT -m statistic", "not complete", "-m", "--mode random"),
    ("-A INPUT -m limit --limit 20000/s", "too fast", "20000/s", "10000/second"),
    ("-A INPUT ! -s 0.0.0.0/0", "matches nothing", "-s", "Remove"),
    ("-A INPUT -s 10.0.0.1 -d fd00::1", "no packet of IPv4 or IPv6", "-d", "one IP version"),
    ("ip6tables -A INPUT -s 10.0.0.1", "no packet of IPv6", "-s", "one IP version"),
    ("-A INPUT -p icmp -j REJECT --reject-with no-route", "no packet", "--reject-with", "one IP"),
    ("-F INPUT -j DROP", "-F takes no -j here", "-j", "Remove"),
    ("-A INPUT DROP", "'DROP' is where an option should be", "DROP", "Supported"),
    ('-A INPUT -m comment --comment "open', "is not closed", '"open', "Close it"),
]


@pytest.mark.parametrize(("line", "problem", "word", "instead"), REFUSED)
def test_what_is_not_supported_is_refused_by_name(
    line: str, problem: str, word: str, instead: str
) -> None:
    with pytest.raises(RuleSyntaxError) as refused:
        parse(line)
    error = refused.value
    assert problem in error.problem
    assert line[error.start : error.end] == word
    assert instead in error.instead
    shown = str(error).splitlines()
    assert shown[1].strip() == line.strip()
    assert shown[2].count("^") == max(1, len(word))


def test_errors_and_commands_survive_pickling() -> None:
    with pytest.raises(RuleSyntaxError) as refused:
        parse("-A INPUT -j LOG")
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
    command = parse("-A INPUT -p tcp --syn -m limit -j DROP")
    assert pickle.loads(pickle.dumps(command)) == command
    assert pickle.loads(pickle.dumps(HOSTS))("server", 6) == "fd00::2"


def test_a_host_is_its_address_in_each_family() -> None:
    rule = rule_of("-A INPUT -s server -j REJECT")
    four, six = (for_family(rule, family, HOSTS) for family in FAMILIES)
    assert four is not None
    assert six is not None
    assert (
        spell_rule(four) == "-A INPUT -s 10.0.0.2/32 -j REJECT --reject-with icmp-port-unreachable"
    )
    assert (
        spell_rule(six) == "-A INPUT -s fd00::2/128 -j REJECT --reject-with icmp6-port-unreachable"
    )


@pytest.mark.parametrize(
    ("line", "families"),
    [
        ("-A INPUT -s old", [4]),
        ("-A INPUT -s 10.0.0.1", [4]),
        ("-A INPUT -d fd00::/8", [6]),
        ("-A INPUT -p icmp", [4]),
        ("-A INPUT ! -p icmp", [4, 6]),
        ("-A INPUT -p ipv6-icmp", [6]),
        ("-A INPUT -j REJECT --reject-with icmp-host-unreachable", [4]),
        ("-A INPUT -j REJECT --reject-with port-unreach", [4, 6]),
        ("-A INPUT -p tcp -j REJECT --reject-with tcp-reset", [4, 6]),
        ("-A INPUT -j REJECT --reject-with no-route", [6]),
    ],
)
def test_a_rule_stays_out_of_families_it_cannot_concern(line: str, families: list[Family]) -> None:
    assert list(concrete_rules(rule_of(line), FAMILIES, HOSTS, line)) == families


def test_a_host_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UnknownHostError, match=r"'sever'.*old, server"):
        for_family(rule_of("-A INPUT -s sever"), 4, HOSTS)


def test_a_rule_for_no_family_is_refused() -> None:
    with pytest.raises(RuleScopeError, match="old must have an address"):
        concrete_rules(rule_of("-A INPUT -s old -d fd00::1"), FAMILIES, HOSTS, "the line")


@given(lines())
def test_every_line_of_the_grammar_reads_back_as_it_is_spelled(
    line: str,
) -> None:
    rule = rule_of(line)
    placed = concrete_rules(rule, FAMILIES, HOSTS, line)
    for family, concrete in placed.items():
        program = "iptables" if family == 4 else "ip6tables"
        again = rule_of(f"{program} {spell_rule(concrete)}")
        read = for_family(again, family, HOSTS)
        assert read is not None
        assert spell_rule(read) == spell_rule(concrete)
        assert expressions(read, family) == expressions(concrete, family)


@given(st.text())
def test_garbage_is_refused_and_nothing_worse(text: str) -> None:
    with pytest.raises(RuleSyntaxError) as refused:
        parse(text)
    assert str(refused.value)


WORDS = st.sampled_from(
    [
        "-A",
        "-I",
        "-D",
        "-F",
        "-P",
        "INPUT",
        "OUTPUT",
        "!",
        "-s",
        "-d",
        "-i",
        "-o",
        "-p",
        "-m",
        "-j",
        "-t",
        "tcp",
        "udp",
        "icmp",
        "80",
        "80:90",
        ":",
        "/",
        ",",
        "=",
        "0/0",
        "server",
        "--dport",
        "--sport",
        "--syn",
        "--syn=1",
        "--tcp-flags",
        "SYN",
        "ALL",
        "NONE",
        "-m",
        "statistic",
        "--mode",
        "random",
        "nth",
        "--every",
        "--packet",
        "--probability",
        ".5",
        "1e-3",
        "limit",
        "--limit",
        "5/s",
        "conntrack",
        "--ctstate",
        "NEW",
        "length",
        "nat",
        "PREROUTING",
        "DNAT",
        "REDIRECT",
        "--to-destination",
        "--to-ports",
        "[fd00::1]:80",
        "server:80",
        "--length",
        "comment",
        "--comment",
        "DROP",
        "ACCEPT",
        "REJECT",
        "--reject-with",
        "tcp-reset",
        "no-route",
        "sudo",
        "iptables",
        "ip6tables",
        "fd00::1",
        "10.0.0.1/24",
        "eth+",
        "+",
        "''",
        '"a\\',
        "filter",
        "٣",
        "²",
        "99999999999999999999999",
    ]
)


@given(st.lists(WORDS | st.text(max_size=4), max_size=14).map(" ".join))
@settings(deadline=None, max_examples=400)
def test_words_of_the_language_in_any_order_are_a_rule_or_refused(line: str) -> None:
    outcome: object
    try:
        outcome = parse(line)
    except RuleSyntaxError as refused:
        outcome = refused
    if isinstance(outcome, RuleSyntaxError):
        assert str(outcome)
        assert 0 <= outcome.start <= outcome.end <= len(line) + 1
    else:
        assert pickle.loads(pickle.dumps(outcome)) == outcome
