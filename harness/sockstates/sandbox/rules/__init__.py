"""iptables' own syntax, put in force through nf_tables, for IPv4 and IPv6; no iptables needed.

``parse`` reads a line into a command; ``Table`` of `table`, in the host's own process,
carries it out. Only that needs pyroute2, which takes a while to import.
"""

from sockstates.sandbox.rules.chains import Count
from sockstates.sandbox.rules.errors import (
    RuleNotAppliedError,
    RuleNotFoundError,
    RuleScopeError,
    RuleSyntaxError,
    UnknownHostError,
)
from sockstates.sandbox.rules.expressions import expressions
from sockstates.sandbox.rules.families import (
    NO_HOSTS,
    HostAddresses,
    concrete_rules,
    families_of,
    for_family,
)
from sockstates.sandbox.rules.rule import FAMILIES, AnyCommand, Family, Resolve, Rule
from sockstates.sandbox.rules.spelling import spell_rule
from sockstates.sandbox.rules.syntax import parse

__all__ = [
    "FAMILIES",
    "NO_HOSTS",
    "AnyCommand",
    "Count",
    "Family",
    "HostAddresses",
    "Resolve",
    "Rule",
    "RuleNotAppliedError",
    "RuleNotFoundError",
    "RuleScopeError",
    "RuleSyntaxError",
    "UnknownHostError",
    "concrete_rules",
    "expressions",
    "families_of",
    "for_family",
    "parse",
    "spell_rule",
]
