"""A rule as its line says it, and the hosts that lines name: for the tests of iptables' words."""

from sockstates.sandbox.rules import HostAddresses, Rule, parse
from sockstates.sandbox.rules.rule import Append, Insert

HOSTS = HostAddresses({"server": ("10.0.0.2", "fd00::2"), "old": ("10.0.0.3",)})


def rule_of(line: str) -> Rule:
    command = parse(line)
    assert isinstance(command, Append | Insert)
    return command.rule
